"""Tests of differences between cells: paired tests of all pairs with effect sizes, Holm's correction, Friedman's test.

All cells are evaluated on the same examples, therefore observations are paired by example. Several values of one
example (several targets or seeds) are not independent and must be averaged before. :func:`paired_tests` and
:func:`friedman` generalise to other examples with the same seeds, :func:`crossed_tests` to other examples and other
seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from xaiexp.statistics.distributions import average_ranks, friedman_p, studentized_range_95, t_sf
from xaiexp.statistics.tolerance import ROUNDING, difference, merge_ties

__all__ = ["MIN_EXAMPLES", "Friedman", "Pairs", "crossed_tests", "friedman", "holm", "paired_tests"]

FloatArray = NDArray[np.float64]

MIN_EXAMPLES = 6
"""Smallest number of examples for a test: the differences of five examples all have the same sign with a probability
of 0.0625 under the null hypothesis, which exceeds 0.05."""

_MAX_CHUNK_ELEMENTS = 1 << 22  # differences computed at a time


@dataclass(frozen=True)
class Pairs:
    """Tests of all pairs ``i < j`` of cells, in the order of ``numpy.triu_indices``. All arrays have the shape ``[P]``.

    Args:
        left, right: the indices i and j of the cells.
        n: number of examples where both cells are defined.
        difference: mean of ``value_i - value_j`` over these examples, in the unit of the metric.
        effect: Cohen's d_z: the mean difference divided by the standard deviation of the differences (Lakens 2013).
            Infinite for a constant difference other than 0; NaN with fewer than two examples.
        p: two-sided p value, uncorrected; NaN with fewer than :data:`MIN_EXAMPLES` examples.
        p_signed_rank: two-sided p value of Wilcoxon's signed-rank test; NaN likewise, and where it was not requested.
        p_adjusted: p value corrected for all pairs that are tested: by Holm's procedure, or, from
            :func:`xaiexp.statistics.multiple_comparisons.comparison.compare`, by the largest statistic of the family.
        low, high: simultaneous interval of the difference, and
        detectable: the difference that is found with a power of 80 % after correction; all NaN except from
            :func:`xaiexp.statistics.multiple_comparisons.comparison.compare`.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    n: NDArray[np.int64]
    difference: FloatArray
    effect: FloatArray
    p: FloatArray
    p_signed_rank: FloatArray
    p_adjusted: FloatArray
    low: FloatArray
    high: FloatArray
    detectable: FloatArray


def paired_tests(values: FloatArray, signed_rank: bool = False) -> Pairs:
    """Paired t tests of all pairs of cells, over the examples where both cells are defined.

    The null hypothesis is a mean difference of 0 in the population of examples. The test assumes independent examples
    and approximately normal differences. Differences within the tolerance of rounding count as 0. A constant difference
    has p = 0, or p = 1 where it is 0.

    Args:
        values: float64 ``[cells, N]``, NaN where undefined.
        signed_rank: whether to compute Wilcoxon's signed-rank test as well.
    """
    values = np.asarray(values, dtype=np.float64)
    left, right = np.triu_indices(len(values), 1)
    differences = difference(values[left], values[right])
    n = np.isfinite(differences).sum(axis=1)
    filled = np.nan_to_num(differences)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(n > 0, filled.sum(axis=1) / n, np.nan)
        residuals = np.where(np.isfinite(differences), differences - mean[:, None], 0.0)
        deviation = np.sqrt((residuals**2).sum(axis=1) / (n - 1))
        # The deviation of a constant difference is rounding error: set it to 0.
        constant = deviation <= ROUNDING * np.abs(mean)
        deviation = np.where(constant, 0.0, deviation)
        effect = np.where(mean == 0, 0.0, mean / deviation)
        p = 2 * t_sf(np.abs(effect) * np.sqrt(n), n - 1)
    enough = n >= MIN_EXAMPLES
    p = np.where(enough, p, np.nan)
    p_signed_rank = _signed_rank(differences, enough) if signed_rank else np.full(len(p), np.nan)
    effect = np.where(n > 1, effect, np.nan)
    return Pairs(left, right, n, mean, effect, p, p_signed_rank, holm(p), *np.full((3, len(p)), np.nan))


