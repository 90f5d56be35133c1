from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from scipy import stats

from xaiexp.statistics.concordance import alpha_interval, krippendorff_alpha
from xaiexp.statistics.resampling import resample_counts

NAN = float("nan")


def by_definition(ratings):
    """Krippendorff 2011, section E, in loops over pairs of ratings."""
    units = [[v for v in column if np.isfinite(v)] for column in np.asarray(ratings, dtype=float).T]
    units = [unit for unit in units if len(unit) > 1]
    everything = [v for unit in units for v in unit]
    n, levels = len(everything), sorted(set(everything))
    count = {v: everything.count(v) for v in levels}

    def distance(a, b):
        low, high = min(a, b), max(a, b)
        return (sum(count[g] for g in levels if low <= g <= high) - (count[low] + count[high]) / 2) ** 2

    def pairs(values):
        return [distance(a, b) for i, a in enumerate(values) for j, b in enumerate(values) if i != j]

    observed = sum(sum(pairs(unit)) / (len(unit) - 1) for unit in units) / n
    return 1 - observed / (sum(pairs(everything)) / (n * (n - 1)))


@pytest.mark.parametrize("seed", range(4))
def test_alpha_equals_its_definition_in_loops(seed):
    rng = np.random.default_rng(seed)
    ratings = rng.integers(1, 6, (7, 9)).astype(float)
    ratings[rng.random((7, 9)) < 0.15] = NAN
    assert krippendorff_alpha(ratings) == pytest.approx(by_definition(ratings), abs=1e-12)


def test_alpha_equals_the_published_example():
    # Krippendorff 2011, section C: four observers, twelve units; ordinal alpha 0.815.
    ratings = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
            [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
        ]
    )
    assert krippendorff_alpha(ratings) == pytest.approx(0.815, abs=5e-4)


def test_alpha_is_one_for_equal_rankings_and_near_zero_for_noise():
    rng = np.random.default_rng(0)
    values = np.arange(5)[:, None] + 0.1 * rng.random((5, 30))
    assert alpha_interval(values, True, seed=0) == pytest.approx((1, 1, 1))
    alpha, low, high = alpha_interval(rng.normal(size=(6, 200)), True, seed=0)
    assert low < 0 < high
    assert abs(alpha) < 0.05


def test_the_interval_of_alpha_contains_alpha_and_covers_its_population_value():
    rng = np.random.default_rng(4)
    covered = 0
    truth = alpha_interval(rng.normal(size=(5, 20000)) + np.arange(5)[:, None] / 2, True, seed=0, resamples=2)[0]
    for seed in range(100):
        values = rng.normal(size=(5, 25)) + np.arange(5)[:, None] / 2
        alpha, low, high = alpha_interval(values, True, seed=seed, resamples=300)
        assert low < alpha < high
        covered += low <= truth <= high
    assert covered >= 85


def weighted_alpha(ratings, times):
    """Alpha of raters that were drawn several times, in loops; copies of one rater are not a pair."""
    raters, units = ratings.shape
    levels = sorted(set(ratings.ravel()))
    count = {v: sum(times[i] for i in range(raters) for u in range(units) if ratings[i, u] == v) for v in levels}
    n = sum(count.values())

    def distance(a, b):
        low, high = min(a, b), max(a, b)
        return (sum(count[g] for g in levels if low <= g <= high) - (count[low] + count[high]) / 2) ** 2

    observed = 0.0
    for u in range(units):
        pairs = [(i, j) for i in range(raters) for j in range(raters) if i != j]
        weight = sum(times[i] * times[j] for i, j in pairs)
        if weight:
            total = sum(times[i] * times[j] * distance(ratings[i, u], ratings[j, u]) for i, j in pairs)
            observed += sum(times) * total / weight
    expected = sum(count[a] * count[b] * distance(a, b) for a in levels for b in levels)
    return 1 - (n - 1) * observed / expected


def test_the_interval_of_alpha_equals_the_bootstrap_in_loops():
    values = np.random.default_rng(6).normal(size=(4, 9)) + np.arange(4)[:, None] / 2
    ratings = stats.rankdata(-values, axis=0).T
    alphas = [weighted_alpha(ratings, times) for times in resample_counts(np.random.default_rng([5, 9]), 40, 9)]
    _, low, high = alpha_interval(values, True, seed=5, resamples=40)
    assert (low, high) == pytest.approx(tuple(np.quantile(alphas, [0.025, 0.975])), abs=1e-12)


def test_alpha_is_invariant_under_direction_and_monotone_transforms():
    values = np.random.default_rng(1).normal(size=(5, 40)) + np.arange(5)[:, None] / 2
    straight = alpha_interval(values, True, seed=3)
    assert alpha_interval(values, False, seed=3) == pytest.approx(straight)
    assert alpha_interval(np.exp(values), True, seed=3) == pytest.approx(straight)


def test_alpha_is_nan_without_a_ranking():
    assert np.isnan(alpha_interval(np.ones((4, 10)), True, seed=0)).all()
    assert np.isnan(alpha_interval(np.ones((1, 10)), True, seed=0)).all()
    assert np.isnan(krippendorff_alpha(np.full((3, 4), NAN)))


def test_examples_with_undefined_values_are_left_out():
    values = np.random.default_rng(2).normal(size=(4, 30)) + np.arange(4)[:, None]
    more = np.concatenate([values, np.full((4, 5), NAN)], axis=1)
    assert alpha_interval(more, True, seed=0)[0] == pytest.approx(alpha_interval(values, True, seed=0)[0])


@pytest.mark.parametrize("seed", range(3))
def test_alpha_equals_that_of_the_package_krippendorff(seed):
    rng = np.random.default_rng(seed)
    ratings = rng.integers(1, 5, (6, 20)).astype(float)
    ratings[rng.random((6, 20)) < 0.2] = NAN
    want = krippendorff.alpha(reliability_data=ratings, level_of_measurement="ordinal")
    assert krippendorff_alpha(ratings) == pytest.approx(want, abs=1e-10)


def test_missing_cells_do_not_lower_alpha_of_equal_rankings():
    # Ranks among four and among five cells are not comparable.
    values = np.arange(5.0)[:, None] + 0.1 * np.random.default_rng(0).random((5, 30))
    values[4, :15] = NAN
    assert alpha_interval(values, True, seed=0) == pytest.approx((1, 1, 1))


def test_values_within_the_rounding_tolerance_tie_in_alpha():
    values = np.random.default_rng(3).normal(size=(2, 40)) + np.array([[3.0], [5.0]])
    copied, rounded = (np.concatenate([values, values[:1] * factor]) for factor in (1.0, 1 + 3e-7))
    assert alpha_interval(rounded, True, seed=0) == pytest.approx(alpha_interval(copied, True, seed=0))
