"""What Hydra and OmegaConf raise, in our words, and where files of presets may be placed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf.errors import ConfigKeyError, ValidationError

from xaiexp.cli import app as cli
from xaiexp.config.compose import composed, expand
from xaiexp.config.messages import translated
from xaiexp.contract.registry import installed
from xaiexp.errors import ParameterError, UnknownName, UserError


def told(error):
    with pytest.raises(UserError) as caught, translated(installed()):
        raise error
    return str(caught.value)


def with_key(error, key):
    error.full_key = key
    error.msg = str(error)
    return error


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (HydraException("first line\n\n  second line \nthird"), "config: first line\n  note: second line"),
        (HydraException(""), "config: HydraException"),
        (ValueError("Not a number\nmore"), "config: not a number"),
        (OSError(), "config: OSError"),
        (with_key(ConfigKeyError("Key 'sed' is not in struct"), "sed"), "sed: no such key\n  nearest: seed"),
        (
            with_key(ConfigKeyError("Key 'n_step' not in 'X'"), "method.integrated_gradients.n_step"),
            "method.integrated_gradients.n_step: no such parameter\n  nearest: n_steps",
        ),
        (
            with_key(ConfigKeyError("Key 'saliency' not in 'X'"), "method.saliency"),
            "method.saliency: is not in the list of this study\n  add it: 'method=[...,saliency]'",
        ),
        (
            with_key(ValidationError("Value 'x' of type 'str' could not be converted to Integer"), "seed"),
            "seed: must be a whole number (got 'x')",
        ),
        (with_key(ValidationError("Something Else\nmore"), "seed"), "seed: something Else"),
        (with_key(ValidationError("Something Else"), ""), "config: something Else"),
        (
            caused(
                HydraException("Error merging"),
                with_key(ValidationError("Value 'x' of type 'str' could not be converted to Integer"), "examples"),
            ),
            "examples: must be a whole number (got 'x')",
        ),
        (caused(HydraException("own words"), ValueError("the cause")), "config: own words"),
        (ConfigCompositionException("Could not override 'sed'.\nmore"), "sed: no such key\n  nearest: seed"),
        (MissingConfigException("Unrelated words", "x"), "config: Unrelated words"),
        (
            ConfigCompositionException(
                "In 'model/a': ConfigKeyError raised while composing config:\nKey 'sed' not in 'X'"
            ),
            "conf/model/a.yaml: sets an unknown key (got 'sed')\n  nearest: seed",
        ),
        (
            ConfigCompositionException("In 'method/a': X raised while composing config:\nKey 'method' not in 'X'"),
            "conf/method/a.yaml: sets an unknown key (got 'method')\n  nearest: method   its first line must be",
        ),
        (
            ConfigCompositionException("In 'model/a': ValidationError raised while composing config:\nCannot do it"),
            "conf/model/a.yaml: cannot do it",
        ),
        (RecursionError(), "config: has no end\n  a defaults list leads back to its own file"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_hydra_is_told_in_our_words(error, message):
    assert told(error).startswith(message)


@pytest.mark.parametrize("chain", [["a"], ["a", "b"]])
def test_a_defaults_list_that_leads_back_is_told(chain, workplace):
    Path("conf/method").mkdir(parents=True)
    for file, listed in zip(chain, [*chain[1:], chain[0]], strict=True):
        Path(f"conf/method/{file}.yaml").write_text(f"defaults: [{listed}]\n")
    with pytest.raises(UserError, match="config: has no end"):
        composed(["method=[a]"])


@pytest.mark.parametrize(
    "word",
    ["model=[null]", "metric=[[]]", "method=[[a],b]", "hydra/help=[null]", "experiment=[[a]]", "baseline=[{a:1}]"],
)
def test_a_choice_that_is_no_name_is_refused(word, workplace):
    key = word.partition("=")[0]
    with pytest.raises(ParameterError, match=f"{key}: must be a name or a list of names"):
        composed([word])


def test_a_value_that_is_nested_deeply_is_refused(workplace):
    with pytest.raises(UserError, match="is nested too deeply"):
        composed([f"removal={'[' * 300}{']' * 300}"])


@pytest.mark.parametrize(
    "word", ["hydra.job.env_copy=1", "hydra.run.dir=${oc.decode:1}", "hydra.sweeper.params.seed=1"]
)
def test_a_value_over_which_hydra_stumbles_is_a_wrong_request(word, workplace, capsys):
    assert cli.main(["model=digits_mlp", word]) == cli.WRONG
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith(("config: ", "hydra."))
    assert not Path("outputs/error.log").exists()


def test_other_errors_pass():
    with pytest.raises(KeyError), translated(installed()):
        raise KeyError("ours")


@pytest.mark.parametrize(
    "place", ["hydra", "hydra.job", "_global_.hydra", "_global_.hydra.job", "_here_.hydra", "_global_._here_.hydra"]
)
def test_a_file_is_not_placed_where_hydra_is_set_up(place, workplace):
    with pytest.raises(UserError, match="may not place a file there"):
        expand([f"+experiment@{place}=theirs"])


@pytest.mark.parametrize("place", ["method", "_global_", "_global_.method"])
def test_a_file_is_placed_elsewhere(place, workplace):
    assert expand([f"+experiment@{place}=theirs"])


@pytest.mark.parametrize("words", ["model='digits_cn',digits_mlp", "model=digits_mlp,'digits_cn'", "model=digits_cn"])
def test_names_in_quotation_marks_are_names(words, workplace):
    with pytest.raises(UnknownName, match=r"model\.digits_cn: no model has this name\n  nearest: digits_cnn"):
        expand([words])
