"""Which means of many features differ between two samples: permutation tests with one error rate for all of them.

The largest |t| of all features is compared with its distribution over permutations of the examples (max-T, Westfall
and Young 1993, algorithm 2.8 without step-down): the probability that any feature is named although the two samples
come from one population is at most the level, whatever the distribution and the dependence of the features. Independent
samples exchange their members, and t is Welch's; pairs exchange their two values: their difference changes its sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWS", "Shifts", "independent_shifts", "paired_shifts"]

FloatArray = NDArray[np.float64]

DRAWS = 4999
"""Permutations, the observed one not counted: the smallest p value is 1 / 5000."""
_CHUNK = 500


@dataclass(frozen=True)
class Shifts:
    """Tests of F features. All arrays have the shape ``[F]``.

    Args:
        before, after: the means; NaN where no value is defined.
        effect: standardised difference: Hedges' g of independent samples, the mean difference divided by the standard
            deviation of the differences of pairs; positive where the feature gained.
        p: adjusted for all features; NaN where there is no spread.
        level: at which ``p`` is compared.
    """

    before: FloatArray
    after: FloatArray
    effect: FloatArray
    p: FloatArray
    level: float

    @property
    def found(self) -> NDArray[np.bool_]:
        """Which features changed."""
        return np.asarray(self.p <= self.level)


def independent_shifts(
    before: FloatArray, after: FloatArray, *, seed: int, level: float = 0.05, draws: int = DRAWS
) -> Shifts:
    """Test the features of two independent samples.

    Args:
        before, after: float64 ``[N, F]`` and ``[M, F]``; examples with an undefined value are left out.
        seed: of the permutations.
        level: family-wise error rate.
        draws: permutations.
    """
    before, after = _defined(before), _defined(after)
    n, m = len(before), len(after)
    pooled = np.concatenate([before, after])
    scale = pooled.std(axis=0)
    usable = np.asarray((scale > 0) & (min(n, m) > 1))
    values = np.zeros_like(pooled)
    values[:, usable] = (pooled[:, usable] - pooled[:, usable].mean(axis=0)) / scale[usable]
    chosen = np.zeros((1, n + m))
    chosen[0, :n] = 1
    observed = _welch(values, chosen, n, m)[0]
    rng = np.random.default_rng([seed, n, m])
    exceeding = np.zeros(values.shape[1])
    for start in range(0, draws, _CHUNK):
        size = min(_CHUNK, draws - start)
        order = rng.random((size, n + m)).argpartition(n - 1, axis=1)[:, :n]
        drawn = np.zeros((size, n + m))
        np.put_along_axis(drawn, order, 1.0, axis=1)
        largest = np.abs(_welch(values[:, usable], drawn, n, m)).max(axis=1, initial=0.0)
        exceeding += (largest[:, None] >= np.abs(observed) - 1e-9).sum(axis=0)
    p = np.where(usable, (1 + exceeding) / (draws + 1), np.nan)
    spread = np.sqrt(((n - 1) * before.var(axis=0, ddof=1) + (m - 1) * after.var(axis=0, ddof=1)) / (n + m - 2))
    correction = 1 - 3 / (4 * (n + m) - 9)
    means = before.mean(axis=0), after.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        effect = correction * (means[1] - means[0]) / spread
    return Shifts(*means, effect, p, level)


def paired_shifts(
    before: FloatArray, after: FloatArray, *, seed: int, level: float = 0.05, draws: int = DRAWS
) -> Shifts:
    """Test the features of the same examples, explained twice.

    Args:
        before, after: float64 ``[N, F]``, row by row the same example.
        seed, level, draws: as in :func:`independent_shifts`.
    """
    known = np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1)
    before, after = before[known], after[known]
    differences = after - before
    n = len(differences)
    size = np.sqrt((differences**2).mean(axis=0)) if n else np.zeros(before.shape[1])
    usable = np.asarray((size > 0) & (n > 1))
    values = np.zeros_like(differences)
    values[:, usable] = differences[:, usable] / size[usable]
    observed = _one_sample(values, np.ones((1, n)))[0]
    rng = np.random.default_rng([seed, n])
    exceeding = np.zeros(values.shape[1])
    for start in range(0, draws, _CHUNK):
        signs = np.asarray(rng.integers(0, 2, (min(_CHUNK, draws - start), n)) * 2.0 - 1, dtype=np.float64)
        largest = np.abs(_one_sample(values[:, usable], signs)).max(axis=1, initial=0.0)
        exceeding += (largest[:, None] >= np.abs(observed) - 1e-9).sum(axis=0)
    p = np.where(usable, (1 + exceeding) / (draws + 1), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = differences.std(axis=0, ddof=1) if n > 1 else np.full(before.shape[1], np.nan)
        effect = differences.mean(axis=0) / spread
    return Shifts(before.mean(axis=0), after.mean(axis=0), effect, p, level)


def _defined(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values).all(axis=1)]


def _welch(values: FloatArray, chosen: FloatArray, n: int, m: int) -> FloatArray:
    """Welch's t ``[R, F]`` of values ``[n + m, F]`` whose first sample is chosen by ``[R, n + m]``."""
    sums, squares = chosen @ values, chosen @ values**2
    rest, rest_squares = values.sum(axis=0) - sums, (values**2).sum(axis=0) - squares
    first, second = sums / n, rest / m
    variances = (squares / n - first**2) * n / (n - 1) / n + (rest_squares / m - second**2) * m / (m - 1) / m
    return np.asarray((second - first) / np.sqrt(np.maximum(variances, 1e-12)))


def _one_sample(values: FloatArray, signs: FloatArray) -> FloatArray:
    """t ``[R, F]`` of the means of values ``[n, F]`` with the signs ``[R, n]``."""
    n = len(values)
    means = signs @ values / n
    variances = ((values**2).mean(axis=0) - means**2) / (n - 1)
    return np.asarray(means / np.sqrt(np.maximum(variances, 1e-12)))
