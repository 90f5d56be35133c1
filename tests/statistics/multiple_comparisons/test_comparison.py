from __future__ import annotations

import numpy as np
import pytest

from xaiexp.statistics.multiple_comparisons.comparison import better_for_other_seeds, better_than, compare
from xaiexp.statistics.multiple_comparisons.simultaneous import simultaneous
from xaiexp.statistics.significance import crossed_tests

NAN = float("nan")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_letters_better_and_intervals_say_the_same():
    values = normal(6, 40) + np.array([0.0, 0.1, 0.2, 1.0, 1.1, 2.0])[:, None]
    got = compare(values, True, seed=0)
    assert got.order[0] == 5
    for i, j in zip(got.pairs.left, got.pairs.right, strict=True):
        pair = got.pair(i, j)
        excludes = got.pairs.low[pair] > 0 or got.pairs.high[pair] < 0
        assert excludes == got.separated(i, j) == (not set(got.letters[i]) & set(got.letters[j]))
        assert excludes == (got.pairs.p_adjusted[pair] <= 0.05)
        assert got.pairs.difference[pair] == pytest.approx(values[i].mean() - values[j].mean())
        if excludes:
            assert got.better[i, j] == (values[i].mean() > values[j].mean())
    np.testing.assert_array_equal(got.ranks[0], 1 + got.better.sum(axis=0))
    np.testing.assert_array_equal(got.ranks[1], 6 - got.better.sum(axis=1))


def test_direction_reverses_the_comparison():
    values = normal(3, 40) * 0.1 + np.array([[1.0], [2.0], [3.0]])
    up, down = compare(values, True, seed=0), compare(values, False, seed=0)
    assert up.order == (2, 1, 0)
    assert down.order == (0, 1, 2)
    np.testing.assert_array_equal(up.better, down.better.T)
    assert up.letters == ("c", "b", "a")


def test_the_order_of_neighbours_that_no_test_supports_separates_nothing():
    # A chain of means, grouped at the first significant pair, put ">" between c and d here.
    shared = normal(1, 32)
    values = np.array([[0.4], [0.4], [0.4], [0.0], [0.0], [0.0]]) + shared + 0.4 * normal(6, 32, seed=1)
    got = compare(values, True, seed=0)
    for i in range(3):
        assert not got.better[i, :3].any()
        assert not got.better[3 + i, 3:].any()
    false = sum(
        compare(np.repeat([0.4, 0.0], 3)[:, None] + normal(6, 32, seed=s), True, seed=0).better[np.ix_(k, k)].any()
        for s in range(60)
        for k in ([0, 1, 2], [3, 4, 5])
    )
    assert false <= 8  # of 60 families at 5 %; groups of the means gave 30


def test_cells_are_compared_on_the_examples_where_all_ranked_cells_are_defined():
    easy = np.repeat([0.0, 10.0], 20)
    values = np.stack([easy, easy + 1, easy - 5]) + 0.1 * normal(3, 40)
    values[0, :8] = NAN  # the hard examples are missing, which raises the mean above that of the second cell
    got = compare(values, True, seed=0)
    assert np.nanmean(values[0]) > np.nanmean(values[1])
    assert got.ranked == (0, 1, 2)
    assert got.common.sum() == 32
    assert got.order == (1, 0, 2)
    assert got.better[1, 0]
    assert got.pairs.n.tolist() == [32] * 3
    np.testing.assert_allclose(got.means, values[:, 8:].mean(axis=1))


def test_a_cell_that_is_defined_on_fewer_than_four_fifths_has_no_rank():
    values = normal(3, 40)
    values[0, :9] = NAN
    values[:, 39] = NAN  # undefined for all cells: this example does not count
    got = compare(values, True, seed=0)
    assert got.ranked == (1, 2)
    assert got.letters[0] == ""
    assert np.isnan(got.ranks[:, 0]).all()
    uncorrected = [got.pair(0, 1), got.pair(0, 2)]
    assert np.isnan(got.pairs.p_adjusted[uncorrected]).all()
    assert np.isfinite(got.pairs.p[uncorrected]).all()
    assert got.pairs.n.tolist() == [30, 30, 39]
    values[0, 7:9] = 1.0  # 32 of 39
    assert compare(values, True, seed=0).ranked == (0, 1, 2)


def test_without_common_examples_nothing_is_separated():
    values = np.stack([np.arange(10.0), np.arange(10.0) + 5])
    values[0, :2] = values[1, -2:] = NAN
    assert compare(values, True, seed=0).letters == ("b", "a")
    few = compare(values[:, :5], True, seed=0)
    assert few.letters == ("", "")
    assert not few.better.any()
    empty = compare(np.full((2, 8), NAN), True, seed=0)
    assert empty.ranked == empty.order == ()
    assert not empty.common.any()


def test_many_to_one_tests_are_one_sided_and_include_what_all_pairs_separate():
    values = normal(8, 24) + np.linspace(0, 1.2, 8)[:, None]
    got = compare(values, True, seed=0)
    above = better_than(values, got, 0, True, seed=0, others=range(1, 8))
    family = simultaneous(values[1:] - values[0], seed=0, one_sided=True)
    assert above == [i for i in range(1, 8) if family.separated[i - 1]]
    of_pairs = [i for i in range(1, 8) if got.better[i, 0]]
    assert set(of_pairs) < set(above)
    assert better_than(-values, compare(-values, False, seed=0), 0, False, seed=0, others=range(1, 8)) == above


def test_better_for_other_seeds_are_the_crossed_tests_of_the_ranked_cells():
    values = normal(3, 20, 4) * 0.2 + np.array([0.0, 1.0, 2.0])[:, None, None]
    values[1] = NAN
    got = compare(np.where(np.isnan(values).all(axis=2), NAN, values.mean(axis=2)), True, seed=0)
    beyond = better_for_other_seeds(values, got, True)
    assert crossed_tests(values[[0, 2]]).p_adjusted[0] <= 0.05
    assert beyond.tolist() == [[False, False, False], [False, False, False], [True, False, False]]


@pytest.mark.parametrize(("draws", "least", "most"), [(1, 0.4, 0.65), (4, 0.67, 0.9), (20, 0.75, 0.95)])
def test_a_control_that_is_averaged_over_draws_lets_more_cells_be_found(draws, least, most):
    # Eleven cells whose difference to one draw of the control is half its standard deviation. Measured: 57, 76 and
    # 84 %; all pairs with one draw find 20 %.
    found = []
    for seed in range(40):
        values = normal(12, 32, seed=seed) + 0.5 * 2**0.5
        values[11] = normal(draws, 32, seed=1000 + seed).mean(axis=0)
        got = compare(values, True, seed=seed)
        found.append(len(better_than(values, got, 11, True, seed=seed, others=range(11))) / 11)
    assert least <= np.mean(found) <= most


def test_a_single_ranked_cell_has_neither_letter_nor_rank():
    for values in (normal(1, 20), np.concatenate([normal(1, 20), np.full((1, 20), NAN)])):
        got = compare(values, True, seed=0)
        assert got.ranked == (0,)
        assert set(got.letters) == {""}
        assert np.isnan(got.ranks).all()
