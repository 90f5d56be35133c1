"""Simultaneous tests and intervals of mean differences: one critical value for the largest of all t statistics.

The differences of all pairs come from the same examples, so that their t statistics are correlated. The critical value
is the 95 % quantile of the largest one (max-T, Westfall and Young 1993), which no unequal spread of the cells disturbs.
Two resamplings estimate it, and the larger quantile counts:

- sign flips: the residuals of an example, of all pairs together, keep or change their sign at random. Right where the
  differences are symmetric, as those of exchangeable cells are, whatever the tails and ties;
- studentised bootstrap: examples are drawn with replacement, and t is computed anew. Right, for enough examples, where
  differences are skew, as those of cells with unequal spreads are when scores are skew or partly zero. Pairs with fewer
  than ten examples off their most frequent difference are left out of it, since a resample may miss all of these.

``benchmarks/claims.py`` measures error rates and coverage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xaiexp.statistics.distributions import nct_sf, root, t_isf, t_sf
from xaiexp.statistics.resampling import MIN_VARYING, bootstrap_chunk, off_mode, sign_chunk, steps
from xaiexp.statistics.tolerance import ROUNDING

__all__ = ["Family", "any_separated", "simultaneous"]

FloatArray = NDArray[np.float64]

_DRAWS = 1999  # (draws + 1) times the level is a whole number
_MAX_CHUNK_ELEMENTS = 1 << 21  # of the largest array in a chunk of resamples
_FEW = 100  # resamples after which :func:`any_separated` looks again


@dataclass(frozen=True)
class Family:
    """Tests and intervals of P mean differences that hold together. All arrays have the shape ``[P]``.

    Args:
        critical: the t statistic that the largest of the family exceeds with a probability of ``level``, if all
            population means are 0.
        mean: mean difference, in the unit of the scores.
        low, high: simultaneous interval ``mean -+ critical * standard error``; high is infinite for one-sided tests.
        p: p value of the largest statistic; at most ``level`` exactly where the interval excludes 0.
        separated: whether the interval excludes 0 (one-sided: is above 0).
        detectable: population difference that the test of this pair finds with a probability of 80 %, for normal
            differences with the observed spread.
    """

    critical: float
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    separated: NDArray[np.bool_]
    detectable: FloatArray


def simultaneous(
    differences: FloatArray, *, seed: int, one_sided: bool = False, level: float = 0.05, draws: int = _DRAWS
) -> Family:
    """Test all mean differences against 0, with a family-wise error rate of ``level``.

    Assumes that the examples are independent draws from one population.

    Args:
        differences: float64 ``[P, N]``, at least two examples, without NaN: paired by example.
        seed: seed of the resampling.
        one_sided: whether only differences above 0 count.
        level: family-wise error rate, and 1 minus the simultaneous coverage.
        draws: number of sign flips and of resamples. All ``2^N`` sign flips are made where these are fewer.
    """
    count, n = differences.shape
    mean, residuals, error, constant, t = _statistics(differences)
    tested = np.flatnonzero(~constant)
    critical = _critical_alone(n, one_sided, level)  # never below the value of one test alone
    p = _p_alone(t, n, one_sided)
    if len(tested) > 1:
        at_once = max(1, _MAX_CHUNK_ELEMENTS // len(tested))
        resamplings = _resamplings(residuals[tested], seed, draws, at_once, one_sided)
        largest = [np.concatenate(list(resampled)) for resampled in resamplings]
        critical = max(critical, *(_upper_quantile(values, level) for values in largest))
        statistic = t if one_sided else np.abs(t)
        p = np.maximum(p, np.max([_p_values(values, statistic) for values in largest], axis=0))
        p = np.where(constant, _p_alone(t, n, one_sided), p)
    low, high = mean - critical * error, mean + critical * error
    separated = (low > 0) if one_sided else (low > 0) | (high < 0)
    power = _noncentrality(critical, n) * error
    return Family(critical, mean, low, np.full(count, np.inf) if one_sided else high, p, separated, power)


def any_separated(
    differences: FloatArray, *, seed: int, one_sided: bool = False, level: float = 0.05, draws: int = _DRAWS
) -> bool:
    """Whether :func:`simultaneous` with these arguments separates any pair, found with fewer resamples.

    It stops as soon as so many resamples reach the largest observed statistic that the critical value does too (Besag
    and Clifford 1991).
    """
    n = differences.shape[1]
    _, residuals, _, constant, t = _statistics(differences)
    statistic = t if one_sided else np.abs(t)
    observed = float(statistic.max())
    tested = np.flatnonzero(~constant)
    if observed <= _critical_alone(n, one_sided, level):
        return False
    if len(tested) < 2:
        return True
    for resampled in _resamplings(residuals[tested], seed, draws, _FEW, one_sided):
        reached = made = 0
        for largest in resampled:
            reached, made = reached + int((largest >= observed).sum()), made + len(largest)
            if reached >= level * (draws + 1):
                return False
        if reached >= math.floor(level * (made + 1)):
            return False
    return True


def _statistics(
    differences: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_], FloatArray]:
    """Means, residuals, standard errors, whether a difference is constant, and t statistics."""
    n = differences.shape[1]
    mean = differences.mean(axis=1)
    residuals = differences - mean[:, None]
    squares = (residuals**2).sum(axis=1)
    # The spread of a constant difference is rounding error.
    constant = squares <= n * (ROUNDING * np.abs(mean)) ** 2
    error = np.where(constant, 0.0, np.sqrt(squares / (n - 1) / n))
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(mean == 0, 0.0, mean / error)
    return mean, residuals, error, constant, t


def _critical_alone(n: int, one_sided: bool, level: float) -> float:
    """The critical value of a single t test."""
    return t_isf(level if one_sided else level / 2, n - 1)


def _resamplings(
    residuals: FloatArray, seed: int, draws: int, at_once: int, one_sided: bool
) -> Iterator[Iterator[FloatArray]]:
    """For both resamplings, the largest t statistics ``[R]`` of the residuals ``[P, n]``, R at most ``at_once``.

    A t statistic grows with the mean relative to the root mean square, ``u = m / sqrt(mean of squares)``:
    ``t = u sqrt(n - 1) / sqrt(1 - u^2)``. So the largest u is found, and turned into t.
    """
    n = residuals.shape[1]
    squared = residuals**2
    unit = np.ascontiguousarray((residuals / np.sqrt(squared.sum(axis=1) * n)[:, None]).T)

    def flipped() -> Iterator[FloatArray]:
        # Residuals sum to 0, which makes their flipped mean too small by this factor.
        factor = (n - 1) / n
        for signs in _parts(sign_chunk, seed, draws, n, at_once):
            u = signs @ unit
            largest = u.max(axis=1) if one_sided else np.maximum(u.max(axis=1), -u.min(axis=1))
            yield _statistic_of(largest, n) / math.sqrt(factor)

    yield flipped()
    varying = off_mode(residuals) >= MIN_VARYING

    def bootstrapped() -> Iterator[FloatArray]:
        of_varying, squares = (np.ascontiguousarray(part[varying].T) for part in (residuals, squared))
        for counts in _parts(bootstrap_chunk, seed, draws, n, at_once):
            means, scale = counts @ of_varying, counts @ squares
            ratio = means * np.abs(means) if one_sided else means * means
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio /= scale  # n u^2, with its sign
            # A resample without spread around 0 has no square and a mean of 0.
            largest = np.where(np.isnan(ratio), 0.0, ratio).max(axis=1) / n
            yield _statistic_of(np.sign(largest) * np.sqrt(np.abs(largest)), n)

    if varying.any():
        yield bootstrapped()


def _statistic_of(u: FloatArray, n: int) -> FloatArray:
    """t statistics from means relative to root mean squares; infinite where all n are equal."""
    with np.errstate(divide="ignore"):
        return np.asarray(u * math.sqrt(n - 1) / np.sqrt(np.maximum(1 - u**2, 0.0)))


def _parts(
    chunk_of: Callable[[int, int, int, int], FloatArray], seed: int, draws: int, n: int, at_once: int
) -> Iterator[FloatArray]:
    """The resamples ``[R, n]``, at most ``at_once`` at a time."""
    for chunk, size in enumerate(steps(draws, n)):
        resamples = chunk_of(seed, chunk, size, n)
        for start in range(0, len(resamples), at_once):
            yield resamples[start : start + at_once]


def _upper_quantile(values: FloatArray, level: float) -> float:
    """The value that at most a share ``level`` of the values and the observed one together reach."""
    reached = math.floor(level * (len(values) + 1))
    return float(np.partition(values, len(values) - reached)[len(values) - reached]) if reached else math.inf


def _p_values(values: FloatArray, statistic: FloatArray) -> FloatArray:
    """The share of resamples, with the observed one, whose largest statistic reaches the observed ones ``[P]``."""
    ordered = np.sort(values)
    reached = len(values) - np.searchsorted(ordered, statistic, side="left")
    return np.asarray((1 + reached) / (len(values) + 1))


def _p_alone(t: FloatArray, n: int, one_sided: bool) -> FloatArray:
    """P values of single t tests."""
    return t_sf(t, n - 1) if one_sided else np.asarray(2 * t_sf(np.abs(t), n - 1))


def _noncentrality(critical: float, n: int, power: float = 0.8) -> float:
    """The mean, in standard errors, for which a t statistic exceeds ``critical`` with the probability ``power``."""
    if not math.isfinite(critical):
        return math.inf
    return root(lambda shift: nct_sf(critical, n - 1, shift) - power, 0.0, critical * 2 + 10)
