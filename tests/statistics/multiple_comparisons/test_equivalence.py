"""What intervals show: different, equal within a margin, or neither."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from xaiexp.statistics.multiple_comparisons.equivalence import shown, within
from xaiexp.statistics.multiple_comparisons.simultaneous import simultaneous


@pytest.mark.parametrize("margin", [0.05, 0.2, 0.4, 0.8])
def test_one_pair_is_equal_where_two_one_sided_t_tests_at_half_the_level_reject(margin):
    rng = np.random.default_rng(0)
    found = []
    for shift in np.linspace(-0.5, 0.5, 21):
        a, b = rng.normal(size=(2, 30)) * 0.5
        b = b + shift
        family = simultaneous((a - b)[None], seed=0)
        equal = bool(within(family.low, family.high, margin)[0])
        assert equal == (ttost_paired(a, b, -margin, margin)[0] < 0.025)
        found.append(equal)
    assert margin not in (0.2, 0.4) or 0 < sum(found) < len(found)


def test_a_difference_is_shown_whatever_the_margin_and_nothing_is_equal_without_one():
    low, high = np.array([0.1, -0.1, -0.1, np.nan]), np.array([0.15, 0.1, 0.3, np.nan])
    assert shown(low, high) == ["different", "unknown", "unknown", "unknown"]
    assert shown(low, high, 0.2) == ["different", "equal", "unknown", "unknown"]
    assert within(low, high, 0.2).tolist() == [True, True, False, False]


def test_cells_that_differ_by_the_margin_are_called_equal_in_at_most_5_percent():
    # Ten pairs at the edge of the margin: the chance that any is called equal.
    rng, false = np.random.default_rng(1), 0
    for draw in range(300):
        differences = rng.normal(size=(10, 40)) * 0.5 + 0.3
        family = simultaneous(differences, seed=draw, draws=199)
        false += bool(within(family.low, family.high, 0.3).any())
    assert false <= 0.05 * 300
