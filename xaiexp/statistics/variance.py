"""Decomposition of the variance of mean scores by factor: model, dataset, baseline, method, metric parameter, seed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.statistics.resampling import resample_counts
from xaiexp.statistics.tolerance import ROUNDING

__all__ = ["Share", "corrected_shares", "shares"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """The share of a factor in the variance between cells, in [0, 1], with its 95 % interval over examples."""

    share: float
    low: float
    high: float


def corrected_shares(
    values: FloatArray, cells: pd.DataFrame, factors: Sequence[str], *, seed: int, resamples: int = 300
) -> Mapping[str, Share]:
    """The shares of :func:`shares` without sampling noise, with intervals for other examples.

    Means of finitely many examples differ by noise too, and a factor with many levels collects more of it. Therefore
    the degrees of freedom of a factor times the variance of the noise are subtracted from its sum of squares, as in
    epsilon squared (Kelley 1935); negative results are set to 0, and the shares are of the sum of what is left. The
    variance of the noise is that of the interaction of cells and examples, divided by the number of examples. The
    intervals are percentiles of a bootstrap over examples, whose own noise is subtracted likewise.

    Args:
        values: float64 ``[cells, N]``; examples where a cell is undefined are left out.
        cells: the columns ``factors``, a row a cell, each combination once.
        factors: columns; those with a single level are left out.
        seed: seed of the resampling.
        resamples: number of bootstrap resamples.

    Returns:
        Factor to share, then ``rest``: the interactions. Empty where fewer than two factors vary, there are fewer than
        two common examples, or the means do not differ by more than noise.
    """
    values = values[:, np.isfinite(values).all(axis=0)]
    varying = [f for f in factors if cells[f].nunique(dropna=False) > 1]
    count, n = values.shape
    if len(varying) < 2 or n < 2:
        return {}
    residuals = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    noise = float((residuals**2).sum()) / ((count - 1) * (n - 1)) / n
    freedom = {f: cells[f].nunique(dropna=False) - 1 for f in varying}
    freedom["rest"] = max(0, count - 1 - sum(freedom.values()))

    forms = _quadratic_forms(cells, varying)

    def corrected(means: FloatArray, times: int) -> FloatArray:
        """Shares ``[factors, R]`` of means ``[R, cells]``; NaN where nothing is left."""
        centred = means - means.mean(axis=1, keepdims=True)
        left = np.stack(
            [np.einsum("rc,cd,rd->r", centred, form, centred) - times * freedom[f] * noise for f, form in forms.items()]
        )
        left = np.where(np.sqrt((centred**2).mean(axis=1)) > ROUNDING * np.abs(means).max(axis=1), left, 0.0)
        left = np.maximum(left, 0.0)
        with np.errstate(invalid="ignore"):
            return np.asarray(left / left.sum(axis=0))

    estimate = corrected(values.mean(axis=1)[None], 1)[:, 0]
    if np.isnan(estimate).any():
        return {}
    drawn = corrected(resample_counts(np.random.default_rng([seed, n]), resamples, n) @ values.T / n, 2)
    low, high = np.quantile(drawn[:, ~np.isnan(drawn[0])], [0.025, 0.975], axis=1)
    return {f: Share(float(estimate[k]), float(low[k]), float(high[k])) for k, f in enumerate(forms)}


def shares(means: pd.DataFrame, factors: Sequence[str], value: str = "mean") -> Mapping[str, float]:
    """The share of the variance of mean scores that each factor explains.

    R squared of a linear model of main effects (one dummy variable per level) is divided among the factors. The share
    of a factor is the mean, over all orders in which the factors can enter the model, of the increase of R squared
    (Lindeman, Merenda and Gold 1980; the Shapley value of R squared). In a balanced design it is the eta squared of the
    main effect. ``rest`` is 1 - R squared: interactions between factors, and noise. The shares describe the given rows;
    they are not estimates for other levels of the factors.

    Args:
        means: one row per cell and metric, with the columns ``factors`` and ``value``. Rows whose value is not finite
            are left out.
        factors: columns; those with a single level are left out.
        value: the column of the mean scores.

    Returns:
        Factor to share in [0, 1], then ``rest``; they sum to 1. Empty where the means are equal within the tolerance
        :data:`xaiexp.statistics.tolerance.ROUNDING`, or no factor has two levels.

    >>> table = pd.DataFrame({"method": ["a", "a", "b", "b"], "baseline": ["x", "y", "x", "y"], "mean": [0.0, 1, 0, 1]})
    >>> shares(table, ["method", "baseline"])
    {'method': 0.0, 'baseline': 1.0, 'rest': 0.0}
    """
    rows = means[np.isfinite(means[value].to_numpy(dtype=np.float64))]
    target = rows[value].to_numpy(dtype=np.float64)
    largest = float(np.abs(target).max(initial=0.0))
    target = target - target.mean() if len(target) else target
    total = float(target @ target)
    varying = [f for f in factors if rows[f].nunique(dropna=False) > 1]
    if len(rows) < 2 or total <= len(rows) * (ROUNDING * largest) ** 2 or not varying:
        return {}
    shares_of = {f: float(target @ form @ target) / total for f, form in _quadratic_forms(rows, varying).items()}
    return {f: round(max(0.0, share), 12) + 0.0 for f, share in shares_of.items()}


def _quadratic_forms(rows: pd.DataFrame, varying: Sequence[str]) -> dict[str, FloatArray]:
    """For every factor, and for ``rest``, the matrix ``[n, n]`` of its sum of squares of centred values."""
    dummies = {f: pd.get_dummies(rows[f].astype(str), drop_first=True).to_numpy(dtype=np.float64) for f in varying}
    n, k = len(rows), len(varying)
    fitted = {
        frozenset(chosen): _projection([dummies[f] for f in chosen], n)
        for size in range(k + 1)
        for chosen in itertools.combinations(varying, size)
    }
    forms = {}
    for factor in varying:
        others = [f for f in varying if f != factor]
        form = np.zeros((n, n))
        for size in range(k):
            weight = math.factorial(size) * math.factorial(k - size - 1) / math.factorial(k)
            for before in itertools.combinations(others, size):
                form += weight * (fitted[frozenset((*before, factor))] - fitted[frozenset(before)])
        forms[factor] = form
    return {**forms, "rest": np.eye(n) - fitted[frozenset(varying)]}


def _projection(columns: Sequence[FloatArray], n: int) -> FloatArray:
    """The matrix ``[n, n]`` that fits ``columns`` and an intercept by least squares."""
    design = np.concatenate([np.ones((n, 1)), *columns], axis=1)
    return np.asarray(design @ np.linalg.pinv(design), dtype=np.float64)
