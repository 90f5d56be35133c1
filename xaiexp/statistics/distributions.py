"""Distributions, ranks and roots: bit for bit those of ``scipy.stats`` and ``scipy.optimize``, not imported."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "average_ranks",
    "clopper_pearson",
    "friedman_p",
    "nct_sf",
    "normal_cdf",
    "normal_ppf",
    "root",
    "studentized_range_95",
    "t_isf",
    "t_ppf",
    "t_sf",
    "wilson",
]

FloatArray = NDArray[np.float64]

_FIRST = 3
_STUDENTIZED_RANGE = (
    3.314493155398122,
    3.6331595749026278,
    3.857655510378623,
    4.030092053180576,
    4.169554155006547,
    4.286309409349043,
    4.38650911549537,
    4.474124221725907,
    4.551863584065974,
    4.621655471868518,
    4.684919847313499,
    4.7427317076846975,
    4.795923860431186,
    4.845154183957343,
    4.890951125576789,
    4.933745358126922,
    4.973892348748306,
    5.0116887941184425,
    5.0473848150087655,
    5.081193155799909,
    5.1132962282719765,
    5.143851577247147,
    5.17299617312959,
    5.200849820280358,
    5.227517890554401,
    5.25309353580552,
    5.27765949383823,
    5.30128957403117,
    5.324049888290209,
    5.345999877836653,
    5.367193175047121,
    5.387678331063073,
    5.4074994334281214,
    5.426696633056341,
    5.445306596002232,
    5.463362892514628,
    5.480896333509614,
    5.4979352627407465,
)
"""``scipy.stats.studentized_range.ppf(0.95, k, inf)`` for k from 3 to 40, each of which takes tens of milliseconds."""


def t_sf(t: ArrayLike, freedom: ArrayLike) -> FloatArray:
    """The upper tail of Student's t distribution; NaN without degrees of freedom."""
    x, df = np.broadcast_arrays(np.asarray(t, dtype=np.float64), np.asarray(freedom, dtype=np.float64))
    tail = scipy.special.stdtr(np.where(df > 0, df, 1.0), -x)
    return np.asarray(np.where(df > 0, np.where(np.isneginf(x), 1.0, np.where(np.isposinf(x), 0.0, tail)), np.nan))


def t_ppf(level: float, freedom: ArrayLike) -> FloatArray:
    """Quantiles of Student's t distribution at a level between 0 and 1; NaN without degrees of freedom."""
    df = np.asarray(freedom, dtype=np.float64)
    return np.asarray(np.where(df > 0, scipy.special.stdtrit(np.where(df > 0, df, 1.0), level), np.nan))


def t_isf(level: float, freedom: float) -> float:
    """The value that Student's t distribution exceeds with a probability between 0 and 1."""
    return float(-scipy.special.stdtrit(freedom, level)) if freedom > 0 else math.nan


def nct_sf(t: float, freedom: float, shift: float) -> float:
    """The upper tail of the noncentral t distribution."""
    tail = vars(import_module("scipy.special._ufuncs")).get("_nct_sf")
    if tail is None:  # another version of scipy
        return float(scipy.stats.nct.sf(t, freedom, shift))
    with np.errstate(over="ignore"):
        return float(np.clip(tail(t, freedom, shift), 0, 1))


def clopper_pearson(count: int, total: int) -> tuple[float, float]:
    """The exact 95 % interval of a share of ``count`` among ``total`` (Clopper and Pearson 1934)."""
    functions = vars(import_module("scipy.special._ufuncs"))
    below, above = functions.get("_binom_cdf"), functions.get("_binom_sf")
    if below is None or above is None:  # another version of scipy
        interval = scipy.stats.binomtest(count, total).proportion_ci()
        return float(interval.low), float(interval.high)
    tail = (1 - 0.95) / 2
    low = root(lambda p: float(above(count - 1, total, p)) - tail, 0.0, 1.0) if count else 0.0
    high = root(lambda p: float(below(count, total, p)) - tail, 0.0, 1.0) if count < total else 1.0
    return low, high


def normal_cdf(x: float) -> float:
    """The normal distribution function."""
    return float(scipy.special.ndtr(x))


