"""The verdict of a claim from the scores of its cells, and a run that reads examples until it is decided."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from spied_studies import register, run, study

from xaiexp.core.ids import CellId, MetricId
from xaiexp.engine.checks.claim_test import SEQUENTIAL, ClaimTest
from xaiexp.engine.runner import Run
from xaiexp.plan.claim import Claim, FrozenClaim
from xaiexp.plan.plan import plan
from xaiexp.statistics.sequence import fixed_intervals
from xaiexp.store.objects import Store

A, B, C = CellId("a"), CellId("b"), CellId("c")


def claim(*pairs, shows="better", margin=0.0, higher=True):
    return FrozenClaim("m", higher, pairs or ((A, B),), shows, margin, 0.05)


def scores(*rows):
    return {
        (MetricId("m"), cell): torch.as_tensor(np.asarray(row, dtype=float))
        for cell, row in zip((A, B, C), rows, strict=False)
    }


def names(n, start=0):
    return [f"e{start + i}" for i in range(n)]


def verdict_of(values, *, asked=None, sequential=False, chunk=1000):
    test = ClaimTest(asked or claim(), sequential, seed=0)
    for start in range(0, values.shape[1], chunk):
        part = values[:, start : start + chunk]
        test.add(names(part.shape[1], start), scores(*part))
    return test


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("higher", [True, False])
def test_gains_and_intervals_are_those_of_paired_differences(higher):
    values = noise(3, 40) + np.array([[1.0], [0.0], [0.5]])
    result = verdict_of(values, asked=claim((A, B), (C, B), higher=higher)).result()
    sign = 1 if higher else -1
    gains = sign * np.stack([values[0] - values[1], values[2] - values[1]])
    order = np.argsort([f"e{i}" for i in range(40)])  # examples are sorted by id
    low, high = fixed_intervals(gains[:, order], 0.05, 0)
    assert [each.gain for each in result.pairs] == pytest.approx(gains.mean(axis=1))
    assert [each.low for each in result.pairs] == pytest.approx(low)
    assert [each.high for each in result.pairs] == pytest.approx(high)
    assert (result.examples, result.looks) == (40, 0)


@pytest.mark.parametrize(
    ("gain", "shows", "margin", "want"),
    [
        (1.0, "better", 0.0, "supported"),
        (1.0, "better", 2.0, "not supported"),
        (1.0, "better", 1.0, "undecided"),
        (-1.0, "better", 0.0, "not supported"),
        (0.0, "better", 0.0, "undecided"),
        (0.0, "equal", 0.5, "supported"),
        (1.0, "equal", 0.5, "not supported"),
        (-1.0, "equal", 0.5, "not supported"),
        (0.5, "equal", 0.5, "undecided"),
        (0.0, "equal", 0.01, "undecided"),
    ],
)
def test_the_verdict_follows_from_the_interval_and_the_margin(gain, shows, margin, want):
    values = noise(2, 60) * 0.3
    values[0] += gain - (values[0] - values[1]).mean()
    assert verdict_of(values, asked=claim(shows=shows, margin=margin)).result().verdict == want


def test_a_claim_is_supported_by_all_pairs_and_refuted_by_one():
    values = noise(3, 60) * 0.3 + np.array([[1.0], [0.0], [1.0]])
    values[2] += (values[0] - values[2]).mean()  # A and C have one mean
    assert verdict_of(values, asked=claim((A, B), (C, B))).result().verdict == "supported"
    assert verdict_of(values, asked=claim((A, B), (A, C))).result().verdict == "undecided"
    result = verdict_of(values, asked=claim((A, B), (B, C), (A, C))).result()
    assert result.verdict == "not supported"
    assert [each.verdict for each in result.pairs] == ["supported", "not supported", "undecided"]


def test_only_the_pairs_of_the_claim_are_tested():
    values = noise(3, 30)
    one = verdict_of(values, asked=claim((A, B))).result().pairs[0]
    two = verdict_of(values, asked=claim((A, B), (C, B))).result().pairs[0]
    assert (one.low, one.high) == (pytest.approx(verdict_of(values[:2]).result().pairs[0].low), one.high)
    assert two.high - two.low > one.high - one.low


def test_several_scores_of_an_example_count_once():
    values = noise(2, 30)
    test = ClaimTest(claim(), False, seed=0)
    test.add(names(30), scores(*values))
    test.add(names(30), scores(*(values + noise(2, 30, seed=1))))
    mean = values + noise(2, 30, seed=1) / 2
    (got,), (want,) = test.result().pairs, verdict_of(mean).result().pairs
    assert (got.gain, got.low, got.high) == pytest.approx((want.gain, want.low, want.high))
    assert test.result().examples == 30


def test_undefined_scores_leave_a_claim_undecided_where_they_are_many():
    values = noise(2, 50) + np.array([[5.0], [0.0]])
    values[0, :10] = np.nan
    assert verdict_of(values).result().verdict == "supported"
    values[0, :11] = np.nan
    result = verdict_of(values).result()
    assert (result.verdict, result.reason) == ("undecided", "its cells are defined together on 39 of 50 examples")
    assert np.isnan(result.pairs[0].gain)


def test_a_cell_without_scores_or_too_few_examples_leave_it_undecided():
    assert verdict_of(noise(1, 50)).result().reason == "no scores of b"
    assert verdict_of(noise(2, 5)).result().reason == "fewer than 6 examples"
    assert ClaimTest(claim(), True, seed=0).result().reason == "no scores of a, b"


def test_a_sequence_stops_at_the_first_look_that_decides_and_keeps_its_verdict():
    values = noise(2, 400) + np.array([[0.45], [0.0]])
    test, decided = ClaimTest(claim(), True, seed=0), None
    for start in range(0, 400, 16):
        test.add(names(16, start), scores(*values[:, start : start + 16]))
        if test.decided():
            decided = start + 16
            break
    assert decided in (48, 80, 128, 192, 288)
    result = test.result()
    assert (result.verdict, result.examples) == ("supported", decided)
    assert result.looks == 1 + [32, 48, 80, 128, 192, 288].index(decided)
    assert not verdict_of(values, sequential=False).decided()


def test_what_is_left_after_the_last_due_look_is_looked_at_once_more():
    test = verdict_of(noise(2, 40), sequential=True, chunk=32)
    assert not test.decided()  # 40 examples: the first look
    test.add(names(8, 40), scores(*noise(2, 8)))
    assert test.result().looks == 2
    assert test.result().looks == 2


N = 200  # chunks end at 16, 32, 64, 128, ... examples


@pytest.fixture
def registered(bring):
    register()


def asked(count=N, **settings):
    methods = {"input_x_gradient": {}, "random": {}, "saliency": {}}
    return study(count, methods, {}, {"infidelity": {"n_samples": 4}}, {}, **settings)


def test_a_run_until_decided_has_the_first_rows_of_the_whole_run_and_reads_no_more(registered, tmp_path):
    wanted = Claim("infidelity", (("input_x_gradient", "random"),))
    whole, builder = run(asked(claim=wanted), tmp_path / "whole")
    rows = builder.build(whole).scores
    stopped, builder = run(asked(claim=wanted, until="decided"), tmp_path / "stopped")
    tables = builder.build(stopped)
    assert stopped.claim_test.result().verdict == "supported"
    n = stopped.claim_test.result().examples
    assert n in (32, 64, 128)
    first = rows.groupby(["method", "metric"], sort=False).head(n).reset_index(drop=True)
    assert tables.scores.equals(first)
    assert (tables.cells["status"] == "done").all()
    assert (tables.cells["examples"] == n).all()
    loaded = next(Run(plan(asked(claim=wanted, until="decided")), Store(tmp_path / "stopped")).results())
    assert loaded.selection.words.startswith(f"at most {N} examples")
    assert SEQUENTIAL in stopped.notes
    assert SEQUENTIAL not in whole.notes
    # What the store has counts as read.
    again, _ = run(asked(claim=wanted, until="decided"), tmp_path / "stopped")
    assert again.claim_test.result() == stopped.claim_test.result()
    assert sum(state.forward + state.backward for state in again.states.values()) == 0


def test_a_run_that_is_never_decided_reads_all_examples(registered, tmp_path):
    never = Claim("infidelity", (("input_x_gradient", "copy"),))
    methods = {"input_x_gradient": {}, "copy:input_x_gradient": {}}
    settings = {"claim": never, "until": "decided"}
    done, builder = run(study(70, methods, {}, {"infidelity": {"n_samples": 4}}, {}, **settings), tmp_path)
    result = done.claim_test.result()
    assert (result.verdict, result.examples, result.looks) == ("undecided", 70, 3)  # at 32, 64 and 70
    assert builder.build(done).cells["examples"].tolist() == [70, 70]
    assert SEQUENTIAL not in done.notes
