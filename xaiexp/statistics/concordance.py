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
_MAX_CHUNK_ELEMENTS = 1 << 18  # elements of the largest array in a chunk of resamples, which fits into caches


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
    ratings = np.asarray(ratings, dtype=np.float64)
    ratings = ratings[:, np.isfinite(ratings).sum(axis=0) > 1]
    return float(_alpha(*_levels(ratings), np.ones((1, len(ratings))))[0])


def _levels(ratings: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """The place of every rating among the distinct values, int64 ``[raters, units]``, and 1 where there is a rating."""
    known = np.isfinite(ratings)
    levels = np.unique(ratings[known])
    index = np.searchsorted(levels, np.where(known, ratings, levels[0] if len(levels) else 0.0))
    return np.asarray(index, dtype=np.int64), known.astype(np.float64)


def _alpha(index: NDArray[np.int64], known: FloatArray, weights: FloatArray) -> FloatArray:
    """Alpha of R weightings of the raters.

    A bootstrap may draw a rater w times. Pairs of a rater with its own copies are not pairs of two raters and are
    excluded.

    The squared ordinal distance of two levels is that of their positions: half of the ratings at a level, and all below
    it, come before. Sums of squared distances over pairs follow from sums and sums of squares.

    Args:
        index, known: of :func:`_levels`, ``[raters, units]``; each unit has at least two ratings.
        weights: ``[R, raters]``, whole numbers.

    Returns:
        float64 ``[R]``, NaN where all ratings are equal, or from one rater.
    """
    levels = int(index.max(initial=0)) + 1
    raters = np.arange(len(index))[:, None]
    each = np.bincount((raters * levels + index).ravel(), known.ravel(), minlength=len(index) * levels)
    totals = weights @ each.reshape(-1, levels)
    rated, self_pairs = weights @ known, weights**2 @ known
    n = totals.sum(axis=1)
    position = np.cumsum(totals, axis=1) - totals / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        position -= ((totals * position).sum(axis=1) / n)[:, None]
        expected = 2 * n * (totals * position**2).sum(axis=1)
        placed = position[:, index] * known
        weighted = placed * weights[:, :, None]
        sums, squares = weighted.sum(axis=1), (weighted * placed).sum(axis=1)
        observed = (rated / (rated**2 - self_pairs) * 2 * (rated * squares - sums**2)).sum(axis=1)
        alpha = 1 - (n - 1) * observed / expected
    return np.where((expected > 0) & (rated**2 > self_pairs).all(axis=1), alpha, np.nan)


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
    placed = _levels(ratings)
    alpha = float(_alpha(*placed, np.ones((1, len(ratings))))[0])
    if math.isnan(alpha):
        return math.nan, math.nan, math.nan
    drawn = resample_counts(np.random.default_rng([seed, len(ratings)]), resamples, len(ratings))
    step = max(1, _MAX_CHUNK_ELEMENTS // ratings.size)
    alphas = np.concatenate([_alpha(*placed, drawn[start : start + step]) for start in range(0, resamples, step)])
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(alphas, [tail, 1 - tail]) if np.isfinite(alphas).any() else (math.nan, math.nan)
    return alpha, float(low), float(high)
