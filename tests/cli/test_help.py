"""What ``--help`` says beside words of a configuration."""

from __future__ import annotations

import pytest

from xaiexp.cli import app
from xaiexp.contract.registry import installed


@pytest.fixture
def told(workplace, capsys):
    def ask(*words):
        assert app.main([*words, "--help"]) == 0
        return capsys.readouterr().out

    return ask


def test_help_beside_a_component_names_its_parameters_under_their_keys(told):
    lines = told("method=[integrated_gradients,random]", "model=torchvision").splitlines()
    start = lines.index("model torchvision: " + installed().get("model", "torchvision").summary)
    assert lines[0] == "method integrated_gradients: " + installed().get("method", "integrated_gradients").summary
    keys = {line.strip().partition(":")[0] for line in lines}
    assert {"method.integrated_gradients.n_steps", "method.random.draws", "model.arch", "model.classes"} <= keys
    assert "    a name of `torchvision.models.list_models`." in lines[start:]
    assert "baseline.blur.sigma" not in keys  # no word names it


def test_help_beside_a_label_says_what_the_labelled_component_takes(told):
    lines = told("+method@method.ig200=integrated_gradients", "method.ig200.n_steps=200").splitlines()
    assert any(line.startswith("  method.ig200.n_steps: int at least 1, default 50") for line in lines)


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("examples=5", "examples: int at least 1 or null, default 64"),
        ("tracking.uri=off", "tracking.uri: str or null, default null"),
        ("report.inputs=false", "report.inputs: bool, default true"),
    ],
)
def test_help_beside_a_root_key_says_what_it_means(told, word, line):
    assert told(word).splitlines()[0] == line


def test_help_alone_names_every_tool(told):
    text = told()
    assert [tool for tool in app.TOOLS if f"xaiexp {tool}" not in text] == []


def test_help_beside_a_wrong_word_says_what_is_wrong(workplace, capsys):
    assert app.main(["method=[integrated]", "--help"]) == 2
    assert "nearest: integrated_gradients" in capsys.readouterr().err
