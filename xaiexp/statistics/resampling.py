"""Resample counts of the nonparametric bootstrap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIN_VARYING", "off_mode", "resample_counts"]

MIN_VARYING = 10
"""Smallest number of observations off the most frequent value for a studentised bootstrap: a resample that misses all
of them has no spread, and is drawn with a probability of about ``exp(-10)``."""


def resample_counts(rng: np.random.Generator, resamples: int, n: int) -> NDArray[np.float64]:
    """Draw n of n observations with replacement, and count how often each was drawn.

    Returns:
        float64 ``[resamples, n]``, whole numbers; each row sums to n.
    """
    drawn = rng.integers(n, size=(resamples, n)) + np.arange(0, resamples * n, n)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)


def off_mode(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The number of observations that differ from the most frequent value, int64 ``[P]``, of ``values [P, n]``."""
    return np.array([len(row) - np.unique(row, return_counts=True)[1].max() for row in values], dtype=np.int64)
