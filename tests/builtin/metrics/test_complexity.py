from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from builders import bind, draws, explain, make_batch
from metric_batches import TanhNetwork, TextNetwork, explanations, images, normal, score_all, texts
from reference import complexity_loops, metrics_loops

from xaiexp.builtin.metrics.complexity.effective_complexity import EffectiveComplexity
from xaiexp.builtin.metrics.complexity.sparseness import Entropy, Sparseness
from xaiexp.builtin.removals.fill import removed_inputs

# Sparseness


def test_sparseness_is_half_the_relative_mean_difference_of_magnitudes():
    for batch in (images(), texts()):
        given = explanations(batch)
        values = Sparseness().score_all(bind(None, batch), batch, given, draws(batch))
        for e, row in zip(given, values, strict=True):
            for n in range(2):
                d = int(batch.features.counts.expand(3)[n])
                assert float(row[n]) == pytest.approx(metrics_loops.gini(e.values[n, :d].tolist()))


def test_sparseness_of_equal_single_and_zero_attributions():
    batch = make_batch(torch.zeros(4, 5, dtype=torch.float64))
    phi = torch.tensor([[2.0, -2, 2, 2, -2], [0, 0, -9, 0, 0], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5]]).double()
    got = Sparseness().score(bind(None, batch), batch, explain(batch, phi), draws(batch))
    np.testing.assert_allclose(got, [0, 0.8, math.nan, 4 / 15], atol=1e-15)


# Entropy


@pytest.mark.parametrize("make", [images, texts])
def test_entropy_matches_its_definition_and_scipy(make):
    batch = make()
    given = explanations(batch)
    values = Entropy().score_all(bind(None, batch), batch, given, draws(batch))
    for e, row in zip(given, values, strict=True):
        for n in range(2):
            phi = e.values[n, : int(batch.features.counts.expand(3)[n])]
            assert float(row[n]) == pytest.approx(complexity_loops.entropy(phi.tolist()))
            assert float(row[n]) == pytest.approx(scipy.stats.entropy(phi.abs().numpy()))


def test_entropy_of_equal_single_zero_and_nan_attributions():
    batch = make_batch(torch.zeros(4, 5, dtype=torch.float64))
    phi = torch.tensor([[2.0, -2, 2, 2, -2], [0, 0, -9, 0, 0], [0, 0, 0, 0, 0], [math.nan, 2, 3, 4, 5]]).double()
    got = Entropy().score(bind(None, batch), batch, explain(batch, phi), draws(batch))
    np.testing.assert_allclose(got, [math.log(5), 0, math.nan, math.nan], atol=1e-15)


def test_complexity_metrics_of_a_single_feature():
    batch = make_batch(normal(2, 1))
    given = [explain(batch, normal(2, 1, seed=1))]
    for metric in (Entropy(), Sparseness()):
        assert score_all(metric, lambda x: x, batch, given)[0].tolist() == [[0.0, 0.0]]
    assert score_all(EffectiveComplexity(), lambda x: x, batch, given)[0].tolist() == [[1.0, 1.0]]


# Effective complexity


@pytest.mark.parametrize(
    "metric", [EffectiveComplexity(epsilon=0.6), EffectiveComplexity(epsilon=0.8, steps=3, removal="zero")], ids=repr
)
@pytest.mark.parametrize("make", [images, texts])
def test_effective_complexity_matches_its_definition(metric, make):
    batch = make()
    module = TanhNetwork(24) if make is images else TextNetwork(3)
    given = explanations(batch)
    got, _ = score_all(metric, module, batch, given)
    replacement = removed_inputs(metric.removal, batch, draws(batch))
    index = batch.features.index.expand(batch.inputs.shape)
    distinct_values = set()
    for n in range(2 if make is texts else 3):

        def f(x, n=n):
            return float(module(torch.tensor(x, dtype=torch.float64).view(1, *batch.shape))[0, batch.targets[n]])

        d = int(batch.features.counts.expand(3)[n])
        points = min(metric.steps, d)
        for e, values in zip(given, got, strict=True):
            want = complexity_loops.effective_complexity(
                f,
                batch.inputs[n].flatten().tolist(),
                replacement[n].flatten().tolist(),
                index[n].flatten().tolist(),
                e.values[n, :d].tolist(),
                [math.floor(k * d / points + 0.5) for k in range(points + 1)],
                metric.epsilon,
            )
            assert float(values[n]) == pytest.approx(want)
            distinct_values.add(want)
    assert len(distinct_values) > 1


def test_effective_complexity_of_a_linear_model_in_closed_form():
    w = torch.tensor([8.0, 4.0, 0.5, 0.0, 0.0], dtype=torch.float64)
    batch = make_batch(torch.ones(1, 5, dtype=torch.float64))
    maps = [w, w.flip(0), torch.tensor([1.0, 9.0, 0, 0, 0]).double()]
    given = [explain(batch, phi.expand(1, 5)) for phi in maps]
    values, made = score_all(EffectiveComplexity(removal="zero"), lambda x: x @ w, batch, given)
    # The tolerated change is a tenth of 12.5; in the reversed order, the decisive feature comes last.
    assert values[:, 0].tolist() == pytest.approx([2 / 5, 1.0, 2 / 5])
    assert made == 1 + 3 * 4


def test_a_score_that_is_reached_only_temporarily_does_not_count_as_kept():
    w = torch.tensor([5.0, 3.0, -3.0, 0.1], dtype=torch.float64)
    batch = make_batch(torch.ones(1, 4, dtype=torch.float64))
    values, _ = score_all(EffectiveComplexity(removal="zero"), lambda x: x @ w, batch, [explain(batch, w.expand(1, 4))])
    assert float(values) == 3 / 4


def test_effective_complexity_is_nan_for_zero_maps_and_where_nothing_changes():
    batch = make_batch(torch.tensor([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0]], dtype=torch.float64))
    phi = torch.tensor([[0.0, 0.0], [math.nan, 1.0], [1.0, 2.0]], dtype=torch.float64)
    values, _ = score_all(EffectiveComplexity(removal="zero"), lambda x: x.sum(1), batch, [explain(batch, phi)])
    assert values.isnan().all()
