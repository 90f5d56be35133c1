"""A null study: how often the tests of a verdict separate cells of equal means, on scores like the observed ones.

The cells get equal means: from every difference of two cells its mean is subtracted, which keeps the shape of the
scores, their skew and the dependence between the cells. Examples are then drawn with replacement, all cells of an
example together, and each sample is tested as the observed one was. Every separation is false. Random signs would make
the differences symmetric, and so hide the errors that come from skew. It is the outer loop of a double bootstrap
(Davison and Hinkley 1997, sections 4.5 and 5.6).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xaiexp.statistics.distributions import clopper_pearson
from xaiexp.statistics.multiple_comparisons.simultaneous import any_separated
from xaiexp.statistics.resampling import MIN_VARYING, off_mode

__all__ = ["NullRate", "null_rate"]

FloatArray = NDArray[np.float64]


_PAIRED_SAMPLES = 400_000  # samples times pairs; 200 samples of all pairs of 63 cells
_FEWEST = 25


@dataclass(frozen=True)
class NullRate:
    """The share of samples with a false separation, in [0, 1].

    Args:
        rate: NaN where no difference varies enough.
        low, high: the 95 % interval of Clopper and Pearson (1934), for the number of samples.
        draws: samples.
    """

    rate: float
    low: float
    high: float
    draws: int


def null_rate(
    differences: FloatArray, *, seed: int, draws: int, one_sided: bool = False, level: float = 0.05, inner: int = 0
) -> NullRate:
    """How often a family of tests separates some pair if all population means are equal.

    Pairs whose differences leave their most frequent value on fewer than ten examples are left out: most samples would
    not show how they vary.

    Args:
        differences: float64 ``[P, N]``, of the scores of two cells each, paired by example, without NaN.
        seed: of the resampling.
        draws: number of samples; of many pairs fewer, so that pairs times samples are at most 400,000, but at least 25.
        one_sided, level: of the tests, see :func:`xaiexp.statistics.multiple_comparisons.simultaneous.simultaneous`.
        inner: resamples of each test; 0 for so many that ten of them lie above the critical value, 199 for a level of
            5 %. The verdict takes more, which makes its critical value less noisy.
    """
    inner = inner or math.ceil(10 / level) - 1
    varying = differences[off_mode(differences) >= MIN_VARYING]
    n = differences.shape[1]
    if not len(varying) or not draws:
        return NullRate(np.nan, np.nan, np.nan, 0)
    draws = min(draws, max(_FEWEST, _PAIRED_SAMPLES // len(varying)))
    centred = varying - varying.mean(axis=1, keepdims=True)
    rng = np.random.default_rng([seed, n, 2])
    false = sum(
        any_separated(
            centred[:, rng.integers(n, size=n)], seed=seed + draw, one_sided=one_sided, level=level, draws=inner
        )
        for draw in range(draws)
    )
    return NullRate(false / draws, *clopper_pearson(false, draws), draws)
