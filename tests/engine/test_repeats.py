"""A method whose map is a random draw is scored on several draws; the scores are averaged, and the passes counted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from spied_studies import accounts, register, run, spied, study

from xaiexp.contract.kinds import Metric
from xaiexp.contract.registry import installed
from xaiexp.contract.repeats import repeats_of
from xaiexp.core.draws import Draws
from xaiexp.core.ids import CellId, MetricId
from xaiexp.plan.plan import plan

N, D = 70, 3  # chunks of 64 and 6 examples
FREE, WITH_PASSES = 6, 3
RANDOM = {"draws": FREE, "draws_with_passes": WITH_PASSES}
ALONE = {"draws": 1, "draws_with_passes": 1}
PRESENT = CellId("random")


@dataclass(frozen=True)
class FirstIfPositive(Metric):
    """The attribution of the first column; undefined where it is negative."""

    name = "first_if_positive"
    summary = source = "a test"
    higher_is_better = True
    bounds = (0.0, None)
    needs_sign = scale_invariant = re_explains = False
    unit = "1"

    def score(self, model, batch, explanation, rng):
        first = explanation.values[:, 0]
        return first.where(first > 0, math.nan)

    def passes(self, shape, d, explanations):
        from xaiexp.core.explanations import Cost

        return Cost(0)


@pytest.fixture(autouse=True)
def registered(bring):
    register()
    bring(FirstIfPositive)


def values_of(builder, metric, cell=PRESENT):
    return torch.cat([torch.from_numpy(part) for part in builder._scores[cell, MetricId(metric)]])


def drawn(ids, count):
    """The draws ``[count, N, D]``; the first one is the map itself."""
    scopes = [Draws(0, ids)] + [Draws(0, ids).within(f"repeat {k}") for k in range(1, count)]
    return torch.stack([each.within("method/random").normal("values", (D,)) for each in scopes])


def test_scores_are_means_over_the_draws_that_are_defined_and_the_others_are_counted(tmp_path):
    done, builder = run(study(N, {"random": RANDOM}, {}, {"first_if_positive": {}}, {}), tmp_path)
    first = drawn(tuple(builder._examples), FREE)[:, :, 0].double()
    positive = first > 0
    torch.testing.assert_close(
        values_of(builder, "first_if_positive"),
        first.where(positive, 0).sum(dim=0) / positive.sum(dim=0),
        equal_nan=True,
    )
    lost = int((~positive)[:, positive.any(dim=0)].sum())
    note = f"first_if_positive of random: {lost} draws have no score and are left out of its averages over {FREE} draws"
    assert note in done.notes
    again, _ = run(study(N, {"random": RANDOM}, {}, {"first_if_positive": {}}, {}), tmp_path)
    assert note in again.notes  # from the store


def test_draws_are_free_where_passes_serve_all_maps_and_few_elsewhere(tmp_path):
    metrics = {"infidelity": {"n_samples": 6}, "deletion": {"steps": 2}}
    counted, planned = [], []
    for of_random in (RANDOM, ALONE):
        asked = study(N, {"input_x_gradient": {}, "random": of_random}, {}, metrics, {})
        done, _ = run(asked, tmp_path / str(of_random["draws"]))
        assert tuple(map(sum, zip(*accounts(done).values(), strict=True))) == spied()
        counted.append({label: accounts(done)[label][0] for label in metrics})
        planned.append({label: cost.forward * N for label, cost in plan(asked).metric_costs.items()})
        if of_random is RANDOM:
            assert done.evaluator.repeats == {"random": {"infidelity": FREE, "deletion": WITH_PASSES}}
    several, one = counted
    assert several == {"infidelity": one["infidelity"], "deletion": one["deletion"] + N * (WITH_PASSES - 1)}
    for label in metrics:
        assert planned[0][label] - planned[1][label] == several[label] - one[label]


def test_the_scores_of_the_other_cells_and_the_shown_map_stay_as_they_are(tmp_path):
    metrics = {"infidelity": {"n_samples": 6}, "deletion": {"steps": 2}}
    results = [
        run(study(N, {"input_x_gradient": {}, "random": of_random}, {}, metrics, {}), tmp_path / name)
        for name, of_random in (("several", RANDOM), ("one", ALONE))
    ]
    for metric in metrics:
        several, one = (values_of(builder, metric, CellId("input_x_gradient")) for _, builder in results)
        assert torch.equal(several, one)
        several, one = (values_of(builder, metric) for _, builder in results)
        assert not torch.equal(several, one)
        assert several.var() < one.var()


def test_a_metric_that_explains_again_or_does_not_know_its_passes_makes_few_draws():
    build = installed().build
    random = build("method", "random", RANDOM)
    assert repeats_of(random, build("metric", "sensitivity_max", {}), (D,), D) == WITH_PASSES
    assert repeats_of(random, build("metric", "completeness", {}), (D,), D) == WITH_PASSES
    assert repeats_of(random, build("metric", "sparseness", {}), (D,), D) == FREE
    # One feature needs no step of deletion; its examples get the same number as longer ones.
    assert repeats_of(random, build("metric", "deletion", {}), (1,), 1) == WITH_PASSES
    assert repeats_of(build("method", "saliency", {}), build("metric", "sparseness", {}), (D,), D) == 1
