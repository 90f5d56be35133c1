"""Compact letter display of tests of all pairs, and the ranks that the tests leave possible."""

from __future__ import annotations

import string
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_SETS", "compact_letters", "rank_sets"]

MOST_SETS = 4
"""Up to so many sets a cell are all kept; cells in the order of their means rarely have more than one each."""

_ALPHABET = string.ascii_lowercase + string.ascii_uppercase


def compact_letters(differs: NDArray[np.bool_], order: Sequence[int]) -> list[str]:
    """Letters such that two cells share one exactly where they do not differ (Piepho 2004, insert and absorb).

    Each letter stands for a largest possible set of cells of which no two differ. The letters are in the order of the
    best cell that carries them, so that ``a`` belongs to the first cell of ``order``. All of these sets may be
    exponentially many; beyond :data:`MOST_SETS` for each cell, the letters are those of a greedy cover of the pairs
    that do not differ, for which the same holds with fewer letters.

    Args:
        differs: bool ``[cells, cells]``, symmetric: whether a test separates two cells.
        order: the cells that get letters, best first.

    Returns:
        The letters of every cell; empty for a cell that is not in ``order``. After ``Z`` a letter has a dot in front.

    >>> b_differs_from_c = np.array([[False, False, False], [False, False, True], [False, True, False]])
    >>> compact_letters(b_differs_from_c, [0, 1, 2])
    ['ab', 'a', 'b']
    """
    out = [""] * len(differs)
    if not len(order):
        return out
    different = differs[np.ix_(order, order)]
    columns = _all_sets(different)
    if columns is None:
        columns = _cover(different)
    for number, column in enumerate(sorted(columns, key=sorted)):
        dots, place = divmod(number, len(_ALPHABET))
        for member in column:
            out[order[member]] += "." * dots + _ALPHABET[place]
    return out


def _all_sets(different: NDArray[np.bool_]) -> list[frozenset[int]] | None:
    """All largest sets of which no two differ; None where they become too many."""
    columns = [frozenset(range(len(different)))]
    for i, j in zip(*np.nonzero(np.triu(different, 1)), strict=True):
        split = [part for column in columns if {i, j} <= column for part in (column - {i}, column - {j})]
        kept = [column for column in columns if not {i, j} <= column]
        columns = kept + [
            part
            for k, part in enumerate(split)
            if not any(part <= other for other in kept) and not any(part < other for other in split)
            if part not in split[:k]
        ]
        if len(columns) > MOST_SETS * len(different):
            return None
    return columns


def _cover(different: NDArray[np.bool_]) -> list[frozenset[int]]:
    """Largest sets of which no two differ, as many as it takes for each such pair to share one."""
    shared = np.zeros(different.shape, dtype=bool)
    columns: list[frozenset[int]] = []
    for i in range(len(different)):
        for j in range(i, len(different)):
            if shared[i, j] or different[i, j]:
                continue
            members = [i] if i == j else [i, j]
            free: NDArray[np.bool_] = np.asarray(~different[members].any(axis=0))
            free[members] = False
            while free.any():
                member = int(free.argmax())
                members.append(member)
                free &= ~different[member]
                free[member] = False
            shared[np.ix_(members, members)] = True
            columns.append(frozenset(members))
    return [column for column in columns if not any(column < other for other in columns)]


def rank_sets(better: NDArray[np.bool_], ranked: Sequence[int]) -> NDArray[np.float64]:
    """The lowest and highest rank that tests of all pairs leave possible for each cell.

    A cell is at least behind the cells that are better, and at least ahead of those that are worse: its rank is within
    ``[1 + number better, M - number worse]`` of the M cells compared. Where no test is wrong, this contains the rank of
    the population mean; equal means share every rank that they take together.

    Args:
        better: bool ``[cells, cells]``, whether the cell of the row is significantly better than that of the column.
        ranked: the cells that are compared.

    Returns:
        float64 ``[2, cells]``: the lowest and the highest rank, 1 is the best; NaN for a cell that is not compared.
    """
    out = np.full((2, len(better)), np.nan)
    among = better[np.ix_(ranked, ranked)]
    out[:, list(ranked)] = 1 + among.sum(axis=0), len(ranked) - among.sum(axis=1)
    return out
