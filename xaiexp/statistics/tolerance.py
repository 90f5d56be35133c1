"""Equality of scores up to floating-point rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROUNDING", "difference", "merge_ties"]

FloatArray = NDArray[np.float64]

ROUNDING = 1e-6
"""Relative tolerance: values that differ by less than this fraction of the larger magnitude count as equal."""


def difference(a: FloatArray, b: FloatArray) -> FloatArray:
    """``a - b`` elementwise: 0 within the tolerance :data:`ROUNDING`, NaN where a value is NaN.

    Args:
        a, b: float64 of one shape, finite or NaN.
    """
    with np.errstate(invalid="ignore"):
        out = a - b
        out[np.abs(out) <= ROUNDING * np.maximum(np.abs(a), np.abs(b))] = 0.0
    return np.where(np.isfinite(out), out, np.nan)


def merge_ties(values: FloatArray) -> FloatArray:
    """Set values that are equal within the tolerance :data:`ROUNDING` to one value, separately in each column.

    Ranks of the result do not depend on rounding errors. In ascending order, a value starts a new group where it
    exceeds its predecessor by more than the tolerance; every value becomes the smallest of its group.

    Args:
        values: float64 ``[cells, N]``; NaN stays NaN.

    >>> merge_ties(np.array([[1.0], [2.0], [1.0 + 1e-9]])).tolist()
    [[1.0], [2.0], [1.0]]
    """
    order = np.argsort(values, axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    before, after = ordered[:-1], ordered[1:]
    with np.errstate(invalid="ignore"):
        starts_group = after - before > ROUNDING * np.maximum(np.abs(after), np.abs(before))
    starts_group |= np.isnan(after) | ((before != after) & (np.isinf(before) | np.isinf(after)))
    first = np.zeros(ordered.shape, dtype=np.int64)
    first[1:] = np.maximum.accumulate(np.where(starts_group, np.arange(1, len(values))[:, None], 0), axis=0)
    out = np.empty_like(ordered)
    np.put_along_axis(out, order, np.take_along_axis(ordered, first, axis=0), axis=0)
    return out
