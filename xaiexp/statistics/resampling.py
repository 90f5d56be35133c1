"""Resample counts of the nonparametric bootstrap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["resample_counts"]


def resample_counts(rng: np.random.Generator, resamples: int, n: int) -> NDArray[np.float64]:
    """Draw n of n observations with replacement, and count how often each was drawn.

    Returns:
        float64 ``[resamples, n]``, whole numbers; each row sums to n.
    """
    drawn = rng.integers(n, size=(resamples, n)) + np.arange(0, resamples * n, n)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)
