from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from xaiexp.statistics.multiple_comparisons.simultaneous import simultaneous
from xaiexp.statistics.resampling import MIN_VARYING


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_a_family_of_one_is_the_t_test_and_its_interval():
    differences = normal(1, 20) + 0.3
    got = simultaneous(differences, seed=0)
    assert (got.low[0], got.high[0]) == pytest.approx(DescrStatsW(differences[0]).tconfint_mean())
    assert got.p[0] == pytest.approx(stats.ttest_1samp(differences[0], 0).pvalue)
    one = simultaneous(differences, seed=0, one_sided=True)
    want = stats.ttest_1samp(differences[0], 0, alternative="greater")
    assert (one.low[0], one.high[0]) == pytest.approx(tuple(want.confidence_interval()))
    assert one.p[0] == pytest.approx(want.pvalue)


def test_sign_flips_of_few_examples_equal_the_loop_over_all_of_them():
    differences = normal(3, MIN_VARYING - 2) + 1  # fewer examples than the bootstrap needs
    n = differences.shape[1]
    residuals = differences - differences.mean(axis=1, keepdims=True)
    largest = []
    for signs in itertools.product([-1, 1], repeat=n):
        flipped = residuals * signs
        deviations = [row.std(ddof=1) for row in flipped]
        t = [
            row.mean() / (s * math.sqrt((n - 1) / n) / math.sqrt(n)) for row, s in zip(flipped, deviations, strict=True)
        ]
        largest.append(max(map(abs, t)))
    reached = math.floor(0.05 * (2**n + 1))
    got = simultaneous(differences, seed=0)
    assert got.critical == pytest.approx(sorted(largest)[-reached])
    t = differences.mean(axis=1) / (differences.std(axis=1, ddof=1) / math.sqrt(n))
    for p, statistic in zip(got.p, t, strict=True):
        assert p == pytest.approx((1 + sum(value >= statistic - 1e-12 for value in largest)) / (2**n + 1))


@pytest.mark.parametrize("one_sided", [False, True])
def test_p_is_at_most_the_level_exactly_where_the_interval_excludes_zero(one_sided):
    differences = normal(12, 24) + np.linspace(-1.5, 1.5, 12)[:, None]
    got = simultaneous(differences, seed=1, one_sided=one_sided)
    assert 0 < got.separated.sum() < 10
    np.testing.assert_array_equal(got.p <= 0.05, got.separated)
    np.testing.assert_array_equal((got.low > 0) | (got.high < 0), got.separated)


def test_the_critical_value_of_independent_normal_differences_is_that_of_their_largest_t():
    # The largest of 10 independent t statistics: (1 - tail)^10 = 0.95.
    got = simultaneous(normal(10, 400), seed=0)
    assert got.critical == pytest.approx(stats.t.isf((1 - 0.95**0.1) / 2, 399), rel=0.05)
    equal = simultaneous(np.repeat(normal(1, 400), 10, axis=0), seed=0)
    assert equal.critical == pytest.approx(stats.t.isf(0.025, 399), rel=0.05)


def test_skewed_differences_get_a_larger_critical_value_than_sign_flips_give():
    skewed = np.random.default_rng(0).lognormal(size=(6, 20)) * np.geomspace(1, 10, 6)[:, None]
    assert simultaneous(skewed, seed=0).critical > 1.3 * simultaneous(normal(6, 20), seed=0).critical


def test_constant_differences_are_certain_and_do_not_count():
    differences = np.concatenate([normal(2, 16), np.full((1, 16), 0.5), np.zeros((1, 16))])
    got = simultaneous(differences, seed=0)
    assert (got.low[2], got.high[2], got.p[2], bool(got.separated[2])) == (0.5, 0.5, 0.0, True)
    assert (got.low[3], got.high[3], got.p[3], bool(got.separated[3])) == (0.0, 0.0, 1.0, False)
    assert got.critical == simultaneous(differences[:2], seed=0).critical


def test_a_pair_that_differs_on_few_examples_does_not_spoil_the_family():
    rare = np.zeros((1, 64))
    rare[0, :2] = 1.0
    others = normal(5, 64)
    assert simultaneous(np.concatenate([others, rare]), seed=0).critical < 3.5
    assert not simultaneous(np.concatenate([others, rare]), seed=0).separated[-1]


@pytest.mark.parametrize(("n", "pairs"), [(10, 1), (30, 15)])
def test_the_detectable_difference_is_found_with_a_power_of_eighty_percent(n, pairs):
    family = simultaneous(normal(pairs, n, seed=3), seed=0)
    deviation = family.detectable[0] / 1.0
    spread = normal(pairs, n, seed=3)[0].std(ddof=1)
    draws = normal(20000, n, seed=4) * spread + deviation
    t = draws.mean(axis=1) / (draws.std(axis=1, ddof=1) / math.sqrt(n))
    assert (t > family.critical).mean() == pytest.approx(0.8, abs=0.015)
