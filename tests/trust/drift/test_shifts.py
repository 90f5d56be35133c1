"""Error rate, power and effect sizes of the tests of many features."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

import xaiexp
from xaiexp.trust.drift.shifts import independent_shifts, paired_shifts

SEEDS = range(100)
PLANTED = [3, 8]


def importances(seed, shift, n=200, features=12):
    """Magnitudes of input x gradient of an additive model on correlated normal columns, of two periods."""
    rng = np.random.default_rng(seed)
    mix = 0.5 + 0.5 * np.eye(features)
    weights = np.linspace(0.5, 2, features)
    periods = [rng.normal(size=(n, features)) @ mix for _ in range(2)]
    periods[1][:, PLANTED] += shift * periods[1].std()
    return [np.abs(period * weights) for period in periods]


def test_a_planted_shift_of_two_of_twelve_columns_is_found_and_no_other():
    found = [independent_shifts(*importances(seed, 1.0), seed=seed, draws=399).found for seed in SEEDS]
    power = np.mean([both[PLANTED].all() for both in found])
    others = np.mean([np.delete(each, PLANTED).any() for each in found])
    assert power > 0.95
    assert others < 0.10  # 0.05 is the rate, 100 seeds


def test_without_a_shift_false_alarms_keep_the_rate():
    alarms = [independent_shifts(*importances(seed, 0.0), seed=seed, draws=399).found.any() for seed in SEEDS]
    assert np.mean(alarms) < 0.10  # at most 5 %: 9 or fewer of 100 with a probability of 97 %


@pytest.mark.heavy
def test_a_planted_shift_is_found_in_the_maps_of_a_trained_network():
    """Integrated gradients of a network of one hidden layer, whose other columns react to a shift of two of them."""
    mix = (0.5 + 0.5 * np.eye(12)) / 3
    rows = np.random.default_rng(99).normal(size=(4000, 12)) @ mix
    labels = torch.tensor(rows @ np.linspace(0.5, 1.5, 12) + 0.5 * np.sin(3 * rows[:, 0]) > 0).long()
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(12, 24), torch.nn.Tanh(), torch.nn.Linear(24, 2))
    optimizer = torch.optim.Adam(net.parameters(), 0.01, weight_decay=1e-3)
    for _ in range(200):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(torch.tensor(rows, dtype=torch.float32)), labels).backward()
        optimizer.step()

    def importance(values):
        x = torch.tensor(values, dtype=torch.float32)
        maps = xaiexp.attribute(net.eval(), x, "integrated_gradients", target=1, baseline="zero", n_steps=16)
        return maps.abs().double().numpy()

    def found(seed, shift):
        rng = np.random.default_rng(seed)
        periods = [rng.normal(size=(200, 12)) @ mix for _ in range(2)]
        periods[1][:, PLANTED] += shift * periods[1].std()
        return independent_shifts(*map(importance, periods), seed=seed, draws=999).found

    shifted, same = ([found(seed, shift) for seed in SEEDS] for shift in (1.0, 0.0))
    assert np.mean([each[PLANTED].all() for each in shifted]) > 0.95
    assert np.mean([each.any() for each in same]) < 0.10


def test_false_alarms_of_pairs_keep_the_rate():
    alarms = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        before = np.abs(rng.normal(size=(60, 12)))
        alarms.append(paired_shifts(before, before + rng.normal(size=(60, 12)), seed=seed, draws=399).found.any())
    assert np.mean(alarms) < 0.10


def test_one_feature_has_the_p_value_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 1)), rng.normal(0.6, 2, size=(40, 1))
    found = independent_shifts(a, b, seed=0)
    welch = scipy.stats.ttest_ind(b[:, 0], a[:, 0], equal_var=False, method=scipy.stats.PermutationMethod(4999))
    assert found.p[0] == pytest.approx(welch.pvalue, abs=0.02)
    pairs = paired_shifts(a, a + 0.2 + 0.5 * rng.normal(size=a.shape), seed=0)
    assert pairs.p[0] < 0.2


def test_p_values_of_many_features_are_those_of_the_largest_statistic():
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(50, 1)), rng.normal(0.5, 1, size=(50, 1))
    alone = independent_shifts(one, other, seed=0).p[0]
    copies = independent_shifts(np.tile(one, 20), np.tile(other, 20), seed=0).p
    assert copies == pytest.approx(np.full(20, alone))  # twenty times the same feature asks nothing more
    noise = [np.concatenate([part, rng.normal(size=(50, 19))], axis=1) for part in (one, other)]
    assert independent_shifts(*noise, seed=0).p[0] > 3 * alone


def test_effects_are_those_of_their_formulas():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(12, 3)), rng.normal(1, 1, size=(15, 3))
    spread = np.sqrt((11 * a.var(axis=0, ddof=1) + 14 * b.var(axis=0, ddof=1)) / 25)
    g = (b.mean(axis=0) - a.mean(axis=0)) / spread * (1 - 3 / (4 * 27 - 9))
    np.testing.assert_allclose(independent_shifts(a, b, seed=0, draws=9).effect, g)
    d = b[:12] - a
    np.testing.assert_allclose(paired_shifts(a, b[:12], seed=0, draws=9).effect, d.mean(axis=0) / d.std(axis=0, ddof=1))


def test_a_feature_without_spread_is_not_tested_and_undefined_examples_are_left_out():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(20, 2)), rng.normal(size=(20, 2))
    a[:, 1] = b[:, 1] = 1.0
    a[0, 0] = np.nan
    found = independent_shifts(a, b, seed=0, draws=99)
    assert np.isnan(found.p[1])
    assert not found.found[1]
    assert found.before[0] == pytest.approx(a[1:, 0].mean())
