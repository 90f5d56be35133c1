from __future__ import annotations

import numpy as np

from xaiexp.statistics.tolerance import ROUNDING, difference, merge_ties

NAN, INF = float("nan"), float("inf")


def test_a_difference_within_the_tolerance_is_zero():
    a = np.array([1.0, -2.0, 1e-9, 3.0])
    b = np.array([1.0 + ROUNDING / 2, -2.0 * (1 + ROUNDING / 2), 0.0, 1.0])
    assert difference(a, b).tolist() == [0.0, 0.0, 1e-9, 2.0]


def test_a_difference_with_an_undefined_value_is_nan():
    assert np.isnan(difference(np.array([NAN, 1.0, NAN]), np.array([1.0, NAN, NAN]))).all()


def test_ties_are_merged_to_the_smallest_value_of_each_column():
    values = np.array([[1.0, 5.0], [1.0 + ROUNDING / 2, 4.0], [2.0, 5.0 * (1 + ROUNDING / 2)]])
    assert merge_ties(values).tolist() == [[1.0, 5.0], [1.0, 4.0], [2.0, 5.0]]


def test_nan_and_infinite_values_are_kept():
    values = np.array([[NAN], [INF], [-INF], [1.0], [INF]])
    np.testing.assert_array_equal(merge_ties(values), values)
