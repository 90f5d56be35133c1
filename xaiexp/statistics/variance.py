"""Decomposition of the variance of mean scores by factor: model, dataset, baseline, method, metric parameter, seed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.statistics.tolerance import ROUNDING

__all__ = ["shares"]

FloatArray = NDArray[np.float64]


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
    dummies = {f: pd.get_dummies(rows[f].astype(str), drop_first=True).to_numpy(dtype=np.float64) for f in varying}
    r_squared: dict[frozenset[str], float] = {frozenset(): 0.0}
    for size in range(1, len(varying) + 1):
        for chosen in itertools.combinations(varying, size):
            r_squared[frozenset(chosen)] = _explained([dummies[f] for f in chosen], target) / total
    k = len(varying)
    shares_of = {}
    for factor in varying:
        others = [f for f in varying if f != factor]
        gain = 0.0
        for size in range(k):
            weight = math.factorial(size) * math.factorial(k - size - 1) / math.factorial(k)
            for before in itertools.combinations(others, size):
                gain += weight * (r_squared[frozenset((*before, factor))] - r_squared[frozenset(before)])
        shares_of[factor] = round(max(0.0, gain), 12) + 0.0
    shares_of["rest"] = round(max(0.0, 1 - r_squared[frozenset(varying)]), 12) + 0.0
    return shares_of


def _explained(columns: Sequence[FloatArray], target: FloatArray) -> float:
    """The sum of squares explained by a least-squares fit of ``columns`` and an intercept to ``target [N]``."""
    design = np.concatenate([np.ones((len(target), 1)), *columns], axis=1)
    fitted = design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return float(fitted @ fitted)
