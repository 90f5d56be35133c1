"""Intervals for other examples and other seeds; those over examples alone are with the statistics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xaiexp.statistics import intervals
from xaiexp.statistics.intervals import bootstrap_interval, crossed_intervals

NAN = float("nan")


def effects(cells, examples, seeds, of_example, of_seed, of_both, draw=0):
    """Values ``[cells, examples, seeds]`` with mean 0 of a model of two random effects and their interaction."""
    rng = np.random.default_rng([draw, examples, seeds])
    return (
        of_example * rng.normal(size=(cells, examples, 1))
        + of_seed * rng.normal(size=(cells, 1, seeds))
        + of_both * rng.normal(size=(cells, examples, seeds))
    )


def with_holes(values, share, draw=0):
    out = values.copy()
    out[np.random.default_rng(draw).random(values.shape) < share] = NAN
    return out


def test_with_one_seed_it_is_the_interval_over_examples():
    values = effects(3, 25, 1, 1, 0, 0) ** 3
    values[1, :4] = NAN
    got = crossed_intervals(values, seed=7)
    for k in range(3):
        assert tuple(got[:, k]) == pytest.approx(bootstrap_interval(values[k, :, 0], seed=7), rel=1e-14)


def test_where_seeds_agree_it_is_the_interval_over_examples():
    rows = effects(1, 25, 1, 1, 0, 0)[0, :, 0] ** 3
    values = np.repeat(rows[None, :, None], 4, axis=2)
    want = bootstrap_interval(rows, seed=3)
    assert tuple(crossed_intervals(values, seed=3)[:, 0]) == pytest.approx(want, rel=1e-12)
    # Holes leave the mean alone; that seeds then stand for different examples makes the interval wider.
    values[0, ::5, 1] = NAN
    mean, low, high = crossed_intervals(values, seed=3)[:, 0]
    assert mean == pytest.approx(want[0], rel=1e-12)
    assert 1 < (high - low) / (want[2] - want[1]) < 1.2


def in_loops(values, confidence, resamples, seed):
    """The definition: every observation as often as its example times as often as its seed; then the stretching.

    Args:
        values: ``[examples, seeds]``, ascending by the means of both, with a positive mean.
    """
    n, s = values.shape
    observed = [(i, j) for i in range(n) for j in range(s) if np.isfinite(values[i, j])]
    part = {(i, j): 1 / sum(k == i for k, _ in observed) for i, j in observed}
    center = sum(part[o] * values[o] for o in observed) / n
    of_example = intervals._times(np.random.default_rng([seed, n]), resamples, n)
    of_seed = intervals._times(np.random.default_rng([seed, n, s]), resamples, s)
    drawn = []
    for v, w in zip(of_example, of_seed, strict=True):
        weight = {(i, j): v[i] * w[j] * part[i, j] for i, j in observed}
        drawn.append(sum(weight[o] * values[o] for o in observed) / sum(weight.values()) - center)
    by_example = [sum(part[o] * (values[o] - center) for o in observed if o[0] == i) / n for i in range(n)]
    by_seed = [sum(part[o] * (values[o] - center) for o in observed if o[1] == j) / n for j in range(s)]
    spread = [sum(v**2 for v in by_example), sum(v**2 for v in by_seed)]
    whole = [spread[0] * n / (n - 1), spread[1] * s / (s - 1)]
    freedom = sum(whole) ** 2 / (whole[0] ** 2 / (n - 1) + whole[1] ** 2 / (s - 1))
    upper = (1 + confidence) / 2
    normal = stats.norm.ppf(upper)
    wanted = stats.t.ppf(upper, freedom) / normal * (sum(whole) / sum(spread)) ** 0.5
    moved = stats.t.ppf(upper, n - 1) / normal * (n / (n - 1)) ** 0.5
    tail = stats.norm.cdf(-moved * normal)
    low, high = np.quantile(np.array(drawn) * wanted / moved, [tail, 1 - tail])
    return center, center + low, center + high


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_it_is_what_its_definition_says(share):
    values = 2 + effects(1, 9, 3, 1, 0.7, 1)[0]
    values = with_holes(values, share, draw=2)
    values = values[np.argsort(np.nanmean(values, axis=1))][:, np.argsort(np.nanmean(values, axis=0))]
    got = crossed_intervals(values[None], 0.9, 60, seed=5)[:, 0]
    assert got == pytest.approx(in_loops(values, 0.9, 60, 5), rel=1e-12)


def test_examples_that_one_seed_alone_has_are_drawn_with_it():
    values = np.full((12, 3), NAN)
    for i in range(12):
        values[i, i % 3] = 1 + i % 3 + 0.01 * i
    values = values[np.argsort(np.nanmean(values, axis=1))]
    got = crossed_intervals(values[None], 0.95, 200, seed=1)[:, 0]
    assert got[0] == pytest.approx(np.nanmean(values))
    assert got == pytest.approx(in_loops(values, 0.95, 200, 1), rel=1e-12)
    assert got[2] - got[1] > 1  # the seeds lie at 1, 2 and 3


def test_order_of_examples_and_seeds_and_the_direction_change_nothing():
    values = with_holes(0.1 + effects(2, 20, 4, 1, 0.5, 1) ** 3, 0.2)
    mean, low, high = crossed_intervals(values, seed=0)
    rng = np.random.default_rng(1)
    shuffled = values[:, rng.permutation(20)][:, :, rng.permutation(4)]
    np.testing.assert_allclose(crossed_intervals(shuffled, seed=0), [mean, low, high], rtol=1e-12)
    np.testing.assert_allclose(crossed_intervals(-values, seed=0), [-mean, -high, -low], rtol=1e-12)


def test_a_cell_has_the_interval_that_it_has_alone():
    values = with_holes(effects(6, 20, 3, 1, 0.5, 1), 0.2)
    values[2] = effects(1, 20, 3, 1, 1, 0)
    values[4, :5] = NAN
    together = crossed_intervals(values, seed=0)
    for k in range(6):
        np.testing.assert_allclose(crossed_intervals(values[k : k + 1], seed=0)[:, 0], together[:, k], rtol=1e-12)


def test_the_same_seed_draws_the_same_and_another_does_not():
    values = effects(1, 20, 3, 1, 1, 1)
    np.testing.assert_array_equal(crossed_intervals(values, seed=1), crossed_intervals(values, seed=1))
    assert not np.array_equal(crossed_intervals(values, seed=1), crossed_intervals(values, seed=2))


def test_where_there_is_no_interval_there_is_none():
    values = np.full((4, 8, 3), NAN)
    values[0, :, 1] = np.arange(8.0)  # one seed of three says nothing of others
    values[1, 5] = [1.0, 2.0, np.inf]
    values[2] = np.arange(24.0).reshape(8, 3)
    mean, low, high = crossed_intervals(values, seed=0)
    np.testing.assert_array_equal(mean, [3.5, 1.5, 11.5, NAN])
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [True, True, False, True]


def missed(values, **options):
    _, low, high = crossed_intervals(values, resamples=500, seed=0, **options)
    return float(np.mean((low > 0) | (high < 0)))


@pytest.mark.parametrize(("examples", "seeds"), [(16, 3), (16, 5), (64, 3), (64, 5)])
@pytest.mark.parametrize("deviations", [(1, 0, 0), (1, 0.25, 0.1), (1, 1, 1), (0.1, 1, 0.1)])
def test_it_holds_the_mean_of_other_examples_and_other_seeds_as_often_as_it_says(examples, seeds, deviations):
    values = effects(800, examples, seeds, *deviations)
    # 5 % of 800, four standard errors of room.
    assert missed(values) < 0.05 + 4 * (0.05 * 0.95 / 800) ** 0.5
    if deviations[1] == 1:
        # Over examples alone it is about these seeds, and more examples make it worse.
        assert missed(values.mean(axis=2, keepdims=True)) > 0.25


@pytest.mark.parametrize(("examples", "seeds"), [(16, 3), (64, 5)])
def test_where_seeds_are_noise_of_each_example_it_is_wider_than_needed_and_no_more_than_twice(examples, seeds):
    values = effects(200, examples, seeds, 1, 0, 1)
    _, low, high = crossed_intervals(values, resamples=500, seed=0)
    width = np.median(high - low) / (2 * 1.96 * ((1 + 1 / seeds) / examples) ** 0.5)
    assert 1 < width < 1.4
    assert missed(values) < 0.05
