"""Agreement between examples about the order of the cells: Krippendorff's alpha."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xaiexp.statistics.distributions import average_ranks
from xaiexp.statistics.resampling import resample_counts
from xaiexp.statistics.tolerance import merge_ties

__all__ = ["alpha_interval", "krippendorff_alpha"]

FloatArray = NDArray[np.float64]

_RESAMPLES = 1000
_MAX_CHUNK_ELEMENTS = 1 << 22  # elements of the largest array in a chunk of resamples


def krippendorff_alpha(ratings: FloatArray) -> float:
    """Krippendorff's alpha for ordinal ratings (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability).

    Alpha is ``1 - observed disagreement / disagreement expected by chance``, with the squared ordinal distance. Units
    with fewer than two ratings are ignored.

    Args:
        ratings: float64 ``[raters, units]``, NaN where a rater did not rate a unit. Only their order matters.

    Returns:
        Alpha, at most 1. 1 is complete agreement, 0 is agreement at chance level, negative values are systematic
        disagreement. NaN where no unit has two ratings, or all ratings are equal.

    >>> round(krippendorff_alpha(np.array([[1.0, 2, 3], [1, 2, 3]])), 3)
    1.0
    """
    counts, _ = _counts(np.asarray(ratings, dtype=np.float64))
    total = counts.sum(axis=0, keepdims=True)
    return float(_alpha(total, total)[0])


def _counts(ratings: FloatArray) -> tuple[FloatArray, int]:
    """One-hot ratings over the distinct values, float64 ``[raters, units, levels]``, and the number of levels.

    The one-hot vector of a missing rating is 0.
    """
    known = np.isfinite(ratings)
    levels = np.unique(ratings[known])
    index = np.searchsorted(levels, np.where(known, ratings, levels[0] if len(levels) else 0.0))
    counts = np.zeros((*ratings.shape, max(1, len(levels))))
    np.put_along_axis(counts, index[..., None], known[..., None].astype(np.float64), axis=2)
    return counts, len(levels)


def _alpha(counts: FloatArray, squares: FloatArray) -> FloatArray:
    """Alpha of R weightings of the raters.

    A bootstrap may draw a rater w times. Pairs of a rater with its own copies are not pairs of two raters and are
    excluded.

    Args:
        counts: ``[R, units, levels]``, the sum of the weights w of the raters that gave a level.
        squares: ``[R, units, levels]``, likewise the sum of w^2: the pairs to exclude.

    Returns:
        float64 ``[R]``, NaN where all ratings are equal.
    """
    rated, self_pairs = counts.sum(axis=2), squares.sum(axis=2)
    pairable = rated**2 > self_pairs
    counts, squares = counts * pairable[..., None], squares * pairable[..., None]
    weights = np.where(pairable, rated / np.where(pairable, rated**2 - self_pairs, 1.0), 0.0)
    observed = np.einsum("ruc,ruk,ru->rck", counts, counts, weights, optimize=True)
    levels = np.arange(counts.shape[2])
    observed[:, levels, levels] -= np.einsum("ruc,ru->rc", squares, weights)
    totals = counts.sum(axis=1)
    n = totals.sum(axis=1)
    # Squared ordinal distance of two levels: the number of ratings between them, plus half of those at either level.
    cumulative = np.cumsum(totals, axis=1)
    distance = np.abs((cumulative - totals / 2)[:, :, None] - (cumulative - totals / 2)[:, None, :]) ** 2
    expected = np.einsum("rc,rk,rck->r", totals, totals, distance, optimize=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha = 1 - (n - 1) * np.einsum("rck,rck->r", observed, distance) / expected
    return np.where(expected > 0, alpha, np.nan)


def alpha_interval(
    values: FloatArray, higher_is_better: bool, *, seed: int, confidence: float = 0.95, resamples: int = _RESAMPLES
) -> tuple[float, float, float]:
    """Krippendorff's alpha of the examples' rankings of the cells, with a percentile bootstrap interval over examples.

    Each example is a rater that ranks the cells by their values (Tomsett et al. 2020, Sanity Checks for Saliency
    Metrics, section 4.2: inter-rater reliability). The interval assumes that the examples are independent draws from
    one population; the cells are fixed. Examples where a cell is undefined are left out, because ranks among different
    numbers of cells are not comparable. Values within the tolerance of rounding tie.

    Args:
        values: float64 ``[cells, N]``, NaN where undefined.
        higher_is_better: the direction of the values.
        seed: seed of the resampling.
        confidence: coverage of the interval.
        resamples: number of bootstrap resamples.

    Returns:
        alpha, low, high; NaN for fewer than two cells, or fewer than two examples where all cells are defined.
    """
    values = np.asarray(values, dtype=np.float64)
    values = merge_ties(values[:, np.isfinite(values).all(axis=0)])
    if len(values) < 2 or values.shape[1] < 2:
        return math.nan, math.nan, math.nan
    ratings = average_ranks((-values if higher_is_better else values).T)[0]
    counts, levels = _counts(ratings)
    total = counts.sum(axis=0, keepdims=True)
    alpha = float(_alpha(total, total)[0])
    if math.isnan(alpha):
        return math.nan, math.nan, math.nan
    drawn = resample_counts(np.random.default_rng([seed, len(counts)]), resamples, len(counts))
    flat = counts.reshape(len(counts), -1)
    step = max(1, _MAX_CHUNK_ELEMENTS // max(1, len(values) * levels, levels * levels))
    alphas = np.concatenate(
        [
            _alpha(*((weights @ flat).reshape(-1, *counts.shape[1:]) for weights in (chunk, chunk**2)))
            for chunk in (drawn[start : start + step] for start in range(0, resamples, step))
        ]
    )
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(alphas, [tail, 1 - tail]) if np.isfinite(alphas).any() else (math.nan, math.nan)
    return alpha, float(low), float(high)
