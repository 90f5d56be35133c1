"""Whether one cell is better than another: paired tests, corrected for their number, with effect sizes.

Cells meet the same examples, so everything is paired by example; where an example has several values (several
targets, several seeds) they are averaged before, since they are not independent. Such a test is about other examples
under these seeds. :func:`crossed` takes the seeds as a sample too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from xaiexp.statistics.tolerance import ROUNDING, difference, level

__all__ = ["FEWEST", "Friedman", "Pairs", "crossed", "friedman", "holm", "more_examples", "paired"]

Floats = NDArray[np.float64]

FEWEST = 6
"""Examples that a comparison needs: of five, all point the same way by chance more than once in twenty times."""

_AT_ONCE = 1 << 22  # differences at a time


@dataclass(frozen=True)
class Pairs:
    """All pairs ``i < j`` of cells, in the order of ``numpy.triu_indices``; arrays ``[P]``.

    Args:
        left, right: i and j.
        n: examples where both are defined.
        difference: mean of ``value_i - value_j``.
        effect: Cohen's d_z, the mean difference in standard deviations of the differences (Lakens 2013).
        p: two-sided, of the paired t test; NaN with fewer than :data:`FEWEST` examples.
        p_signed_rank: likewise, of Wilcoxon's signed-rank test.
        p_holm: ``p`` after Holm's correction for all pairs that were tested.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    n: NDArray[np.int64]
    difference: Floats
    effect: Floats
    p: Floats
    p_signed_rank: Floats
    p_holm: Floats


def paired(values: Floats, signed_rank: bool = False) -> Pairs:
    """Test all pairs of cells.

    Args:
        values: ``[cells, N]``, NaN where undefined.
        signed_rank: whether Wilcoxon's test is made too; its column is NaN otherwise.
    """
    values = np.asarray(values, dtype=np.float64)
    left, right = np.triu_indices(len(values), 1)
    differences = difference(values[left], values[right])
    n = np.isfinite(differences).sum(axis=1)
    filled = np.nan_to_num(differences)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(n > 0, filled.sum(axis=1) / n, np.nan)
        spread = np.where(np.isfinite(differences), differences - mean[:, None], 0.0)
        deviation = np.sqrt((spread**2).sum(axis=1) / (n - 1))
        # A constant difference has no spread but what rounding leaves: then it is certain, or there is none.
        constant = deviation <= ROUNDING * np.abs(mean)
        deviation = np.where(constant, 0.0, deviation)
        effect = np.where(mean == 0, 0.0, mean / deviation)
        p = 2 * stats.t.sf(np.abs(effect) * np.sqrt(n), n - 1)
    enough = n >= FEWEST
    p = np.where(enough, p, np.nan)
    ranked = _signed_rank(differences, enough) if signed_rank else np.full(len(p), np.nan)
    effect = np.where(n > 1, effect, np.nan)
    return Pairs(left, right, n, mean, effect, p, ranked, holm(p))


