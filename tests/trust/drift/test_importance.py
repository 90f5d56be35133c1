"""Sums of magnitudes over features that sets of maps share."""

from __future__ import annotations

import numpy as np
import pytest

from xaiexp.errors import MismatchError
from xaiexp.trust.drift.importance import grouped_maps


def test_tokens_sum_up_their_places_and_rare_ones_are_left_out():
    nan = np.nan
    before = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, nan], [1.0, nan, nan]])
    after = np.array([[1.0, -1.0, 0.5]] * 3)
    tokens = [[["a", "b", "a"], ["a", "c"], ["b"]], [["a", "b", "b"]] * 3]
    names, (first, second) = grouped_maps([before, after], "text", (3,), (), tokens)
    assert set(names) == {"a", "b"}  # c occurs in one example of six
    a, b = names.index("a"), names.index("b")
    np.testing.assert_allclose(first[:, [a, b]], [[4.0, 2.0], [4.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(second[:, [a, b]], [[1.0, 1.5]] * 3)


def test_regions_and_windows_add_up_to_the_whole():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(3, 20 * 12))
    names, (regions,) = grouped_maps([maps], "image", (20, 12), (), [])
    assert len(names) == 64
    np.testing.assert_allclose(regions.sum(axis=1), np.abs(maps).sum(axis=1))
    corner = np.abs(maps.reshape(3, 20, 12))[:, :2, :1].sum(axis=(1, 2))
    np.testing.assert_allclose(regions[:, names.index("rows 0-1, columns 0-0")], corner)
    names, (windows,) = grouped_maps([maps[:, :100]], "series", (100,), (), [])
    assert names[0] == "step 0"
    assert len(names) == 64
    np.testing.assert_allclose(windows.sum(axis=1), np.abs(maps[:, :100]).sum(axis=1))


def test_columns_keep_their_names_and_others_are_refused():
    maps = np.array([[1.0, -2.0]])
    names, (found,) = grouped_maps([maps], "table", (2,), ("x", "y"), [])
    assert names == ("x", "y")
    assert found.tolist() == [[1.0, 2.0]]
    with pytest.raises(MismatchError, match="there are 2 and 1 of them"):
        grouped_maps([maps, maps[:, :1]], "table", (2,), (), [])
    with pytest.raises(MismatchError, match="differ from example to example"):
        grouped_maps([np.array([[1.0, np.nan]])], "image", (2,), (), [])
    with pytest.raises(MismatchError, match="no token occurs in 5 examples"):
        grouped_maps([maps], "text", (2,), (), [[["a", "b"]]])
