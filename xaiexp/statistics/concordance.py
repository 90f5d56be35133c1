"""How far the examples agree about the order of the cells: Krippendorff's alpha, and intervals of ranks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from xaiexp.statistics.tolerance import level

__all__ = ["alpha_interval", "krippendorff_alpha", "rank_intervals"]

Floats = NDArray[np.float64]

_RESAMPLES = 1000
_AT_ONCE = 1 << 22


def krippendorff_alpha(ratings: Floats) -> float:
    """Krippendorff's alpha for ordinal ratings (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability).

    ``1 - observed / expected disagreement``: 1 is complete agreement, 0 what chance would give, less than 0 worse.

    Args:
        ratings: ``[raters, units]``, NaN where a rater did not rate a unit.

    Returns:
        NaN where no unit has two ratings or all ratings are the same.

    >>> round(krippendorff_alpha(np.array([[1.0, 2, 3], [1, 2, 3]])), 3)
    1.0
    """
    counts, _ = _counts(np.asarray(ratings, dtype=np.float64))
    total = counts.sum(axis=0, keepdims=True)
    return float(_alpha(total, total)[0])


def _counts(ratings: Floats) -> tuple[Floats, int]:
    """What each rater gave each unit as counts over the levels, ``[raters, units, levels]``."""
    known = np.isfinite(ratings)
    levels = np.unique(ratings[known])
    place = np.searchsorted(levels, np.where(known, ratings, levels[0] if len(levels) else 0.0))
    out = np.zeros((*ratings.shape, max(1, len(levels))))
    np.put_along_axis(out, place[..., None], known[..., None].astype(np.float64), axis=2)
    return out, len(levels)


def _alpha(counts: Floats, squares: Floats) -> Floats:
    """Alpha ``[R]`` of counts ``[R, units, levels]``.

    Args:
        counts: how often each level was given; a rater that counts w times adds w.
        squares: the same, where such a rater adds w^2: what is no pair of two raters and must be taken away, or
            raters that a bootstrap drew twice would agree with themselves.
    """
    rated, own = counts.sum(axis=2), squares.sum(axis=2)
    paired = rated**2 > own
    counts, squares = counts * paired[..., None], squares * paired[..., None]
    weights = np.where(paired, rated / np.where(paired, rated**2 - own, 1.0), 0.0)
    observed = np.einsum("ruc,ruk,ru->rck", counts, counts, weights, optimize=True)
    levels = np.arange(counts.shape[2])
    observed[:, levels, levels] -= np.einsum("ruc,ru->rc", squares, weights)
    totals = counts.sum(axis=1)
    n = totals.sum(axis=1)
    # Squared ordinal distance: the ratings from the one level to the other, half of those at the two ends.
    upto = np.cumsum(totals, axis=1)
    distance = np.abs((upto - totals / 2)[:, :, None] - (upto - totals / 2)[:, None, :]) ** 2
    expected = np.einsum("rc,rk,rck->r", totals, totals, distance, optimize=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha = 1 - (n - 1) * np.einsum("rck,rck->r", observed, distance) / expected
    return np.where(expected > 0, alpha, np.nan)


def alpha_interval(
    values: Floats, higher_is_better: bool, *, seed: int, confidence: float = 0.95, resamples: int = _RESAMPLES
) -> tuple[float, float, float]:
    """Alpha of the order of the cells across examples, with its bootstrap interval over examples.

    Every example ranks the cells by its values, and alpha tells how far the examples agree (Tomsett et al. 2020,
    Sanity Checks for Saliency Metrics, section 4.2: inter-rater reliability). Examples where a cell is undefined are
    left out: the third place among four is another one than among five.

    Args:
        values: ``[cells, N]``, NaN where undefined.
        higher_is_better: the direction of the values.
        seed: of the resampling.

    Returns:
        alpha, low, high; NaN for fewer than two cells, or two examples where all are defined.
    """
    values = np.asarray(values, dtype=np.float64)
    values = level(values[:, np.isfinite(values).all(axis=0)])
    if len(values) < 2 or values.shape[1] < 2:
        return math.nan, math.nan, math.nan
    ratings = stats.rankdata(-values if higher_is_better else values, axis=0).T
    counts, levels = _counts(ratings)
    total = counts.sum(axis=0, keepdims=True)
    alpha = float(_alpha(total, total)[0])
    if math.isnan(alpha):
        return math.nan, math.nan, math.nan
    times = _times(len(counts), resamples, seed)
    flat = counts.reshape(len(counts), -1)
    step = max(1, _AT_ONCE // max(1, len(values) * levels, levels * levels))
    drawn = np.concatenate(
        [
            _alpha(*((t @ flat).reshape(-1, *counts.shape[1:]) for t in (each, each**2)))
            for each in (times[start : start + step] for start in range(0, resamples, step))
        ]
    )
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail]) if np.isfinite(drawn).any() else (math.nan, math.nan)
    return alpha, float(low), float(high)


def rank_intervals(
    values: Floats, higher_is_better: bool, *, seed: int, confidence: float = 0.95, resamples: int = _RESAMPLES
) -> NDArray[np.float64]:
    """Ends ``[2, cells]`` of the bootstrap interval of each cell's place in the order of the means, 1 is the best.

    Args:
        values: ``[cells, N]``, NaN where undefined; a cell without any value gets NaN.
    """
    values = level(np.asarray(values, dtype=np.float64))
    known = np.isfinite(values)
    ends = np.full((2, len(values)), np.nan)
    some = known.any(axis=1)
    if not some.any() or values.shape[1] < 2:
        return ends
    times = _times(values.shape[1], resamples, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (times @ np.where(known, values, 0.0)[some].T) / (times @ known[some].T.astype(np.float64))
    means = level(np.where(np.isfinite(means), means, np.nan).T).T
    places = stats.rankdata(-means if higher_is_better else means, axis=1, nan_policy="omit")
    tail = (1 - confidence) / 2
    ends[:, some] = np.nanquantile(places, [tail, 1 - tail], axis=0)
    return ends


def _times(n: int, resamples: int, seed: int) -> Floats:
    """How often each of n examples was drawn in each resample, ``[resamples, n]``."""
    rng = np.random.default_rng([seed, n])
    drawn = rng.integers(n, size=(resamples, n)) + np.arange(0, resamples * n, n)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)
