"""Resample counts of the nonparametric bootstrap."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIN_VARYING", "bootstrap_chunk", "off_mode", "resample_counts", "sign_chunk", "steps"]

_MAX_CHUNK_ELEMENTS = 1 << 20

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


def steps(draws: int, n: int) -> list[int]:
    """Sizes of chunks of resamples of n observations, which bound the memory; they sum to ``draws``."""
    step = max(1, _MAX_CHUNK_ELEMENTS // n)
    return [step] * (draws // step) + [draws % step] * bool(draws % step)


@functools.lru_cache(maxsize=2)
def bootstrap_chunk(seed: int, chunk: int, draws: int, n: int) -> NDArray[np.float64]:
    """The counts of :func:`resample_counts` of one chunk, read-only; the metrics of a study share them."""
    counts = resample_counts(np.random.default_rng([seed, n, 1, chunk]), draws, n)
    counts.setflags(write=False)
    return counts


@functools.lru_cache(maxsize=2)
def sign_chunk(seed: int, chunk: int, draws: int, n: int) -> NDArray[np.float64]:
    """Random signs, float64 ``[draws, n]``, read-only; all ``2^n`` of them where ``draws`` is 2^n - 1 or more."""
    if n <= math.log2(draws + 1):
        signs = np.array(list(itertools.product([-1.0, 1.0], repeat=n)))
    else:
        signs = 2.0 * np.random.default_rng([seed, n, 0, chunk]).integers(2, size=(draws, n)).astype(np.float64) - 1.0
    signs.setflags(write=False)
    return signs


def off_mode(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The number of observations that differ from the most frequent value, int64 ``[P]``, of ``values [P, n]``."""
    count, n = values.shape
    ordered = np.sort(values, axis=1)
    starts = np.concatenate([np.ones((count, 1), dtype=bool), ordered[:, 1:] != ordered[:, :-1]], axis=1).ravel()
    positions = np.flatnonzero(starts)
    lengths = np.diff(np.append(positions, count * n))
    most = np.maximum.reduceat(lengths, np.searchsorted(positions, np.arange(0, count * n, n)))
    return np.asarray(n - most, dtype=np.int64)
