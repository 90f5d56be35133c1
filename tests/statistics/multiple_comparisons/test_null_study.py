"""How often tests separate cells of equal means, on scores like the observed ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xaiexp.statistics.multiple_comparisons.null_study import null_rate
from xaiexp.statistics.multiple_comparisons.simultaneous import any_separated, simultaneous


def pairs(values):
    i, j = np.triu_indices(len(values), 1)
    return values[i] - values[j]


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("n", [7, 12, 40])  # of 7 examples there are fewer sign flips than draws
def test_any_separated_is_the_decision_of_simultaneous(n, one_sided):
    rng, found = np.random.default_rng(n), set()
    for seed in range(40):
        differences = rng.normal(size=(rng.integers(1, 8), n)) + rng.choice([0, 0.3, 0.6])
        differences = np.round(differences) if seed % 3 == 0 else differences
        if seed % 4 == 0:
            differences[0] = 0.3  # constant
        options = {"seed": seed, "one_sided": one_sided, "draws": 199}
        want = bool(simultaneous(differences, **options).separated.any())
        assert any_separated(differences, **options) == want
        found.add(want)
    assert found == {True, False}


def test_the_rate_is_that_of_a_loop_over_centred_samples():
    rng = np.random.default_rng(3)
    values = rng.exponential(size=(3, 24)) + np.array([[0.0], [1.0], [3.0]])
    got = null_rate(pairs(values), seed=5, draws=60, inner=199)
    centred = values - values.mean(axis=1, keepdims=True)
    draw = np.random.default_rng([5, 24, 2])
    false = 0
    for k in range(60):
        chosen = draw.integers(24, size=24)
        false += bool(simultaneous(pairs(centred[:, chosen]), seed=5 + k, draws=199).separated.any())
    assert 0 < false < 20
    assert (got.rate, got.draws) == (false / 60, 60)
    interval = stats.binomtest(false, 60).proportion_ci()
    assert (got.low, got.high) == (interval.low, interval.high)


def test_a_difference_of_the_means_changes_nothing():
    values = np.random.default_rng(0).normal(size=(4, 32))
    shifted = values + np.arange(4)[:, None] * 8.0
    assert null_rate(pairs(values), seed=0, draws=100) == null_rate(pairs(shifted), seed=0, draws=100)


def test_the_rate_of_tests_that_err_too_often_is_above_their_level():
    # Tests at a level of 30 % where 5 % are promised; and what the tests of the verdicts do.
    differences = pairs(np.random.default_rng(1).normal(size=(4, 40)))
    assert null_rate(differences, seed=0, draws=150, level=0.3).low > 0.15
    assert null_rate(differences, seed=0, draws=150).low <= 0.05


def test_pairs_that_hardly_vary_are_left_out():
    differences = np.zeros((2, 40))
    differences[0, :9] = 1.0
    assert np.isnan(null_rate(differences, seed=0, draws=50).rate)
    differences[1, :10] = 1 + np.arange(10)
    assert null_rate(differences, seed=0, draws=50).draws == 50
    assert null_rate(differences, seed=0, draws=0).draws == 0


def test_a_level_of_a_part_of_a_percent_is_no_rate_of_zero():
    # Heavy tails and skew, where tests err too often at every level; 199 resamples have no 0.4 % quantile.
    values = np.random.default_rng(2).lognormal(sigma=2.0, size=(3, 16)) * np.array([[1.0], [4.0], [0.2]])
    assert null_rate(pairs(values), seed=0, draws=150, level=0.05 / 12).rate > 0.02
