"""Which examples of a dataset a study explains: a seeded draw, stratified by class, or the first ones."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xaiexp.core.samples import Source
from xaiexp.errors import printable

__all__ = ["Selection", "compact", "drawn_order", "selected"]

_LISTED = 4
"""The most classes whose counts are listed one by one."""


@dataclass(frozen=True)
class Selection:
    """The examples of a study.

    Args:
        rows: int64 ``[N]``, their numbers in the dataset, in the order in which they are explained.
        class_counts: name of each class of the dataset to the number of chosen examples; None where labels are not
            known beforehand, or no classes. Examples without a label are not counted.
        words: how many there are, how they were chosen, and of which classes.
        warning: why they are no sample of the dataset; empty where nothing is known against it.
    """

    rows: NDArray[np.int64]
    class_counts: Mapping[str, int] | None
    words: str
    warning: str = ""

    def as_bound(self) -> Selection:
        """The same examples, of which a study may read only the first."""
        return replace(self, words=f"at most {self.words.removeprefix('all ')}")


def selected(source: Source, limit: int | None, seed: int | None) -> Selection:
    """Choose the examples of a study.

    Args:
        source: the opened dataset. Its inputs are not read.
        limit: how many; None for all.
        seed: of the draw, of which the first are taken; None for the order of the dataset.
    """
    total = source.count
    count = total if limit is None else min(limit, total)
    classes = _classes(source)
    rows = np.arange(count) if seed is None else drawn_order(total, classes, seed)[:count]
    chosen = None if classes is None else classes[rows]
    words = f"all {total} examples" if count == total else f"{count} of {total} examples"
    if count < total:
        how = ", stratified by class" if classes is not None else ""
        words += ", the first ones" if seed is None else f", drawn with example_seed={seed}{how}"
    if classes is None or chosen is None:
        return Selection(rows, None, words)
    counts = _counts(classes, chosen, source.class_names)
    known = f"{words}: {_in_words(counts)}" if counts else words
    return Selection(rows, counts, known, _warning(classes, chosen, len(counts), seed is not None))


def drawn_order(count: int, classes: NDArray[np.int64] | None, seed: int) -> NDArray[np.int64]:
    """A random order of all examples of which every prefix is close to proportional in the classes.

    The examples of each class are put into random order. The one at position k of the m of its class gets the key
    ``(k + u) / m``, u uniform in [0, 1) and one number a class, and all are sorted by their keys: systematic sampling
    of each class. A share t of the keys holds between ``m t - 1`` and ``m t + 1`` examples of a class, on average
    ``m t``. Random numbers are raw output of PCG64, the same in every version of numpy.

    Args:
        count: number of examples.
        classes: int64 ``[count]``, one class are all without a label; None for a plain permutation.
        seed: of the order, at least 0.

    Returns:
        int64 ``[count]``, a permutation.
    """
    tie = _raw(seed, 0, count)
    if classes is None:
        return np.argsort(tie, kind="stable")
    _, members, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    by_class = np.lexsort((tie, members))
    position = np.empty(count, dtype=np.int64)
    position[by_class] = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    offset = (_raw(seed, 1, len(sizes)) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.lexsort((tie, (position + offset[members]) / sizes[members]))


def compact(rows: NDArray[np.int64]) -> str:
    """Row numbers in their order as text, ``FIRST-LAST`` for consecutive ones.

    >>> compact(np.array([7, 3, 4, 5]))
    '7,3-5'
    """
    if not len(rows):
        return ""
    starts = [0, *(1 + np.flatnonzero(rows[1:] != rows[:-1] + 1)).tolist()]
    runs = ((rows[start], rows[stop - 1]) for start, stop in itertools.pairwise([*starts, len(rows)]))
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)


def _runs(values: NDArray[np.int64]) -> int:
    """The number of stretches of equal values."""
    return 1 + int(np.count_nonzero(values[1:] != values[:-1])) if len(values) else 0


def _raw(seed: int, stream: int, count: int) -> NDArray[np.uint64]:
    """Uniform numbers of 64 bits."""
    raw = np.random.PCG64(np.random.SeedSequence([seed, stream])).random_raw(count)
    return np.asarray(raw, dtype=np.uint64)


def _classes(source: Source) -> NDArray[np.int64] | None:
    """The class of every example, -1 where it is not known; None where labels are not known, or no classes."""
    labels = None if source.labels is None or source.task is not None else source.labels()
    if labels is None:
        return None
    return np.fromiter((label if isinstance(label, int) else -1 for label in labels), np.int64, source.count)


def _counts(classes: NDArray[np.int64], chosen: NDArray[np.int64], names: Sequence[str]) -> dict[str, int]:
    """Class name to the number of chosen examples, for all classes of the dataset."""
    present = np.unique(classes[classes >= 0]).tolist()
    return {names[c] if c < len(names) else str(c): int((chosen == c).sum()) for c in present}


def _in_words(counts: Mapping[str, int]) -> str:
    if len(counts) <= _LISTED:
        return ", ".join(f"{printable(name)} {count}" for name, count in counts.items())
    low, high = min(counts.values()), max(counts.values())
    return f"{low if low == high else f'{low} to {high}'} of each of {len(counts)} classes"


def _warning(classes: NDArray[np.int64], chosen: NDArray[np.int64], count: int, is_drawn: bool) -> str:
    """Why the chosen examples are no sample of the ``count`` classes of a dataset; empty where they may be one."""
    present = len(np.unique(chosen[chosen >= 0]))
    all_of_one = present == 1 < count and len(chosen) > 1
    is_sorted = 1 < count == _runs(classes[classes >= 0])
    if not is_drawn and len(chosen) < len(classes) and is_sorted:
        what = f"the dataset is sorted by class, and its first {len(chosen)} examples show {present} of {count} classes"
        return f"warning: {what}; they are no sample of it (example_order=drawn draws one)"
    if all_of_one:
        return f"warning: all {len(chosen)} explained examples are of one class, and the dataset has {count}"
    return ""
