"""What the differences between mean scores come from: model, data set, baseline, method, metric parameter, seed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.statistics.tolerance import ROUNDING

__all__ = ["shares"]

Floats = NDArray[np.float64]


def shares(means: pd.DataFrame, factors: Sequence[str], value: str = "mean") -> Mapping[str, float]:
    """The part of the variance of mean scores that each factor explains; with ``rest`` they add up to 1.

    R squared of an additive model with one term a level, divided among the factors by averaging what each adds over
    all orders in which they may enter (Lindeman, Merenda and Gold 1980; the Shapley value of R squared). In a balanced
    design this is the eta squared of each main effect. ``rest`` is what only combinations of factors explain, and what
    is no factor: noise too. Nothing varies where rounding alone separates the means.

    Args:
        means: one row a cell and metric, columns ``factors`` and ``value``; rows without a value are left out.
        factors: those with one level only are left out: they explain nothing.

    Returns:
        Factor to share in 0..1, ``rest`` last; empty where nothing varies.

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
    known: dict[frozenset[str], float] = {frozenset(): 0.0}
    for size in range(1, len(varying) + 1):
        for chosen in itertools.combinations(varying, size):
            known[frozenset(chosen)] = _explained([dummies[f] for f in chosen], target) / total
    k = len(varying)
    out = {}
    for factor in varying:
        others = [f for f in varying if f != factor]
        gain = 0.0
        for size in range(k):
            weight = math.factorial(size) * math.factorial(k - size - 1) / math.factorial(k)
            for before in itertools.combinations(others, size):
                gain += weight * (known[frozenset((*before, factor))] - known[frozenset(before)])
        out[factor] = round(max(0.0, gain), 12) + 0.0
    out["rest"] = round(max(0.0, 1 - known[frozenset(varying)]), 12) + 0.0
    return out


def _explained(columns: Sequence[Floats], target: Floats) -> float:
    """The sum of squares that a linear model of these columns and a constant explains."""
    design = np.concatenate([np.ones((len(target), 1)), *columns], axis=1)
    fitted = design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return float(fitted @ fitted)
