"""The outcome of a cell: what the store keeps of it, and what a method raises."""

from __future__ import annotations

import pytest
import torch
from builders import bind, draws, make_batch
from small_studies import Facts

from xaiexp.core.explanations import Spent
from xaiexp.core.ids import CellId
from xaiexp.engine import outcome as module
from xaiexp.engine.explainer import Explainer
from xaiexp.engine.outcome import explain_chunk, peak_memory
from xaiexp.errors import ParameterError, Unsupported
from xaiexp.store.objects import Store

CELL = CellId("some")


class Plain(Facts):
    def attribute(self, model, batch, reference, rng):
        raise AssertionError("the test attributes")


class OneStudy:
    methods = {"some": Plain()}  # noqa: RUF012  # of the class
    baselines: dict[str, object] = {}  # noqa: RUF012


@pytest.fixture
def explain(tmp_path):
    batch = make_batch(torch.arange(6.0).view(2, 3))

    def explained(attribute, key="ab12"):
        handle = bind(lambda x: x, batch)
        explainer = Explainer(OneStudy(), handle, draws(batch))
        asked = lambda explainer, handle: attribute(handle)  # noqa: E731
        return explain_chunk(CELL, explainer, handle, Store(tmp_path), key, asked, 0)

    explained.store = Store(tmp_path)
    return explained


def computed(handle):
    handle.scores(torch.zeros(2, 4, 3))
    return torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), torch.full((2, 3), 0.5)


def test_what_was_computed_is_found_again_with_what_it_had_cost(explain):
    first = explain(computed)
    assert (first.status, first.key, first.cached, first.forward, first.backward) == ("done", "ab12", False, 8, 0)
    again = explain(lambda handle: pytest.fail("it is in the store"))
    assert (again.status, again.key, again.cached, again.forward) == ("done", "ab12", True, 0)
    for outcome in (first, again):
        assert torch.equal(outcome.explanation.elements, computed(bind(lambda x: x, make_batch(torch.zeros(2, 3))))[0])
        assert torch.equal(outcome.explanation.standard_error, torch.full((2, 3), 0.5))
        spent = outcome.explanation.spent
        assert (spent.forward, spent.backward) == (8, 0)
        assert 0 < spent.seconds <= first.seconds
        assert 0 < spent.memory <= peak_memory(torch.device("cpu"))
    assert again.explanation.spent == first.explanation.spent
    assert torch.equal(explain.store.get("ab12")["features"], first.explanation.values)


def test_an_object_of_an_earlier_version_says_nothing_of_its_cost(explain):
    values = torch.ones(2, 3)
    explain.store.put("ab12", {"attributions": values, "features": values}, "attributions")
    outcome = explain(lambda handle: pytest.fail("it is in the store"))
    assert outcome.cached
    assert outcome.explanation.spent is None
    assert outcome.explanation.standard_error is None
    assert outcome.incompleteness is None


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Unsupported("needs maps"), "skipped", "needs maps"),
        (ValueError("no\nand more"), "failed", "ValueError: no"),
        (SystemExit(3), "failed", "SystemExit: 3"),
    ],
)
def test_what_a_method_raises_is_the_outcome_of_its_cell(explain, error, status, reason):
    def attribute(handle):
        raise error

    outcome = explain(attribute)
    assert (outcome.status, outcome.reason, outcome.key, outcome.cached) == (status, reason, "", False)
    assert outcome.explanation is None
    assert (outcome.failure is None) is (status == "skipped")
    assert explain.store.get("ab12") is None


@pytest.mark.parametrize("error", [ParameterError("seed", "is wrong"), KeyboardInterrupt()])
def test_a_wrong_request_and_an_interruption_end_the_study(explain, error):
    def attribute(handle):
        raise error

    with pytest.raises(type(error)):
        explain(attribute)


@pytest.mark.parametrize(("platform", "factor"), [("linux", 1024), ("darwin", 1)])
def test_memory_is_counted_in_bytes_of_the_process_or_the_device(platform, factor, monkeypatch):
    class Usage:
        ru_maxrss = 7

    monkeypatch.setattr(module.sys, "platform", platform)
    monkeypatch.setattr(module.resource, "getrusage", lambda who: Usage)
    assert peak_memory(torch.device("cpu")) == 7 * factor
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 99)
    assert peak_memory(torch.device("cuda")) == 99


def test_costs_of_the_store_are_whole_passes():
    assert module._spent(torch.tensor([3.0, 2.0, 0.5, 8.0], dtype=torch.float64)) == Spent(3, 2, 0.5, 8)
