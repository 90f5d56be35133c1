"""What is no difference: values that were computed in another order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROUNDING", "difference", "level"]

Floats = NDArray[np.float64]

ROUNDING = 1e-6
"""Values that differ by less than this part of the larger are the same number, computed in another order."""


def difference(a: Floats, b: Floats) -> Floats:
    """``a - b`` of one shape: 0 where rounding alone separates them, NaN where one is not finite."""
    with np.errstate(invalid="ignore"):
        out = a - b
        out[np.abs(out) <= ROUNDING * np.maximum(np.abs(a), np.abs(b))] = 0.0
    return np.where(np.isfinite(out), out, np.nan)


def level(values: Floats) -> Floats:
    """``values [cells, N]`` where cells that rounding alone separates have the same value, column by column.

    An order of cells would otherwise be made of rounding. NaN stays NaN.

    >>> level(np.array([[1.0], [2.0], [1.0 + 1e-9]])).tolist()
    [[1.0], [2.0], [1.0]]
    """
    order = np.argsort(values, axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    before, after = ordered[:-1], ordered[1:]
    with np.errstate(invalid="ignore"):
        apart = after - before > ROUNDING * np.maximum(np.abs(after), np.abs(before))
    apart |= np.isnan(after) | ((before != after) & (np.isinf(before) | np.isinf(after)))
    first = np.zeros(ordered.shape, dtype=np.int64)
    first[1:] = np.maximum.accumulate(np.where(apart, np.arange(1, len(values))[:, None], 0), axis=0)
    out = np.empty_like(ordered)
    np.put_along_axis(out, order, np.take_along_axis(ordered, first, axis=0), axis=0)
    return out
