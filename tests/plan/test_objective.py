"""The objective of a sweeper that optimises."""

from __future__ import annotations

import pytest

from xaiexp.core.ids import CellId
from xaiexp.errors import UserError
from xaiexp.plan.objective import objective

METRICS = {"deletion": False, "insertion": True, "sparseness": None, "infidelity": False}
CELLS = {CellId("occlusion", "zero"): "", CellId("saliency"): "", CellId("grad_cam"): "has no layer of maps"}


def of(text):
    return objective(text, METRICS, {"infidelity": "is for texts"}, CELLS)


def test_a_metric_of_a_cell_in_its_own_direction():
    assert of(None) is None
    goal = of("deletion@occlusion/zero")
    assert (goal.metric, goal.cell, goal.direction) == ("deletion", CellId("occlusion", "zero"), "minimize")
    assert of(" insertion @ saliency ").direction == "maximize"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deletion", r"must name a metric and a cell \(got 'deletion'\)\n  as objective=METRIC@METHOD/BASELINE"),
        ("@saliency", "must name a metric and a cell"),
        ("delation@saliency", r"no such metric in this study \(got 'delation'\)\n  nearest: deletion"),
        ("deletion@occlusion", r"no such cell in this study \(got 'occlusion'\)\n  nearest: occlusion/zero"),
        ("deletion@grad_cam", "is skipped: has no layer of maps"),
        ("sparseness@saliency", "ranks no cells"),
        ("infidelity@saliency", "is left out: is for texts"),
    ],
)
def test_what_the_study_does_not_have_is_refused(text, message):
    with pytest.raises(UserError, match=message) as said:
        of(text)
    assert said.value.where == "objective"
