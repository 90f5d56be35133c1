"""A failure keeps one line for the terminal, and the place and the traceback for the author of the component."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from documents import Opened
from small_studies import Facts, run

from xaiexp.core.ids import MetricId
from xaiexp.engine.failure import Failure
from xaiexp.engine.targets import max_targets
from xaiexp.errors import CellError


@dataclass(frozen=True)
class RaisesInTorch(Facts):
    """Asks torch for an impossible product, two calls deep."""

    def attribute(self, model, batch, reference, rng):
        return self._product(batch.inputs)

    def _product(self, inputs):
        return torch.matmul(inputs.flatten(1), torch.ones(3, 3))  # the place


def test_the_place_is_the_component_and_not_the_engine_or_torch():
    try:
        RaisesInTorch()._product(torch.ones(2, 4))
    except RuntimeError as error:
        failure = Failure.of(error)
    line = next(i for i, text in enumerate(Path(__file__).read_text().splitlines(), 1) if "# the place" in text)
    assert failure.place == f"{__file__}:{line}"
    assert failure.reason.startswith("RuntimeError: ")
    assert "_product" in failure.traceback
    assert failure.traceback.startswith("Traceback")


@pytest.mark.parametrize(
    "wrong", [lambda: MetricId.parse(None), lambda: max_targets(3, *"abc")], ids=["core", "engine"]
)
def test_the_place_is_that_of_the_caller_where_our_own_code_raises(wrong):
    with pytest.raises(Exception) as caught:  # noqa: PT011  # whatever it is
        wrong()
    assert Failure.of(caught.value).place.startswith(f"{__file__}:")


def test_one_line_of_an_error_and_its_type_unless_it_is_ours():
    assert Failure.of(ValueError("first\nsecond")).reason == "ValueError: first"
    assert Failure.of(KeyError()).reason == "KeyError: no message"
    assert Failure.of(CellError("returned NaN")).reason == "returned NaN"
    assert Failure.of(CellError("never raised")).place == ""


def test_a_failed_cell_leaves_its_traceback_in_the_record_and_on_the_page(workplace, bring):
    bring(RaisesInTorch)
    result = run("method=[raises_in_torch,saliency]", "report=true")
    record = json.loads((result.path / "record.json").read_text())
    assert list(record["failures"]) == ["raises_in_torch"]
    failure = record["failures"]["raises_in_torch"]
    assert failure["reason"] == result.cells["reason"].iloc[0]
    assert failure["place"].startswith(__file__)
    assert "in _product" in failure["traceback"]
    (problem,) = [each for each in Opened(result.path / "report.html").study.problems if each.title == "1 failed cell"]
    ((name, traceback),) = problem.tracebacks
    assert name == f"raises_in_torch: {failure['place']}"
    assert "in _product" in traceback


def test_a_study_without_failures_has_none(workplace):
    assert run("method=[saliency]").record["failures"] == {}
