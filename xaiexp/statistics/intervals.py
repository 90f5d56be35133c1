"""Bootstrap intervals of means, over examples and over seeds. NaN is "undefined" and never counted as a value.

Over examples they are intervals by percentiles (Efron 1979). Those are too narrow for few examples; the percentiles
are therefore moved outwards as a t interval is wider than a normal one (the "expanded percentile interval" of
Hesterberg 2015, What Teachers Should Know About the Bootstrap). With many examples the two are the same. Measured over
3,000 draws, the 95 % interval misses the mean of normal values in 5 % of cases (16 values), 6 % (8) and 7 % (6), and
that of exponential ones in 6 % (64), 8 % (16) and 11 % (8).

Over examples and seeds both are drawn, independently of each other, and an observation counts the product of how often
either was drawn (Owen 2007, The Pigeonhole Bootstrap). No bootstrap is exact here (McCullagh 2000, Resampling and
Exchangeable Arrays): what belongs to one example under one seed is counted up to three times, so the interval is too
wide where that is all there is. Two to five seeds cannot be moved outwards by percentiles, since the
outermost of so few draws is the largest of the seeds: the deviations themselves are stretched, so that the interval is
as wide as one of the t distribution with both factors' variances and Satterthwaite's degrees of freedom would be.

How often, of 100 cases, the 95 % interval misses the mean, measured in a model of an effect of the example, one of the
seed and one of both (normal; standard deviations; 2,000 draws). In brackets an interval over the examples alone:

    ===================  =======  =======  =======  ==========  =======  =========
    example, seed, both  1, 0, 0  1, 0, 1  0, 0, 1  1, 1/4, .1  1, 1, 1  .1, 1, .1
    ===================  =======  =======  =======  ==========  =======  =========
    16 examples, 2       4 (4)    1 (5)    1 (6)    5 (9)       9 (41)   8 (94)
    16 examples, 3       6 (6)    2 (6)    0 (6)    6 (10)      6 (36)   6 (91)
    16 examples, 5       6 (6)    3 (6)    0 (5)    5 (8)       4 (30)   7 (91)
    64 examples, 2       6 (6)    2 (5)    1 (5)    9 (27)      11 (67)  7 (96)
    64 examples, 3       6 (5)    2 (6)    0 (6)    7 (21)      6 (63)   5 (96)
    64 examples, 5       5 (5)    3 (6)    0 (5)    5 (14)      6 (58)   6 (94)
    ===================  =======  =======  =======  ==========  =======  =========
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["bootstrap_interval", "crossed_intervals"]

Floats = NDArray[np.float64]

_RESAMPLES = 2000
_AT_ONCE = 1 << 22  # numbers drawn at a time


def bootstrap_interval(
    values: Floats, confidence: float = 0.95, resamples: int = _RESAMPLES, *, seed: int
) -> tuple[float, float, float]:
    """The mean of the finite values and the ends of its interval.

    Args:
        values: ``[N]``.
        confidence: of the interval.
        resamples: how many samples with replacement are drawn.
        seed: of the draws; the same seed and number of values draw the same.

    Returns:
        mean, low, high; NaN without a value, and an interval of NaN for fewer than two.

    >>> bootstrap_interval(np.array([0.5, 0.5, np.nan]), seed=0)
    (0.5, 0.5, 0.5)
    """
    mean, low, high = crossed_intervals(np.reshape(values, (1, -1, 1)), confidence, resamples, seed=seed)[:, 0]
    return float(mean), float(low), float(high)


def crossed_intervals(values: Floats, confidence: float = 0.95, resamples: int = _RESAMPLES, *, seed: int) -> Floats:
    """Means of cells, and their intervals for other examples and other seeds.

    The mean is that over examples, each the mean over the seeds that have it. With one seed, or where seeds agree and
    have the same examples, the interval is :func:`bootstrap_interval` of the examples' means.

    Args:
        values: ``[cells, N, S]``, NaN where undefined: also for examples that only some seeds have.
        confidence: of the intervals.
        resamples: how many samples with replacement are drawn.
        seed: of the draws. Cells with equally many examples and seeds meet the same draws; the order of examples and
            seeds changes nothing (but for equal means, which stay in the order given).

    Returns:
        float64 ``[3, cells]``: mean, low, high; no interval (NaN) for fewer than two examples, or where one alone of
        several seeds has values.
    """
    values = np.asarray(values, dtype=np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    known = ~np.isnan(values)
    out = np.full((3, len(values)), np.nan)
    examples = np.asarray(known.any(axis=2))
    seeds = np.asarray(known.any(axis=1))
    groups: dict[tuple[int, int], list[int]] = {}
    for k, shape in enumerate(zip(examples.sum(axis=1).tolist(), seeds.sum(axis=1).tolist(), strict=True)):
        groups.setdefault(shape, []).append(k)
    for (n, s), group in groups.items():
        if not n:
            continue
        # Together, what has the same shape: each interval is what it would be alone.
        some = np.stack([values[k][np.ix_(examples[k], seeds[k])] for k in group], axis=1)
        out[:, group] = _resampled(some, confidence, resamples, seed, told=n > 1 and (s > 1 or values.shape[2] == 1))
    return out


def _resampled(values: Floats, confidence: float, resamples: int, seed: int, told: bool) -> Floats:
    """Means and intervals ``[3, K]`` of K cells ``[n, K, s]``; every example and every seed has a value of every cell.

    Args:
        told: whether there are intervals.
    """
    n, count, s = values.shape
    values, turned = _canonical(values)
    known = ~np.isnan(values)
    # An observation weighs one part in the number of seeds that its example has.
    parts = known / known.sum(axis=2, keepdims=True)
    center = _example_means(values).mean(axis=0)
    if not told:
        return np.stack([np.where(turned, -center, center), *np.full((2, count), np.nan)])
    deviations = np.where(known, values - center[:, None], 0.0) * parts
    drawn = np.empty((resamples, count))
    rng = np.random.default_rng([seed, n])
    of_seeds = _times(np.random.default_rng([seed, n, s]), resamples, s)
    step = max(1, _AT_ONCE // n)
    for start in range(0, resamples, step):
        own = slice(start, min(start + step, resamples))
        times = _times(rng, own.stop - own.start, n)
        whole = n if known.all() else _total(parts, times, of_seeds[own])
        with np.errstate(invalid="ignore"):  # nothing but holes was drawn
            drawn[own] = _total(deviations, times, of_seeds[own]) / whole
    drawn *= _stretch(deviations, confidence)
    tail = stats.norm.cdf(-_wider(n, confidence) * stats.norm.ppf((1 + confidence) / 2))
    quantile = np.nanquantile if np.isnan(drawn).any() else np.quantile
    low, high = center + quantile(drawn, [tail, 1 - tail], axis=0)
    return np.stack([np.where(turned, -center, center), np.where(turned, -high, low), np.where(turned, -low, high)])


def _canonical(values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """``[n, K, s]`` with ascending examples and seeds and a mean that is not negative, and which cells were turned.

    So the order of examples and seeds changes nothing, and a difference the other way round has the same interval the
    other way round.
    """
    turned = np.sort(_example_means(values), axis=0).mean(axis=0) < 0
    values = np.where(turned[:, None], -values, values)
    examples = np.argsort(_example_means(values), axis=0, kind="stable")
    values = np.take_along_axis(values, examples[:, :, None], axis=0)
    if values.shape[2] > 1:
        seeds = np.argsort(_example_means(values.swapaxes(0, 2)), axis=0, kind="stable")
        values = np.take_along_axis(values, seeds.T[None], axis=2)
    return values, turned


def _example_means(values: Floats) -> Floats:
    """``[n, K]`` of ``[n, K, s]`` with a value in every row; the order of the seeds changes no bit."""
    ordered = np.sort(values, axis=2)
    means: Floats = np.nansum(ordered, axis=2) / (~np.isnan(ordered)).sum(axis=2)
    return means


def _times(rng: np.random.Generator, rows: int, n: int) -> Floats:
    """How often each of n was drawn in each of ``rows`` samples of n with replacement, ``[rows, n]``."""
    drawn = rng.integers(n, size=(rows, n)) + np.arange(0, rows * n, n)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _total(of: Floats, examples: Floats, seeds: Floats) -> Floats:
    """Sums ``[R, K]`` of ``[n, K, s]``, each entry as often as its example ``[R, n]`` times its seed ``[R, s]``."""
    n, count, s = of.shape
    by_seed = (examples @ of.reshape(n, -1)).reshape(-1, count, s)
    total: Floats = (by_seed * seeds[:, None]).sum(axis=2)
    return total


def _wider(n: int, confidence: float) -> float:
    """How much wider a t interval of n values is than a normal one with the variance that a bootstrap has."""
    t, z = stats.t.ppf((1 + confidence) / 2, n - 1), stats.norm.ppf((1 + confidence) / 2)
    return float(np.sqrt(n / (n - 1)) * t / z)


def _stretch(deviations: Floats, confidence: float) -> Floats:
    """``[K]``: by what deviations must be stretched beyond what the number of examples asks for; 1 where seeds agree.

    Args:
        deviations: ``[n, K, s]``, weighted; their sum over one factor and over n is what the other one contributes.
    """
    n, count, s = deviations.shape
    if s == 1:
        return np.ones(count)
    by_example = (deviations.sum(axis=2) ** 2).sum(axis=0)
    by_seed = (deviations.sum(axis=0) ** 2).sum(axis=1)
    examples, seeds = by_example * n / (n - 1), by_seed * s / (s - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = (examples + seeds) ** 2 / (examples**2 / (n - 1) + seeds**2 / (s - 1))
        t = stats.t.ppf((1 + confidence) / 2, freedom) / stats.norm.ppf((1 + confidence) / 2)
        stretch = t * np.sqrt((examples + seeds) / (by_example + by_seed)) / _wider(n, confidence)
    return np.where(np.isfinite(stretch), stretch, 1.0)
