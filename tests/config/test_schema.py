"""From dataclasses to what Hydra reads, and from a composed configuration to a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, get_type_hints

import pytest
from omegaconf import MISSING, OmegaConf

from xaiexp.config.build import plain, to_study
from xaiexp.config.compose import composed, expand, prepare
from xaiexp.config.schema import at_effort, derived
from xaiexp.contract.registry import installed
from xaiexp.core.parameters import Effort, Range
from xaiexp.errors import ParameterError, UnknownName, UserError


@dataclass(frozen=True)
class Inner:
    a: int = 1


@dataclass(frozen=True)
class Fields:
    required: int
    whole: int = 1
    ranged: Annotated[float, Range(0)] = 0.5
    choice: Literal["x", "y"] = "x"
    mixed: Literal["x", 1] = "x"
    maybe: int | None = None
    either: int | str = 1
    maybe_either: int | str | None = None
    several: tuple[int, ...] = (1, 2)
    nested: tuple[tuple[int, ...], ...] = ((1,), (2,))
    unlike: tuple[int, str] = (1, "a")
    names: list[str] = field(default_factory=lambda: ["a"])
    mapping: Mapping[str, int] = field(default_factory=lambda: {"k": 1})
    inner: Inner = field(default_factory=Inner)
    anything: Any = None
    steps: Annotated[int, Effort(5, 50, 500)] = 50
    open_end: Annotated[int | None, Effort(5, 50, None)] = 50


def test_every_type_of_a_field_has_one_that_hydra_reads():
    schema = derived(Fields, name="some")
    assert [each.name for each in fields(schema)] == ["name", *(each.name for each in fields(Fields))]
    hints = get_type_hints(schema)
    assert hints["inner"] is derived(Inner)
    del hints["inner"]
    assert hints == {
        "name": str,
        "required": int,
        "whole": int,
        "ranged": float,
        "choice": str,
        "mixed": Any,
        "maybe": int | None,
        "either": Any,
        "maybe_either": Any,
        "several": list[int],
        "nested": list[Any],
        "unlike": list[Any],
        "names": list[str],
        "mapping": dict[str, Any],
        "anything": Any,
        "steps": int,
        "open_end": int | None,
    }


@pytest.mark.parametrize(
    ("effort", "steps", "end"), [("draft", 5, 5), ("standard", 50, 50), ("publication", 500, None)]
)
def test_defaults_are_those_of_the_fields_at_the_level_of_effort(effort, steps, end):
    prepare()
    node = OmegaConf.create({"effort": effort, "some": OmegaConf.structured(derived(Fields, name="some"))}).some
    assert OmegaConf.is_missing(node, "required")
    assert MISSING == "???"
    values = {key: node[key] for key in node if key != "required"}
    assert values == {
        "name": "some",
        "whole": 1,
        "ranged": 0.5,
        "choice": "x",
        "mixed": "x",
        "maybe": None,
        "either": 1,
        "maybe_either": None,
        "several": [1, 2],
        "nested": [[1], [2]],
        "unlike": [1, "a"],
        "names": ["a"],
        "mapping": {"k": 1},
        "inner": {"a": 1},
        "anything": None,
        "steps": steps,
        "open_end": end,
    }


def test_a_configuration_without_a_level_of_effort_is_at_the_standard():
    assert at_effort(1, 2, 3, _root_={}) == 2


def configuration(**changed):
    return OmegaConf.create(
        {
            "model": {"name": "digits_mlp"},
            "dataset": {"name": "digits"},
            "features": None,
            "method": {"mine": {"name": "saliency"}},
            "baseline": {"zero": {"name": "zero"}},
            "metric": {"s": {"name": "sparseness"}},
            "agreement": {"r": {"name": "rank_correlation"}},
            **changed,
        }
    )


def test_components_are_built_by_name_under_their_labels():
    study = to_study(configuration(seed=3, tracking={"uri": "off"}, examples=None), installed())
    names = {kind: {k: v.name for k, v in getattr(study, kind).items()} for kind in ("methods", "baselines", "metrics")}
    assert names == {"methods": {"mine": "saliency"}, "baselines": {"zero": "zero"}, "metrics": {"s": "sparseness"}}
    assert {k: v.name for k, v in study.agreements.items()} == {"r": "rank_correlation"}
    assert (study.model.name, study.dataset.name, study.features.name) == ("digits_mlp", "digits", "pixel")
    assert (study.settings.seed, study.settings.tracking.uri, study.settings.examples) == (3, "off", None)
    assert to_study(configuration(features={"name": "grid"}), installed()).features.name == "grid"
    assert to_study(configuration(metric=None), installed()).metrics == {}


def test_a_missing_value_is_the_default_of_its_field_or_must_be_given():
    node = {"mine": {"name": "integrated_gradients", "n_steps": "???"}}
    assert to_study(configuration(method=node), installed()).methods["mine"].n_steps == 50


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"model": None}, ParameterError, "model: must be chosen\n  as model=NAME; all: xaiexp plugins"),
        ({"dataset": None}, ParameterError, "dataset: must be chosen\n  as dataset=NAME; all: xaiexp plugins"),
        ({"sed": 1}, UnknownName, "sed: no such key\n  nearest: seed"),
        ({"seed": -1}, ParameterError, "seed: must be between 0 and 2147483647 (got -1)"),
        ({"tracking": {"url": "x"}}, ParameterError, "tracking.url: no such parameter\n  nearest: uri"),
        ({"method": ["saliency"]}, ParameterError, "method: must be a list of names (got ['saliency'])"),
        (
            {"method": {"a": 3}},
            ParameterError,
            "method.a: is no method of the configuration (got 3)\n"
            "  choose one by name: method=NAME, or +method@method.LABEL=NAME for a second one",
        ),
        ({"method": {"a": {"power": 2}}}, ParameterError, "method.a: is no method of the configuration"),
        ({"method": {"a": {"name": 7}}}, ParameterError, "method.a: is no method of the configuration"),
        ({"model": ["digits"]}, ParameterError, "model: is no model of the configuration (got ['digits'])"),
        ({"model": "digits"}, UnknownName, "model: no model has this name\n  nearest: digits_"),
        ({"baseline": {"none": {"name": "zero"}}}, UserError, "baseline.none: is the baseline of methods"),
        ({"method": {"a": {"name": "salency"}}}, UnknownName, "method.a: no method has this name\n  nearest: saliency"),
        (
            {"method": {"a": {"name": "integrated_gradients", "n_steps": 0}}},
            ParameterError,
            "method.a.n_steps: must be at least 1 (got 0)",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_built_is_told_at_its_place(changed, error, message):
    with pytest.raises(error) as caught:
        to_study(configuration(**changed), installed())
    assert str(caught.value).startswith(message)


def test_the_axis_of_removals_lists_each_metric_that_removes_once_for_each():
    metrics = {"d": {"name": "deletion", "removal": "mean"}, "s": {"name": "sparseness"}}
    values = plain(configuration(metric=metrics, removal=["zero", "blur"], hydra={"job": "x"}))
    assert values["metric"] == {
        "d_zero": {"name": "deletion", "removal": "zero"},
        "d_blur": {"name": "deletion", "removal": "blur"},
        "s": {"name": "sparseness"},
    }
    assert list(values["metric"]) == ["d_zero", "d_blur", "s"]
    assert values["removal"] == {}
    assert "hydra" not in values
    assert plain(configuration(metric=metrics, removal=[]))["metric"] == metrics


SMALL = ["model=digits_mlp", "method=[saliency]", "metric=[]", "agreement=[]", "baseline=[zero]"]


def test_a_command_line_composes_the_study_that_it_names(workplace):
    cfg = composed([*SMALL, "+method@method.two=integrated_gradients", "method.two.n_steps=7"])
    assert plain(cfg)["method"]["two"] == {"name": "integrated_gradients", "n_steps": 7, "method": "gausslegendre"}
    assert list(plain(cfg)["method"]) == ["saliency", "two"]
    assert "run" in cfg.hydra


def test_a_sweep_expands_to_its_jobs(workplace):
    jobs = expand(["model=digits_mlp,digits_cnn", "seed=0,1", "examples=3"])
    assert [[word for word in job if not word.startswith("examples")] for job in jobs] == [
        [f"model={model}", f"seed={seed}"] for model in ("digits_mlp", "digits_cnn") for seed in (0, 1)
    ]
    assert all("examples=3" in job for job in jobs)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["method=salency,saliency"], "method.salency: no method has this name\n  nearest: saliency"),
        (["method=[saliency],[salency]"], "method.salency: no method has this name"),
        (["+method@method.b=salency"], "method.salency: no method has this name"),
    ],
)
def test_every_name_of_a_sweep_is_checked_before_it_starts(words, message, workplace):
    with pytest.raises(UnknownName) as caught:
        expand(words)
    assert str(caught.value).startswith(message)


def test_an_option_of_the_user_s_own_conf_is_no_component_and_may_be_named(workplace):
    (workplace / "conf" / "method").mkdir(parents=True)
    (workplace / "conf" / "method" / "from_a_file.yaml").write_text(
        "# @package method.from_a_file\nname: integrated_gradients\nn_steps: 9\n"
    )
    assert plain(composed([*SMALL[:1], "method=[from_a_file]", "metric=[]"]))["method"]["from_a_file"]["n_steps"] == 9


def test_a_component_of_an_earlier_study_names_its_plugin(workplace):
    (workplace / "outputs" / "store" / "brought.json").write_text('{"method.gone": "xaiexp-gone 2.0"}')
    with pytest.raises(UnknownName) as caught:
        composed(["method=[gone]"])
    assert "note: earlier studies used it from the plugin xaiexp-gone 2.0, which is not installed now" in str(
        caught.value
    )


@pytest.mark.parametrize("key", ["hydra.run.dir", "hydra.sweep.dir"])
def test_folders_of_results_are_below_outputs_unless_the_command_line_names_them(key, workplace):
    other = str(workplace / "elsewhere")
    assert composed([*SMALL, f"{key}={other}"]).hydra.run.dir
    (workplace / "conf").mkdir()
    node = key.split(".")[1]
    (workplace / "conf" / "experiment").mkdir()
    preset = workplace / "conf" / "experiment" / "mine.yaml"
    preset.write_text(f"# @package _global_\nhydra:\n  {node}:\n    dir: ../elsewhere\n")
    with pytest.raises(UserError, match="outputs"):
        composed([*SMALL, "experiment=mine"])
    preset.write_text(f"# @package _global_\nhydra:\n  {node}:\n    dir: outputs/mine\n")
    assert composed([*SMALL, "experiment=mine"]).hydra[node].dir == "outputs/mine"