def crossed(values: Floats) -> Pairs:
    """Test all pairs of cells for other examples and other seeds.

    A difference must stand out twice. Over examples and seeds together, by min F' (Clark 1973, The
    Language-as-Fixed-Effect Fallacy): ``t = mean / sqrt(V_N + V_S)``, with the squared standard errors of the mean over
    N examples and over S seeds, and Satterthwaite's degrees of freedom. And over the seeds alone, by a t test of S
    differences: the variance of few seeds is small by chance often enough to spoil the tails that Holm's correction
    looks at. Where the seeds agree, this is :func:`paired`; where they do not, two or three of them tell little.

    Measured in 100 sweeps of 12 equal cells and 64 examples, with a false alarm in 5 of them meant: where the effect of
    the seed is as large as that of the example, min F' alone raises one in 93 (2 seeds), 56 (3) or 20 (5) sweeps,
    both tests in 4, 5 and 5, and :func:`paired`, which takes these seeds for all that there are, in 100. Where seeds
    are nothing but noise that is another for each example, these are 0, 0 and 1, and :func:`paired` raises 4.

    Args:
        values: ``[cells, N, S]``, NaN where undefined. A pair is compared for the examples and seeds where both are
            defined, each example as the mean over its seeds.

    Returns:
        As :func:`paired`, without a signed-rank test; ``p`` is the larger of the two. NaN where the pair has one alone
        of several seeds in common.
    """
    values = np.asarray(values, dtype=np.float64)
    left, right = np.triu_indices(len(values), 1)
    step = max(1, _AT_ONCE // max(1, values[0].size if len(values) else 0))
    blocks = [
        _spreads(difference(values[left[start : start + step]], values[right[start : start + step]]))
        for start in range(0, max(1, len(left)), step)
    ]
    n, s, mean, of_examples, of_seeds = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    several = values.shape[2] > 1
    with np.errstate(invalid="ignore", divide="ignore"):
        # As in a paired test: what rounding leaves is no spread.
        of_examples = np.where(of_examples <= (ROUNDING * mean) ** 2, 0.0, of_examples) / (n - 1)
        agree = (of_seeds <= (ROUNDING * mean) ** 2) | (not several)
        of_seeds = np.where(agree, 0.0, of_seeds) / np.maximum(s - 1, 1)
        both = of_examples + of_seeds
        freedom = both**2 / (of_examples**2 / (n - 1) + of_seeds**2 / np.maximum(s - 1, 1))
        together = _two_sided(mean, both, np.where(both > 0, freedom, n - 1))
        over_seeds = np.where(of_seeds > 0, _two_sided(mean, of_seeds, np.maximum(s - 1, 1)), 0.0)
        effect = np.where(mean == 0, 0.0, mean / np.sqrt(n * of_examples))
    tested = (n >= FEWEST) & ((s > 1) | (not several))
    p = np.where(tested, np.maximum(together, over_seeds), np.nan)
    return Pairs(left, right, n, mean, np.where(n > 1, effect, np.nan), p, np.full(len(p), np.nan), holm(p))


def _spreads(differences: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats, Floats]:
    """Of ``[P, N, S]``: how many examples and seeds there are, the mean, and the variances over examples and seeds.

    A variance is n or s times the sum of squares of what single examples or seeds move the mean by.
    """
    known = np.isfinite(differences)
    n, s = known.any(axis=2).sum(axis=1), known.any(axis=1).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = np.where(known, 1 / known.sum(axis=2, keepdims=True) / n[:, None, None], 0.0)
    filled = np.where(known, differences, 0.0)
    mean = np.where(n > 0, (filled * parts).sum(axis=(1, 2)), np.nan)
    rest = np.where(known, filled - mean[:, None, None], 0.0) * parts
    of_examples = n * (rest.sum(axis=2) ** 2).sum(axis=1)
    of_seeds = s * (rest.sum(axis=1) ** 2).sum(axis=1)
    return n, s, mean, of_examples, of_seeds


def _two_sided(mean: Floats, variance: Floats, freedom: NDArray[Any]) -> Floats:
    t = np.where(mean == 0, 0.0, np.abs(mean) / np.sqrt(variance))
    return np.asarray(2 * stats.t.sf(t, freedom))


def _signed_rank(differences: Floats, enough: NDArray[np.bool_]) -> Floats:
    """By the normal approximation with continuity correction; differences of 0 are left out, as Wilcoxon did."""
    out = np.full(len(differences), np.nan)
    alike = enough & ~(np.nan_to_num(differences) != 0).any(axis=1)
    out[alike] = 1.0
    whole = np.isfinite(differences).all(axis=1)
    for rows, policy in ((whole, "propagate"), (~whole, "omit")):
        tested = np.flatnonzero(rows & enough & ~alike)
        if len(tested):
            out[tested] = stats.wilcoxon(
                differences[tested],
                axis=1,
                method="asymptotic",
                correction=True,
                nan_policy=policy,  # type: ignore[call-overload]  # the stubs know its old name, approx
            ).pvalue
    return out


def holm(p: Floats) -> Floats:
    """P values that control the chance of any false alarm among all of them (Holm 1979); NaN is not counted.

    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    out = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    out[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * steps))
    return out


def more_examples(effect: float, n: int, power: float = 0.8, level: float = 0.05) -> int | None:
    """How many more examples than ``n`` a paired t test needs to find a difference of this size.

    Args:
        effect: Cohen's d_z.
        n: examples so far.
        power: the chance to find it.
        level: two-sided, of the test.

    Returns:
        None where there is no difference to be found.
    """
    effect = abs(effect)
    if not effect > 0:
        return None
    if math.isinf(effect):
        return max(0, FEWEST - n)

    def found(count: int) -> bool:
        critical = stats.t.ppf(1 - level / 2, count - 1)
        shift = effect * math.sqrt(count)
        chance = stats.nct.sf(critical, count - 1, shift) if shift < 30 else 1.0
        return bool(chance >= power)

    low, high = max(FEWEST, 2) - 1, max(FEWEST, n)
    while not found(high):
        low, high = high, 2 * high
        if high > 10_000_000:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return max(0, high - n)


@dataclass(frozen=True)
class Friedman:
    """Friedman's test of whether all cells are alike, and Nemenyi's critical difference (Demsar 2006, section 3.2).

    Args:
        n: examples where all cells are defined.
        mean_ranks: ``[cells]`` over these, 1 is the best.
        p: of the test; NaN with fewer than three cells or :data:`FEWEST` examples.
        critical_difference: of two mean ranks at level 0.05.
    """

    n: int
    mean_ranks: Floats
    p: float
    critical_difference: float


def friedman(values: Floats, higher_is_better: bool) -> Friedman:
    """Test cells ``[cells, N]``; examples where one is undefined are left out."""
    values = np.asarray(values, dtype=np.float64)
    complete = values[:, np.isfinite(values).all(axis=0)]
    k, n = complete.shape
    if k < 2 or n < 1:
        return Friedman(n, np.full(k, np.nan), math.nan, math.nan)
    complete = level(complete)
    ranks = stats.rankdata(-complete if higher_is_better else complete, axis=0)
    mean = ranks.mean(axis=1)
    if k < 3 or n < FEWEST:
        return Friedman(n, mean, math.nan, math.nan)
    alike = bool((ranks == ranks[:1]).all())
    p = 1.0 if alike else float(stats.friedmanchisquare(*complete).pvalue)
    critical = stats.studentized_range.ppf(0.95, k, np.inf) / math.sqrt(2)
    return Friedman(n, mean, p, float(critical * math.sqrt(k * (k + 1) / (6 * n))))
