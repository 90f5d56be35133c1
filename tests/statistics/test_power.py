from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from xaiexp.statistics.power import examples_needed, pairs_needed


@pytest.mark.parametrize(("effect", "count"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_the_number_of_examples_equals_published_tables(effect, count):
    # The paired t test in the tables of G*Power: two-sided level 0.05, power 0.8.
    assert examples_needed(1.0, effect).examples == count


@pytest.mark.parametrize(
    ("variance", "difference", "comparisons", "power"), [(4.0, 0.5, 10, 0.8), (0.3, -0.4, 1, 0.95)]
)
def test_the_number_of_examples_equals_that_of_statsmodels(variance, difference, comparisons, power):
    level = 0.05 / comparisons
    want = TTestPower().solve_power(abs(difference) / variance**0.5, power=power, alpha=level)
    got = examples_needed(variance, difference, comparisons=comparisons, power=power)
    assert got.examples == np.ceil(want)
    assert got.low == got.high == got.examples


def test_the_interval_of_a_pilot_covers_the_number_of_the_true_variance():
    truth = examples_needed(1.0, 0.4).examples
    covered = 0
    for draw in range(300):
        pilot = np.random.default_rng(draw).normal(size=12)
        got = examples_needed(float(pilot.var(ddof=1)), 0.4, pilot=12)
        assert got.low <= got.examples <= got.high
        covered += got.low <= truth <= got.high
    assert stats.binomtest(covered, 300, 0.95).pvalue > 0.001


def test_impossible_questions_are_refused():
    assert examples_needed(1.0, 1e-5).examples is None
    assert examples_needed(0.0, 1.0).examples == 6
    for wrong in ((-1.0, 0.5, None), (1.0, 0.0, None), (1.0, 0.5, 1), (float("nan"), 0.5, None)):
        with pytest.raises(ValueError, match="examples_needed"):
            examples_needed(wrong[0], wrong[1], pilot=wrong[2])


def test_the_pairs_of_a_pilot_are_those_with_the_median_and_the_largest_variance():
    random = np.random.default_rng(0)
    shared = random.normal(size=40)
    values = np.stack([shared + scale * random.normal(size=40) for scale in (0.1, 0.5, 2.0)])
    values[1, 3] = np.nan
    common = np.delete(values, 3, axis=1)
    of_pairs = {(i, j): np.var(common[i] - common[j], ddof=1) for i, j in ((0, 1), (0, 2), (1, 2))}
    largest = max(of_pairs, key=of_pairs.get)
    median = sorted(of_pairs, key=of_pairs.get)[1]
    found = pairs_needed(values, 0.3)
    for pair, want in zip(found, (median, largest), strict=True):
        assert (pair.left, pair.right, pair.pilot, pair.comparisons) == (*want, 39, 3)
        assert pair.variance == pytest.approx(of_pairs[want], rel=1e-9)
        power = TTestPower().solve_power(0.3 / of_pairs[want] ** 0.5, power=0.8, alpha=0.05 / 3)
        assert pair.needed.examples == np.ceil(power)
        assert pair.needed.low < pair.needed.examples < pair.needed.high


@pytest.mark.parametrize("values", [[[1.0, 2.0, 3.0]], [[1.0], [2.0]], [[np.nan] * 5, [1.0] * 5]])
def test_a_pilot_without_pairs_of_examples_and_cells_tells_nothing(values):
    assert pairs_needed(np.array(values), 0.3) is None
