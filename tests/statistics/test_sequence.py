"""Intervals of mean differences that hold at every look."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xaiexp.statistics.sequence import FIRST_LOOK, ConfidenceSequence, fixed_intervals


def looked(differences, step, level=0.05):
    """The sequence after all looks that are due, with chunks of ``step`` examples."""
    sequence = ConfidenceSequence(len(differences), level, seed=0)
    for n in range(step, differences.shape[1] + 1, step):
        if sequence.due(n):
            sequence.look(differences[:, :n])
    return sequence


def test_looks_come_after_half_as_many_examples_again():
    sequence, looks = ConfidenceSequence(1, 0.05, seed=0), []
    differences = np.random.default_rng(0).normal(size=(1, 400))
    assert (sequence.low[0], sequence.high[0]) == (-np.inf, np.inf)
    for n in range(16, 401, 16):
        if sequence.due(n):
            sequence.look(differences[:, :n])
            looks.append(n)
    assert looks == [32, 48, 80, 128, 192, 288]
    assert looks[0] == FIRST_LOOK
    assert sequence.looks == 6


def test_the_levels_of_all_looks_add_up_to_the_level():
    assert sum(1 / (k * (k + 1)) for k in range(1, 10_000)) == pytest.approx(1, abs=1e-3)


def test_the_intervals_are_the_intersection_of_those_at_the_levels_of_the_looks():
    differences = np.random.default_rng(1).normal(size=(3, 96)) + 0.2
    parts = [fixed_intervals(differences[:, :n], 0.1 / (k * (k + 1)), 0) for k, n in enumerate((32, 64, 96), 1)]
    got = looked(differences, 32, level=0.1)
    np.testing.assert_array_equal(got.low, np.max([low for low, _ in parts], axis=0))
    np.testing.assert_array_equal(got.high, np.min([high for _, high in parts], axis=0))


def test_a_fixed_interval_of_one_normal_pair_is_about_that_of_the_t_test():
    differences = np.random.default_rng(2).normal(size=(1, 60))
    (low,), (high,) = fixed_intervals(differences, 0.05, 0)
    want = stats.ttest_1samp(differences[0], 0).confidence_interval()
    assert low <= want.low  # never shorter
    assert high >= want.high
    assert high - low == pytest.approx(want.high - want.low, rel=0.15)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, shape: rng.normal(size=shape),
        lambda rng, shape: rng.exponential(size=shape) - 1,
        lambda rng, shape: rng.exponential(size=shape) * (rng.random(shape) < 0.5) - 0.5,
    ],
    ids=["normal", "skew", "half zero"],
)
def test_at_most_5_percent_of_sequences_ever_miss_the_mean(draw):
    rng, count = np.random.default_rng(4), 120
    missed = 0
    for _ in range(count):
        got = looked(draw(rng, (1, 192)), 32)
        missed += bool(got.low[0] > 0 or got.high[0] < 0)
    # At 5 % more than 10 of 120 would be seen in 3 % of tests; a t test at 5 % at every look misses in 13 % and more.
    assert missed <= 10
