"""``report`` is a bool, or a mapping that says what the page shows; on the command line and in presets."""

from __future__ import annotations

from pathlib import Path

import pytest

from xaiexp.config.build import to_study
from xaiexp.config.compose import composed
from xaiexp.contract.registry import installed
from xaiexp.errors import UserError
from xaiexp.plan.settings import Page


def page(*words: str) -> Page | None:
    return to_study(composed(words), installed()).settings.page


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("seed=0", Page(inputs=True)),
        ("report=true", Page(inputs=True)),
        ("report=false", None),
        ("report.inputs=false", Page(inputs=False)),
    ],
)
def test_of_the_command_line(workplace, word, expected):
    assert page(word) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("report: false", None), ("report:\n  inputs: false", Page(inputs=False))]
)
def test_of_a_preset(workplace, text, expected):
    Path("conf/experiment").mkdir(parents=True)
    Path("conf/experiment/mine.yaml").write_text(f"# @package _global_\n{text}\n")
    assert page("experiment=mine") == expected


@pytest.mark.parametrize(
    ("word", "told"),
    [("report=3", "report: must be bool or Page"), ("report.inputs=3", "report.inputs: must be bool (got 3)"),
     ("report.input=false", "nearest: inputs")],
)  # fmt: skip
def test_wrong_values_are_told(workplace, word, told):
    with pytest.raises(UserError) as caught:
        page(word)
    assert told in str(caught.value)
