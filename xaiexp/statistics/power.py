"""How many examples a paired comparison needs."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from xaiexp.statistics.distributions import nct_sf, t_isf
from xaiexp.statistics.multiple_comparisons.comparison import compare
from xaiexp.statistics.significance import MIN_EXAMPLES
from xaiexp.statistics.tolerance import difference as differences

__all__ = ["Needed", "PairNeeded", "examples_needed", "pairs_needed"]

_MOST = 10_000_000


@dataclass(frozen=True)
class Needed:
    """A number of examples, with its 95 % interval where the variance was estimated from a pilot study.

    Args:
        examples: the number; None for more than ten million.
        low, high: the interval; equal to ``examples`` where the variance is known.
    """

    examples: int | None
    low: int | None
    high: int | None


def examples_needed(
    variance: float,
    difference: float,
    *,
    comparisons: int = 1,
    power: float = 0.8,
    level: float = 0.05,
    pilot: int | None = None,
) -> Needed:
    """The number of examples with which a paired t test finds a difference, from the noncentral t distribution.

    The difference is one that matters to the user. The observed difference of a study is no substitute: where it is not
    significant, the number that follows from it says nothing but how small the p value is (Hoenig and Heisey 2001).
    Assumes normal differences.

    Args:
        variance: of the differences between two cells on one example, in the squared unit of the scores.
        difference: of the population means, in the unit of the scores.
        comparisons: number of two-sided tests; each is made at ``level`` divided by it (Bonferroni).
        power: probability that the test finds the difference.
        level: family-wise error rate.
        pilot: number of examples from which ``variance`` was estimated; the interval follows from the chi-squared
            distribution of the estimate.

    Raises:
        ValueError: a variance below 0, a difference of 0, or fewer than two examples of the pilot.

    >>> examples_needed(1.0, 0.5)
    Needed(examples=34, low=34, high=34)
    """
    if not (variance >= 0 and difference != 0 and comparisons >= 1 and (pilot is None or pilot > 1)):
        raise ValueError("examples_needed: a variance of at least 0, a difference other than 0, a pilot of 2 or more")
    of = [variance] * 3
    if pilot is not None:
        freedom = pilot - 1
        of[1:] = [variance * freedom / scipy.stats.chi2.ppf(q, freedom) for q in (0.975, 0.025)]
    return Needed(*(_examples(abs(difference), math.sqrt(v), level / comparisons, power) for v in of))


@dataclass(frozen=True)
class PairNeeded:
    """How many examples one pair of cells needs.

    Args:
        left, right: the cells.
        variance: of their differences in the pilot study.
        pilot: examples of the pilot study.
        comparisons: pairs that are tested.
        needed: examples for the stated difference.
    """

    left: int
    right: int
    variance: float
    pilot: int
    comparisons: int
    needed: Needed


def pairs_needed(
    values: NDArray[np.float64], difference: float, *, power: float = 0.8, level: float = 0.05
) -> tuple[PairNeeded, PairNeeded] | None:
    """The examples that a difference needs for the pair with the median, and with the largest, variance of a pilot.

    The pairs are those of all cells that have a rank, on the examples where all of these are defined. Each is tested at
    ``level`` divided by their number (Bonferroni), which asks for slightly more examples than
    :mod:`xaiexp.statistics.multiple_comparisons.simultaneous` does. Of an even number of pairs the median is the
    upper one.

    Args:
        values: float64 ``[cells, N]`` of one metric, NaN where undefined.
        difference: see :func:`examples_needed`.
        power: likewise.
        level: likewise.

    Returns:
        The two pairs; None where fewer than two cells have two examples in common.
    """
    compared = compare(values, True, seed=0)
    common = int(compared.common.sum())
    pairs = list(itertools.combinations(sorted(compared.order), 2))
    if not pairs or common < 2:
        return None
    known = np.asarray(values, dtype=np.float64)[:, compared.common]
    variances = [float(differences(known[i], known[j]).var(ddof=1)) for i, j in pairs]
    order = sorted(range(len(pairs)), key=variances.__getitem__)

    def needed(place: int) -> PairNeeded:
        variance, count = variances[place], len(pairs)
        found = examples_needed(variance, difference, comparisons=count, power=power, level=level, pilot=common)
        return PairNeeded(*pairs[place], variance, common, count, found)

    return needed(order[len(order) // 2]), needed(order[-1])


def _examples(difference: float, deviation: float, level: float, power: float) -> int | None:
    def sufficient(count: int) -> bool:
        shift = difference * math.sqrt(count) / deviation if deviation else math.inf
        critical = t_isf(level / 2, count - 1)
        # Far from the critical value, the noncentral t distribution is a normal one, and scipy's sum may not converge.
        return shift > critical + 30 or nct_sf(critical, count - 1, shift) >= power

    low, high = MIN_EXAMPLES - 1, MIN_EXAMPLES
    while not sufficient(high):
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if sufficient(middle) else (middle, high)
    return high