def normal_ppf(level: float) -> float:
    """Quantiles of the normal distribution."""
    return float(scipy.special.ndtri(level))


def wilson(count: int, total: int, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a share of ``count`` among ``total`` (Newcombe 1998), without correction."""
    p = count / total
    z = scipy.special.ndtri(0.5 + 0.5 * confidence)
    width = 2 * (total + z**2)
    center = (2 * total * p + z**2) / width
    delta = z / width * math.sqrt(4 * total * p * (1 - p) + z**2)
    return (0.0 if count == 0 else float(center - delta)), (1.0 if count == total else float(center + delta))


def studentized_range_95(groups: int) -> float:
    """The 95 % quantile of the studentised range of several groups with infinite degrees of freedom."""
    if _FIRST <= groups < _FIRST + len(_STUDENTIZED_RANGE):
        return _STUDENTIZED_RANGE[groups - _FIRST]
    return float(scipy.stats.studentized_range.ppf(0.95, groups, np.inf))


def average_ranks(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ranks along the last axis from 1, those that tie share their mean, and how many tie.

    Returns:
        The ranks, and for each group of ties its size at the place of its first value in ascending order, else 0.
    """
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    first = np.concatenate(
        [np.ones((*values.shape[:-1], 1), dtype=bool), ordered[..., :-1] != ordered[..., 1:]], axis=-1
    )
    sizes = np.diff(np.flatnonzero(first), append=values.size)
    place = np.broadcast_to(np.arange(1.0, values.shape[-1] + 1), values.shape)
    shared = np.repeat(place[first] + (sizes - 1) / 2, sizes).reshape(values.shape)
    ranks, ties = np.empty(values.shape), np.zeros(values.shape)
    np.put_along_axis(ranks, order, shared, axis=-1)
    ties[first] = sizes
    return ranks, ties


def friedman_p(values: FloatArray) -> float:
    """The p value of Friedman's test of ``values [cells, N]``, whose ranks differ somewhere."""
    k, n = values.shape
    ranks, ties = average_ranks(np.ascontiguousarray(values.T))
    correction = 1 - np.sum(ties * (ties * ties - 1)) / (k * (k * k - 1) * n)
    squares = np.sum(np.sum(ranks, axis=0) ** 2)
    statistic = (12.0 / (k * n * (k + 1)) * squares - 3 * n * (k + 1)) / correction
    return float(scipy.special.chdtrc(float(k - 1), statistic))


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """A root between two values where a function has different signs, by Brent's method (``scipy.optimize.brentq``).

    Raises:
        ValueError: the signs are equal.
    """
    before, now = low, high
    f_before, f_now = function(before), function(now)
    if f_before == 0:
        return before
    if f_now == 0:
        return now
    if (f_before < 0) == (f_now < 0):
        raise ValueError("root: the function has one sign at both ends")
    other = f_other = step_before = step = 0.0
    for _ in range(100):
        if f_before != 0 and f_now != 0 and (f_before < 0) != (f_now < 0):
            other, f_other = before, f_before
            step_before = step = now - before
        if abs(f_other) < abs(f_now):
            before, now, other = now, other, now
            f_before, f_now, f_other = f_now, f_other, f_now
        tolerance = (2e-12 + 8.881784197001252e-16 * abs(now)) / 2
        half = (other - now) / 2
        if f_now == 0 or abs(half) < tolerance:
            return now
        tried = math.inf
        if abs(step_before) > tolerance and abs(f_now) < abs(f_before):
            if before == other:
                tried = -f_now * (now - before) / (f_now - f_before)
            else:
                slope = (f_before - f_now) / (before - now)
                slope_other = (f_other - f_now) / (other - now)
                tried = (
                    -f_now * (f_other * slope_other - f_before * slope) / (slope_other * slope * (f_other - f_before))
                )
        short = 2 * abs(tried) < min(abs(step_before), 3 * abs(half) - tolerance)
        step_before, step = (step, tried) if short else (half, half)
        before, f_before = now, f_now
        now += step if abs(step) > tolerance else math.copysign(tolerance, half)
        f_now = function(now)
    raise ValueError("root: not found in 100 steps")
