"""A cell's state over the chunks of a study."""

from __future__ import annotations

import torch
from builders import element_map

from xaiexp.core.explanations import Explanation
from xaiexp.core.ids import CellId
from xaiexp.core.keys import digest
from xaiexp.engine.cell_state import CellState
from xaiexp.engine.failure import Failure
from xaiexp.engine.outcome import CellOutcome


def explained(n, standard_error=None):
    return Explanation(
        "a", "none", torch.arange(4.0).expand(n, 4).clone(), element_map([4]), True, True, True,
        standard_error=standard_error,
    )  # fmt: skip


def done(n=2, **more):
    return CellOutcome("done", explanation=explained(n), **{"key": "k", **more})


def state():
    return CellState(CellId("a"))


def test_chunks_add_up_and_memory_is_the_largest():
    cell = state()
    cell.fold(done(key="k1", forward=3, backward=2, seconds=0.5, peak_memory=70, cached=True), 2)
    cell.fold(done(key="k2", forward=4, backward=1, seconds=0.25, peak_memory=50), 3)
    assert (cell.forward, cell.backward, cell.seconds, cell.peak_memory) == (7, 3, 0.75, 70)
    assert (cell.examples, cell.explained, cell.cached, cell.keys) == (5, 4, 1, ["k1", "k2"])
    assert cell.key == digest(["k1", "k2"])
    assert cell.active
    assert cell.status == "planned"
    cell.finalize(5)
    assert (cell.status, cell.reason, cell.active) == ("done", "", False)


def test_a_cell_comes_from_the_store_where_every_chunk_does():
    cell = state()
    assert not cell.all_cached
    assert cell.key == ""
    cell.fold(done(cached=True), 2)
    assert cell.all_cached
    cell.fold(done(cached=False), 2)
    assert not cell.all_cached


def test_a_failure_ends_a_cell_keeps_its_passes_and_drops_its_keys():
    cell, failure = state(), Failure("ValueError: no", "a.py:1", "Traceback")
    cell.fold(done(forward=3), 2)
    cell.fold(CellOutcome("failed", "ValueError: no", failure, forward=5), 2)
    assert (cell.status, cell.reason, cell.failure) == ("failed", "ValueError: no", failure)
    assert (cell.forward, cell.examples, cell.keys, cell.active) == (8, 2, [], False)
    cell.finalize(4)
    assert (cell.status, cell.reason) == ("failed", "ValueError: no")


def test_a_cell_that_was_not_finished_was_stopped():
    cell = state()
    cell.fold(done(), 2)
    cell.finalize(3)
    assert (cell.status, cell.reason) == ("skipped", "stopped after a failure (on_error=stop)")


def test_completeness_is_violated_above_five_percent_and_the_worst_is_told():
    cell = state()
    cell.fold(done(incompleteness=torch.tensor([0.05, 0.25])), 2)
    cell.fold(done(incompleteness=torch.tensor([0.1, 0.0])), 2)
    assert (cell.violations, cell.worst) == (2, 0.25)
    cell.finalize(4)
    assert cell.reason == "warning: completeness violated by more than 5% on 2 of 4 examples (worst 25%)"
    fine = state()
    fine.fold(done(incompleteness=torch.tensor([0.05, 0.0])), 2)
    fine.finalize(2)
    assert (fine.violations, fine.reason) == (0, "")


def test_a_map_is_noisy_where_half_of_the_variance_between_features_is_sampling_noise():
    # The features 0, 1, 2, 3 have the variance 5/3; noise of variance v leaves the share 1 - v / (5/3).
    for share, noisy in ((0.51, 0), (0.49, 2)):
        error = torch.full((2, 4), ((1 - share) * 5 / 3) ** 0.5)
        cell = state()
        cell.fold(CellOutcome("done", key="k", explanation=explained(2, error)), 2)
        assert cell.noisy == noisy
    cell.finalize(2)
    assert cell.reason == (
        "warning: sampling noise exceeds half of the variance between features on 2 of 2 examples; "
        "increase the number of samples"
    )


def test_a_skipped_cell_keeps_its_reason_beside_earlier_warnings():
    cell = state()
    cell.fold(done(incompleteness=torch.ones(2)), 2)
    cell.fold(CellOutcome("skipped", "not for this input"), 2)
    cell.finalize(4)
    assert (cell.status, cell.reason) == ("skipped", "not for this input")