def crossed_tests(values: FloatArray) -> Pairs:
    """Tests of all pairs of cells with examples and seeds as crossed random factors.

    The null hypothesis is a mean difference of 0 in the populations of examples and of seeds. The test is min F' (Clark
    1973, The Language-as-Fixed-Effect Fallacy): ``t = mean / sqrt(V_N + V_S)``, with the squared standard errors of the
    mean over N examples and over S seeds, and Satterthwaite's degrees of freedom.

    A variance over two or three seeds is often too small by chance, and has few degrees of freedom. Therefore ``V_S``
    is the larger of the pair's own one and the mean of all pairs of its kind: of two stochastic cells, whose scores
    change with the seed, or of a stochastic cell and another one. Two cells that do not change have ``V_S = 0`` and do
    not lower this mean. Its degrees of freedom are those of Box (1954): ``(S - 1) trace(C)^2 / trace(C^2)`` with the
    covariance C over seeds of the means of the stochastic cells (less the mean of these cells, for pairs of two). A
    pair without others of its kind must also be rejected by a t test over seeds. Two seeds find almost nothing.

    Where all seeds have equal values this is :func:`paired_tests`.

    Power at 3 seeds, measured in 400 sweeps of 32 examples, 6 stochastic and 2 deterministic cells, half of them better
    by 2, with a standard deviation over seeds of 0.3: 86 %; with the own variance of each pair and both tests: 15 %.
    Family-wise error rates of equal cells (nominal 5 %): at most 1 %, where these standard deviations are equal, one is
    three times as large, or they are from 0.3 to 3, and with a further effect of the seed that all stochastic cells
    share; with 3 stochastic cells at most 3.5 %. :func:`paired_tests`, which treats the seeds as fixed: up to 100 %.

    Args:
        values: float64 ``[cells, N, S]``, NaN where undefined. A pair is compared on the examples and seeds where both
            cells are defined; each example is averaged over its seeds.

    Returns:
        As :func:`paired_tests`, without the signed-rank test. ``p`` is NaN also where a pair has only one of several
        seeds in common.
    """
    values = np.asarray(values, dtype=np.float64)
    left, right = np.triu_indices(len(values), 1)
    step = max(1, _MAX_CHUNK_ELEMENTS // max(1, values[0].size if len(values) else 0))
    blocks = [
        _variance_components(difference(values[left[start : start + step]], values[right[start : start + step]]))
        for start in range(0, max(1, len(left)), step)
    ]
    n, s, mean, example_variance, seed_variance = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    several = values.shape[2] > 1
    stochastic = _stochastic(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        # As in paired_tests: variances within rounding error are set to 0. Then to squared standard errors of the mean.
        over_examples = np.where(example_variance <= (ROUNDING * mean) ** 2, 0.0, example_variance) / (n - 1)
        agree = (seed_variance <= (ROUNDING * mean) ** 2) | (not several)
        over_seeds, of_seeds = _pooled_over_seeds(
            np.where(agree, 0.0, seed_variance) / np.maximum(s - 1, 1),
            np.maximum(s - 1, 1),
            stochastic[left].astype(int) + stochastic[right],
            values[stochastic],
        )
        both = over_examples + over_seeds
        freedom = both**2 / (over_examples**2 / (n - 1) + over_seeds**2 / of_seeds)
        p_joint = _two_sided(mean, both, np.where(both > 0, freedom, n - 1))
        alone = (over_seeds > 0) & (of_seeds <= s - 1)
        p_seeds = np.where(alone, _two_sided(mean, over_seeds, np.maximum(s - 1, 1)), 0.0)
        effect = np.where(mean == 0, 0.0, mean / np.sqrt(n * over_examples))
    tested = (n >= MIN_EXAMPLES) & ((s > 1) | (not several))
    p = np.where(tested, np.maximum(p_joint, p_seeds), np.nan)
    effect = np.where(n > 1, effect, np.nan)
    missing = np.full((4, len(p)), np.nan)
    return Pairs(left, right, n, mean, effect, p, missing[0], holm(p), *missing[1:])


def _stochastic(values: FloatArray) -> NDArray[np.bool_]:
    """Which cells of ``values [cells, N, S]`` change with the seed on some example."""
    known = np.isfinite(values)
    high, low = np.where(known, values, -np.inf).max(axis=2), np.where(known, values, np.inf).min(axis=2)
    with np.errstate(invalid="ignore"):
        changes = (high - low > ROUNDING * np.maximum(np.abs(high), np.abs(low))) & known.any(axis=2)
    return np.asarray(changes.any(axis=1))


def _pooled_over_seeds(
    own: FloatArray, freedom: NDArray[Any], kind: NDArray[np.int64], values: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Squared standard errors over seeds, no smaller than the mean of pairs of their kind, and degrees of freedom.

    Args:
        own: float64 ``[P]``, the squared standard errors of the pairs, each by itself; 0 where seeds agree.
        freedom: ``[P]``, their degrees of freedom.
        kind: ``[P]``, the number of stochastic cells of a pair.
        values: float64 ``[K, N, S]`` of the stochastic cells.
    """
    pooled, degrees = own.copy(), freedom.astype(np.float64)
    known = np.isfinite(values)
    if values.shape[2] < 2 or len(values) < 2 or not known.any(axis=1).all():
        return pooled, degrees
    means = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
    deviations = means - means.mean(axis=1, keepdims=True)
    for count, of_kind in ((1, deviations), (2, deviations - deviations.mean(axis=0))):
        chosen = (kind == count) & (own > 0)
        covariance = of_kind @ of_kind.T
        total = float((covariance**2).sum())
        if chosen.any() and total > 0:
            pooled[chosen] = np.maximum(own[chosen], own[chosen].mean())
            degrees[chosen] *= max(1.0, round(float(np.trace(covariance)) ** 2 / total, 9))
    return pooled, degrees


def _variance_components(
    differences: FloatArray,
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray, FloatArray, FloatArray]:
    """The mean difference of each pair, and its variance over examples and over seeds.

    The variance over examples is n times the sum of squares of the effects of single examples on the mean; the variance
    over seeds is s times that of single seeds.

    Args:
        differences: ``[P, N, S]``, NaN where undefined.

    Returns:
        Number of examples n, number of seeds s, mean, variance over examples, variance over seeds; each ``[P]``.
    """
    known = np.isfinite(differences)
    n, s = known.any(axis=2).sum(axis=1), known.any(axis=1).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = np.where(known, 1 / known.sum(axis=2, keepdims=True) / n[:, None, None], 0.0)
    filled = np.where(known, differences, 0.0)
    mean = np.where(n > 0, (filled * weights).sum(axis=(1, 2)), np.nan)
    effects = np.where(known, filled - mean[:, None, None], 0.0) * weights
    example_variance = n * (effects.sum(axis=2) ** 2).sum(axis=1)
    seed_variance = s * (effects.sum(axis=1) ** 2).sum(axis=1)
    return n, s, mean, example_variance, seed_variance


def _two_sided(mean: FloatArray, variance: FloatArray, freedom: NDArray[Any]) -> FloatArray:
    """Two-sided p values of a t test, from the mean and its squared standard error; 1 for a mean of 0."""
    t = np.where(mean == 0, 0.0, np.abs(mean) / np.sqrt(variance))
    return np.asarray(2 * t_sf(t, freedom))


def _signed_rank(differences: FloatArray, enough: NDArray[np.bool_]) -> FloatArray:
    """P values ``[P]`` of Wilcoxon's signed-rank test of ``differences [P, N]``, NaN where ``enough`` is False.

    Normal approximation with continuity correction; differences of 0 are left out (Wilcoxon 1945).
    """
    out = np.full(len(differences), np.nan)
    all_zero = enough & ~(np.nan_to_num(differences) != 0).any(axis=1)
    out[all_zero] = 1.0
    complete = np.isfinite(differences).all(axis=1)
    for rows, policy in ((complete, "propagate"), (~complete, "omit")):
        tested = np.flatnonzero(rows & enough & ~all_zero)
        if len(tested):
            out[tested] = scipy.stats.wilcoxon(
                differences[tested],
                axis=1,
                method="asymptotic",
                correction=True,
                nan_policy=policy,  # type: ignore[call-overload]  # the stubs have only its former name, approx
            ).pvalue
    return out


def holm(p: FloatArray) -> FloatArray:
    """P values adjusted by Holm's step-down procedure (Holm 1979).

    Rejecting at adjusted values up to a level controls the family-wise error rate at that level, under any dependence
    between the tests.

    Args:
        p: float64 ``[P]``; NaN marks a comparison without a test, which stays NaN and is not counted.

    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    out = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    out[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * steps))
    return out


@dataclass(frozen=True)
class Friedman:
    """The result of Friedman's test, with Nemenyi's critical difference (Demsar 2006, section 3.2).

    Args:
        n: number of examples where all cells are defined.
        mean_ranks: float64 ``[cells]``, mean rank over these examples; rank 1 is the best, ties share the average rank.
            NaN with fewer than two cells, or without such an example.
        p: p value of the test; NaN with fewer than three cells or :data:`MIN_EXAMPLES` examples.
        critical_difference: difference of two mean ranks that is significant at the family-wise level 0.05; NaN
            likewise.
    """

    n: int
    mean_ranks: FloatArray
    p: float
    critical_difference: float


def friedman(values: FloatArray, higher_is_better: bool) -> Friedman:
    """Friedman's test of equal rank distributions of all cells, blocked by example.

    It assumes independent examples. Examples where a cell is undefined are left out. Values within the tolerance of
    rounding tie.

    Args:
        values: float64 ``[cells, N]``, NaN where undefined.
        higher_is_better: the direction of the values.
    """
    values = np.asarray(values, dtype=np.float64)
    complete = values[:, np.isfinite(values).all(axis=0)]
    k, n = complete.shape
    if k < 2 or n < 1:
        return Friedman(n, np.full(k, np.nan), math.nan, math.nan)
    complete = merge_ties(complete)
    ranks = average_ranks((-complete if higher_is_better else complete).T)[0].T
    mean = ranks.mean(axis=1)
    if k < 3 or n < MIN_EXAMPLES:
        return Friedman(n, mean, math.nan, math.nan)
    all_tied = bool((ranks == ranks[:1]).all())
    p = 1.0 if all_tied else friedman_p(complete)
    critical = studentized_range_95(k) / math.sqrt(2)
    return Friedman(n, mean, p, float(critical * math.sqrt(k * (k + 1) / (6 * n))))
