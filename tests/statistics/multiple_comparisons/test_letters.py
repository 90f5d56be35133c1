from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from xaiexp.statistics.multiple_comparisons.letters import compact_letters, rank_sets


def symmetric(cells, pairs):
    out = np.zeros((cells, cells), dtype=bool)
    for i, j in pairs:
        out[i, j] = out[j, i] = True
    return out


def test_letters_equal_the_published_examples():
    # R package multcompView, help page of multcompLetters, examples 1 and 2: A-B, A-C not, B-C significant; then p
    # values .01, .02, .03 and 1 of a-b, a-c, b-d and a-d.
    assert compact_letters(symmetric(3, [(1, 2)]), [0, 1, 2]) == ["ab", "a", "b"]
    assert compact_letters(symmetric(4, [(0, 1), (0, 2), (1, 3)]), [0, 1, 2, 3]) == ["a", "b", "bc", "ac"]
    # R package cld, interpretation guide: pairwise Wilcoxon tests of chickwts, in the order of the names.
    casein, horsebean, linseed, meatmeal, soybean, sunflower = range(6)
    significant = [
        (casein, horsebean), (casein, linseed), (casein, soybean), (horsebean, meatmeal), (horsebean, soybean),
        (horsebean, sunflower), (linseed, sunflower), (soybean, sunflower),
    ]  # fmt: skip
    letters = compact_letters(symmetric(6, significant), range(6))
    assert letters == ["a", "b", "bc", "ac", "c", "a"]


@pytest.mark.parametrize("seed", range(20))
def test_letters_are_the_maximal_sets_of_cells_that_do_not_differ(seed):
    rng = np.random.default_rng(seed)
    differs = np.triu(rng.random((7, 7)) < rng.random(), 1)
    differs |= differs.T
    order = rng.permutation(7).tolist()
    letters = compact_letters(differs, order)
    free = [
        set(chosen)
        for size in range(1, 8)
        for chosen in itertools.combinations(range(7), size)
        if not differs[np.ix_(chosen, chosen)].any()
    ]
    maximal = [chosen for chosen in free if not any(chosen < other for other in free)]
    of_letter = [{i for i in range(7) if letter in letters[i]} for letter in sorted(set("".join(letters)))]
    assert sorted(map(sorted, of_letter)) == sorted(map(sorted, maximal))
    assert letters[order[0]].startswith("a")
    for i, j in itertools.combinations(range(7), 2):
        assert bool(set(letters[i]) & set(letters[j])) == (not differs[i, j])


def test_more_letters_than_the_alphabet_get_a_dot():
    everything = ~np.eye(54, dtype=bool)
    letters = compact_letters(everything, range(54))
    assert letters[25:28] == ["z", "A", "B"]
    assert letters[51:] == ["Z", ".a", ".b"]


def test_cells_without_a_rank_have_no_letters_and_no_ranks():
    assert compact_letters(symmetric(3, [(0, 2)]), [2, 0]) == ["b", "", "a"]
    better = np.zeros((3, 3), dtype=bool)
    better[2, 0] = True
    np.testing.assert_array_equal(rank_sets(better, [0, 2]), [[2, np.nan, 1], [2, np.nan, 1]])
    assert compact_letters(np.zeros((2, 2), dtype=bool), []) == ["", ""]


@pytest.mark.parametrize("seed", range(5))
def test_rank_sets_contain_every_order_that_the_tests_allow(seed):
    rng = np.random.default_rng(seed)
    quality = rng.random(5)
    better = (quality[:, None] > quality[None]) & (rng.random((5, 5)) < 0.5)
    low, high = rank_sets(better, range(5))
    for order in itertools.permutations(range(5)):
        place = {cell: rank for rank, cell in enumerate(order, start=1)}
        if all(place[i] < place[j] for i, j in zip(*np.nonzero(better), strict=True)):
            assert all(low[cell] <= rank <= high[cell] for cell, rank in place.items())
    assert (low == 1 + better.sum(axis=0)).all()


def _parts(letters: str) -> set[str]:
    """The letters of a cell, each with its dots."""
    return set(re.findall(r"\.*[a-zA-Z]", letters))


@pytest.mark.parametrize("cells", [40, 200])
def test_letters_of_many_cells_that_overlap_without_order_are_found_and_right(cells):
    """All largest sets of which no two differ would be exponentially many here."""
    rng = np.random.default_rng(0)
    differs = np.triu(rng.random((cells, cells)) < 0.3, 1)
    differs |= differs.T
    letters = [_parts(each) for each in compact_letters(differs, list(range(cells)))]
    for i in range(cells):
        assert letters[i]
        for j in range(i):
            assert bool(letters[i] & letters[j]) != differs[i, j]
