"""`docs/families.md`: methods are right for families of networks, or refused, as the page says."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def families():
    spec = importlib.util.spec_from_file_location("families", DOCS / "families.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "families", module)  # dataclasses look their module up
        patch.setattr(sys, "path", [*sys.path])
        spec.loader.exec_module(module)
        yield module


def printed():
    """Family and task to the outcomes in the page, the reasons written out."""
    text = (DOCS / "families.md").read_text(encoding="utf-8")
    reasons = dict(re.findall(r"^(\d+)\. (.+)$", text, flags=re.MULTILINE))
    rows = {}
    for line in re.findall(r"^\| (.+) \|$", text, flags=re.MULTILINE)[1:]:
        family, task, *cells = line.split(" | ")
        rows[family, task.strip("`")] = [
            reasons.get(cell.removeprefix("skipped [").rstrip("]"), cell) for cell in cells
        ]
    return rows


def test_rows_of_the_page_are_what_happens_now(families):
    wanted = ("multilayer perceptron", "LSTM", "convolutions over a volume")
    chosen = [case for case in families.plain_cases() if case.family.startswith(wanted)]
    found = list(families.rows((*chosen, *families.special_cases())))
    page = printed()
    assert len(found) > 20
    for family, task, outcomes in found:
        assert page[family, task] == list(outcomes.values())


def test_a_wrong_attribution_is_no_outcome(families, monkeypatch):
    case = next(iter(families.plain_cases()))
    right = families.truth(case, "saliency")
    monkeypatch.setattr(families, "truth", lambda *_: right * 1.01)
    with pytest.raises(ValueError, match="saliency of multilayer perceptron, multiclass: off by"):
        families.outcome(case, "saliency")


@pytest.mark.heavy
def test_the_page_is_up_to_date(families):
    text = (DOCS / "families.md").read_text(encoding="utf-8")
    assert text == families.page(), "run: uv run python docs/families.py"
