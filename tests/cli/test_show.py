"""``xaiexp show``: components in words, and whether a configuration can use them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from xaiexp.cli import app as cli


def shown(capsys, *words: str) -> str:
    assert cli.main(["show", *words]) == cli.DONE
    return " ".join(capsys.readouterr().out.split())


def test_a_method_is_shown_with_source_facts_parameters_and_an_example(workplace, capsys):
    text = shown(capsys, "integrated_gradients")
    for words in (
        "method integrated_gradients: gradients averaged along the straight line",
        "source: Sundararajan et al. 2017",
        "complete: attributions sum to f(x) - f(reference)",
        "needs of the model: gradients; offered by: causal_lm, digits_cnn",
        "n_steps: int at least 1, default 50 (effort=draft 16, publication 200) number of quadrature nodes.",
        "example: xaiexp 'method=[integrated_gradients]' method.integrated_gradients.n_steps=50",
    ):
        assert words in text


def test_the_example_of_a_component_is_a_configuration(workplace, capsys):
    (line,) = [each for each in _lines(capsys, "show", "occlusion") if each.strip().startswith("example:")]
    words = line.split("example: xaiexp ")[1].replace("'", "").split()
    assert cli.main(["plan", *words]) == cli.DONE


def _lines(capsys, *words: str) -> list[str]:
    assert cli.main(list(words)) == cli.DONE
    return capsys.readouterr().out.splitlines()


def test_required_parameters_are_named(workplace, capsys):
    text = shown(capsys, "dataset=image_folder")
    assert "required" in text
    assert "example: xaiexp dataset=image_folder dataset." in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["grad_cam", "model=digits_mlp"], "cannot be used, needs maps, which model 'digits_mlp' does not offer"),
        (["saliency", "model=digits_cnn"], "can be used, 1 forward and 1 backward passes an example"),
        (["metric=infidelity", "model=digits_cnn"], "with model digits_cnn and dataset digits: can be used"),
        (["grad_cam", "model=tabular_mlp", "dataset=breast_cancer"], "is for images; the data are tables"),
    ],
)
def test_a_configuration_can_or_cannot_use_a_component(workplace, capsys, words, told):
    assert told in shown(capsys, *words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["infidelty"], "show: no component has this name (got 'infidelty')\n  nearest: infidelity"),
        (["metod=saliency"], "nearest: method"),
        (["method=blur"], "no method has this name"),
        ([], "NAME"),
    ],
)
def test_wrong_requests_are_two_lines(workplace, capsys, words, told):
    assert cli.main(["show", *words]) == cli.WRONG
    error = capsys.readouterr().err
    assert told in error
    assert len(error.splitlines()) <= 3


def test_showing_imports_neither_torch_nor_pandas(workplace):
    code = (
        "import sys; from xaiexp.cli import app; app.main(['show', 'occlusion']); "
        "print([m for m in ('torch', 'numpy', 'pandas', 'mlflow') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
