"""Curves averaged over the targets of an example and the examples of a cluster, and then over what is resampled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from xaiexp.statistics.summary import by_cluster

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["mean_curve", "unit_curves"]


def unit_curves(curves: pd.DataFrame, clusters: Mapping[str, str]) -> NDArray[np.float64]:
    """The curves of one cell and metric ``[units, shares]``, means of the values that are defined.

    Args:
        curves: its rows of ``curves.parquet``.
        clusters: example to cluster; empty where examples are independent.
    """
    units = by_cluster(curves, clusters)["example"].astype(str).to_numpy()
    points = pd.DataFrame(np.stack(list(curves["values"])).astype(np.float64))
    return points.groupby(units).mean().to_numpy()


def mean_curve(curves: pd.DataFrame, clusters: Mapping[str, str]) -> list[float]:
    """The mean over units of :func:`unit_curves`; NaN where no unit is defined."""
    return [float(value) for value in pd.DataFrame(unit_curves(curves, clusters)).mean()]
