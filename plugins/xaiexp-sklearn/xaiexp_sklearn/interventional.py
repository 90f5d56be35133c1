"""Exact interventional Shapley values of an ensemble of decision trees, leaf by leaf.

For an input x and a reference z, the game of a leaf is ``v(S) = value`` if the row with the features S of x and the
others of z lies in the leaf, and 0 otherwise. Let X be the features for which x satisfies all conditions of the leaf
and z does not, and Z those for which only z does. Where some feature satisfies them in neither row, the leaf
contributes nothing. Otherwise ``v(S) = value`` if and only if S contains X and no feature of Z, and the Shapley values
are ``value (|X|-1)! |Z|! / (|X|+|Z|)!`` for features of X and ``-value |X|! (|Z|-1)! / (|X|+|Z|)!`` for those of Z.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import factorial
from typing import TYPE_CHECKING, Any

from xaiexp.plugin import Unsupported
from xaiexp_sklearn.tree_leaves import Leaves

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["interventional_values"]

_BLOCK = 4_000_000
"""Conditions, or pairs of a leaf and a reference, that are evaluated at once."""

_MOST = 64
"""Features on the path to a leaf: one bit each."""


def interventional_values(leaves: Leaves, inputs: Array, references: Array, outputs: Array, feature: Array) -> Array:
    """Shapley values of each feature, averaged over the references.

    Args:
        leaves: of the ensemble.
        inputs: float64 ``[N, F]``.
        references: float64 ``[N, R, F]``.
        outputs: int64 ``[N]``, the explained output of each row.
        feature: int64 ``[F]``, the feature of each column, from 0; -1 for columns that are never removed, in which
            inputs and references must agree.

    Returns:
        float64 ``[N, d]``, with d one more than the largest feature.

    Raises:
        Unsupported: the path to a leaf splits more than 64 features.
    """
    import numpy as np

    n, r = references.shape[:2]
    d = int(feature.max(initial=-1)) + 1
    dtype = np.float32 if leaves.float32 else np.float64
    # Many baselines draw the same few rows for every example: each is compared with the conditions once.
    x, x_number = np.unique(inputs.astype(dtype), axis=0, return_inverse=True)
    z, z_number = np.unique(references.reshape(n * r, -1).astype(dtype), axis=0, return_inverse=True)
    totals = np.zeros(n * d)
    for part in _parts(leaves, feature, _BLOCK // (len(x) + len(z))):
        bits_of_x, bits_of_z = part.satisfied(x), part.satisfied(z)
        rows = max(1, _BLOCK // len(part.full))
        for begin in range(0, n * r, rows):
            pair = np.arange(begin, min(n * r, begin + rows))
            by_x, by_z = bits_of_x[x_number[pair // r]], bits_of_z[z_number[pair]]
            row, leaf = np.nonzero(((by_x | by_z) == part.full) & (by_x != by_z))
            example = pair[row] // r
            only_x, only_z = by_x[row, leaf] & ~by_z[row, leaf], by_z[row, leaf] & ~by_x[row, leaf]
            in_x, in_z = np.bitwise_count(only_x), np.bitwise_count(only_z)
            value = part.values[leaf, outputs[example]]
            of_x, of_z = value * part.weights[in_x, in_z], -value * part.weights[in_z, in_x]
            for slot in range(part.features.shape[1]):
                bit = np.uint64(1 << slot)
                of_slot = ((only_x & bit) > 0) * of_x + ((only_z & bit) > 0) * of_z
                # Columns of no feature agree in both rows, so that they are in neither set.
                place = example * d + np.maximum(part.features[leaf, slot], 0)
                totals += np.bincount(place, of_slot, minlength=n * d)
    values: Array = totals.reshape(n, d) / r
    return values


@dataclass(frozen=True)
class _Part:
    """Some of the leaves, with their conditions grouped by feature.

    Args:
        values: float64 ``[L, K]``.
        features: int64 ``[L, slots]``, the features of each leaf; -1 where it has fewer.
        full: uint64 ``[L]``, the bits of all slots of a leaf.
        column, low, high: ``[P]``, the intervals, sorted by leaf and feature.
        first: int64, the first interval of each feature of each leaf.
        bit: uint64, the bit of each of these.
        start: int64 ``[L]``, the first of these of each leaf.
        weights: float64 ``[slots + 1, slots + 1]``, ``(a-1)! b! / (a+b)!``; 0 where a is 0.
    """

    values: Array
    features: Array
    full: Array
    column: Array
    low: Array
    high: Array
    first: Array
    bit: Array
    start: Array
    weights: Array

    def satisfied(self, rows: Array) -> Array:
        """uint64 ``[rows, L]``: the bits of the features whose conditions a row satisfies."""
        import numpy as np

        values = rows[:, self.column]
        met = np.logical_and.reduceat((values > self.low) & (values <= self.high), self.first, axis=1)
        bits: Array = np.add.reduceat(met * self.bit, self.start, axis=1)
        return bits


def _parts(leaves: Leaves, feature: Array, size: int) -> Iterator[_Part]:
    """The leaves in parts of about ``size`` intervals."""
    import numpy as np

    begin = np.searchsorted(leaves.leaf, np.arange(len(leaves.values) + 1))
    stop = 0
    while stop < len(leaves.values):
        start, stop = stop, max(stop + 1, int(np.searchsorted(begin, begin[stop] + size, side="right")) - 1)
        yield _part(leaves, feature, start, stop, slice(begin[start], begin[stop]))


def _part(leaves: Leaves, feature: Array, start: int, stop: int, intervals: slice) -> _Part:
    """The leaves from ``start`` to ``stop - 1``."""
    import numpy as np

    leaf, column = leaves.leaf[intervals] - start, leaves.column[intervals]
    owner = feature[column]
    order = np.lexsort((owner, leaf))
    leaf, owner = leaf[order], owner[order]
    first = np.flatnonzero(np.r_[True, (np.diff(leaf) != 0) | (np.diff(owner) != 0)])
    leaf, owner = leaf[first], owner[first]
    of_leaf = np.flatnonzero(np.r_[True, np.diff(leaf) != 0])
    slot = np.arange(len(leaf)) - of_leaf[leaf]
    slots = int(slot.max()) + 1
    if slots > _MOST:
        raise Unsupported(f"the path to a leaf splits {slots} features, more than {_MOST}")
    features = np.full((stop - start, slots), -1)
    features[leaf, slot] = owner
    bit = np.uint64(1) << slot.astype(np.uint64)
    return _Part(
        leaves.values[start:stop],
        features,
        np.add.reduceat(bit, of_leaf),
        column[order],
        leaves.low[intervals][order],
        leaves.high[intervals][order],
        first,
        bit,
        of_leaf,
        _weights(slots),
    )


def _weights(most: int) -> Array:
    """``(a-1)! b! / (a+b)!`` by a and b, each at most ``most``; 0 where a is 0."""
    import numpy as np

    weights = np.zeros((most + 1, most + 1))
    for a in range(1, most + 1):
        for b in range(most + 1):
            weights[a, b] = factorial(a - 1) * factorial(b) / factorial(a + b)
    return weights
