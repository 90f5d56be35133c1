"""How much each feature of an example counts: the magnitude of its attribution, by names that two studies share."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xaiexp.core.ids import CellId
from xaiexp.errors import MismatchError
from xaiexp.trust.finished import Finished

__all__ = ["Importance", "grouped_maps", "importances", "relative"]

FloatArray = NDArray[np.float64]

REGIONS = 8
"""Regions of an image along each side; windows of a series are its square."""
LEAST = 5
"""Examples of both studies together in which a token must occur."""
_MOST_TOKENS = 200


@dataclass(frozen=True)
class Importance:
    """The importance of the same features in two studies.

    Args:
        names: of the features: columns, tokens, regions or windows.
        before, after: float64 ``[N, F]`` and ``[M, F]``: sums of the magnitudes of attributions, by example.
    """

    names: tuple[str, ...]
    before: FloatArray
    after: FloatArray


def importances(before: Finished, after: Finished, cell: CellId) -> Importance:
    """The importance of the features that two studies have in common, for one cell.

    Columns of tables are features by themselves. A token of a text sums up its places in the example and is 0 in an
    example without it; tokens in fewer than five examples are left out. Pixels are summed up in 8 x 8 regions, steps of
    a series in 64 windows.

    Raises:
        MismatchError: the features of the studies are others, or differ from example to example.
    """
    names, columns = before.feature_names, after.feature_names
    if set(names) != set(columns):
        only = sorted(set(names) ^ set(columns))
        raise MismatchError("drift", f"the studies have other columns: {', '.join(only)} in one alone")
    maps = [before.maps(cell), after.maps(cell)]
    if names and names != columns and maps[1].shape[1] == len(columns):
        maps[1] = maps[1][:, [columns.index(name) for name in names]]
    modality = before.record.study.modality
    tokens = [before.tokens, after.tokens] if modality == "text" else []
    shape = tuple(before.result.attributions(cell.method, cell.baseline).shape[1:])
    grouped, summed = grouped_maps(maps, modality, shape, names, tokens)
    return Importance(grouped, *summed)


def grouped_maps(
    maps: Sequence[FloatArray],
    modality: str,
    shape: tuple[int, ...],
    names: Sequence[str],
    tokens: Sequence[Sequence[Sequence[str]]],
) -> tuple[tuple[str, ...], list[FloatArray]]:
    """Sums of the magnitudes of several sets of maps over features that all sets share, as :func:`importances` says.

    Args:
        maps: float64 ``[N, d]`` each, NaN beyond the features of an example.
        modality: of the inputs.
        shape: of the features of an example, ``(H, W)`` for pixels.
        names: of the columns of a table; empty elsewhere.
        tokens: texts: of every map of each set; empty elsewhere.

    Returns:
        The names of F features, and float64 ``[N, F]`` of each set.

    Raises:
        MismatchError: the features differ from example to example, or between the sets.
    """
    magnitudes = [np.abs(each) for each in maps]
    if modality == "text":
        return _tokens(magnitudes, tokens)
    if any(np.isnan(each).any() for each in magnitudes):
        what = "the features differ from example to example, and have no names to compare them by"
        raise MismatchError("features", what, hint="features=grid")
    if len({each.shape[1] for each in magnitudes}) > 1:
        counts = " and ".join(str(each.shape[1]) for each in magnitudes)
        raise MismatchError("features", f"there are {counts} of them", hint="the same features in all studies")
    if modality == "table":
        count = magnitudes[0].shape[1]
        return tuple(names) or tuple(f"column {i}" for i in range(count)), magnitudes
    if len(shape) == 2 and modality == "image":
        return _regions(magnitudes, (shape[0], shape[1]))
    return _windows(magnitudes, "step" if modality == "series" else "feature")


def relative(importance: Importance) -> Importance:
    """Importance as a share of that of all features of the example; NaN where all of it is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = [each / each.sum(axis=1, keepdims=True) for each in (importance.before, importance.after)]
    return Importance(importance.names, *parts)


def _tokens(
    maps: Sequence[FloatArray], tokens: Sequence[Sequence[Sequence[str]]]
) -> tuple[tuple[str, ...], list[FloatArray]]:
    occurring = Counter(token for each in tokens for words in each for token in set(words) if token)
    names = [token for token, count in occurring.most_common(_MOST_TOKENS) if count >= LEAST]
    if not names:
        raise MismatchError("features", f"no token occurs in {LEAST} examples", hint="more examples")
    place = {name: i for i, name in enumerate(names)}
    summed = []
    for values, listed in zip(maps, tokens, strict=True):
        rows = np.zeros((len(values), len(names)))
        for i, words in enumerate(listed):
            for j, word in enumerate(words):
                if word in place and np.isfinite(values[i, j]):
                    rows[i, place[word]] += values[i, j]
        summed.append(rows)
    return tuple(names), summed


def _regions(maps: Sequence[FloatArray], shape: tuple[int, int]) -> tuple[tuple[str, ...], list[FloatArray]]:
    """Sums over regions of an image, ``[N, 64]`` or fewer."""
    bounds = [np.linspace(0, side, min(REGIONS, side) + 1).astype(int) for side in shape]
    names = [
        f"rows {top}-{bottom - 1}, columns {left}-{right - 1}"
        for top, bottom in zip(bounds[0][:-1], bounds[0][1:], strict=True)
        for left, right in zip(bounds[1][:-1], bounds[1][1:], strict=True)
    ]
    summed = []
    for values in maps:
        by_rows = np.add.reduceat(values.reshape(-1, *shape), bounds[0][:-1], axis=1)
        summed.append(np.add.reduceat(by_rows, bounds[1][:-1], axis=2).reshape(len(values), -1))
    return tuple(names), summed


def _windows(maps: Sequence[FloatArray], word: str) -> tuple[tuple[str, ...], list[FloatArray]]:
    length = maps[0].shape[1]
    bounds = np.linspace(0, length, min(REGIONS**2, length) + 1).astype(int)
    names = [
        f"{word} {start}" if stop - start == 1 else f"{word}s {start}-{stop - 1}"
        for start, stop in itertools.pairwise(bounds)
    ]
    return tuple(names), [np.add.reduceat(values, bounds[:-1], axis=1) for values in maps]
