"""Metrics that differ only in how they remove features, and whether the order of the cells depends on it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy

from xaiexp.core.ids import CellId
from xaiexp.results.sentences import first_three
from xaiexp.statistics.multiple_comparisons.comparison import Comparison
from xaiexp.statistics.summary import Table

__all__ = ["across_removals", "mean_of_finite", "removal_groups", "removal_name"]


def removal_groups(metrics: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, dict[str, str]]:
    """Groups of metrics that differ only in how they remove features.

    Args:
        metrics: label to the metric's name and parameters.

    Returns:
        Name of the metric to removal to label, for groups of at least two. Where several groups have one name, the
        other parameters follow the name.
    """
    by_parameters: dict[tuple[str, str], dict[str, str]] = {}
    for label, (name, parameters) in metrics.items():
        if "removal" in parameters:
            others = {k: v for k, v in parameters.items() if k != "removal"}
            key = (name, json.dumps(others, sort_keys=True, default=str))
            by_parameters.setdefault(key, {})[removal_name(parameters["removal"])] = label
    groups = {key: labels for key, labels in by_parameters.items() if len(labels) > 1}
    names = [name for name, _ in groups]
    return {(name if names.count(name) == 1 else f"{name} {rest}"): labels for (name, rest), labels in groups.items()}


def removal_name(removal: Any) -> str:
    """A removal in the words of messages: its name, and the parameters that a record has of it.

    >>> removal_name({"name": "blur", "sigma": 3.0})
    'blur(sigma=3.0)'
    """
    if not isinstance(removal, Mapping):
        return str(removal)
    values = ", ".join(f"{key}={value}" for key, value in removal.items() if key != "name")
    return f"{removal['name']}({values})" if values else str(removal["name"])


def across_removals(tables_by_removal: Mapping[str, tuple[Table, Comparison, bool]]) -> str:
    """Whether the order of the cells depends on how features are removed."""
    reversed_pairs: dict[str, None] = {}
    taus = []
    for (one, first), (two, second) in itertools.combinations(tables_by_removal.items(), 2):
        cells = [list(table.cells.itertuples(index=False, name=None)) for table, _, _ in (first, second)]
        both = [cell for cell in cells[0] if cell in cells[1]]
        a, b = ([listed.index(cell) for cell in both] for listed in cells)
        means = []
        for rows, (table, _, higher) in ((a, first), (b, second)):
            values = np.array([mean_of_finite(table.values[i]) for i in rows])
            means.append(values if higher else -values)
        known = np.isfinite(means[0]) & np.isfinite(means[1])
        if known.sum() > 1:
            taus.append(float(scipy.stats.kendalltau(means[0][known], means[1][known]).statistic))
        for i, j in itertools.permutations(range(len(both)), 2):
            if first[1].better[a[i], a[j]] and second[1].better[b[j], b[i]]:
                left, right = (CellId(*both[k]) for k in (i, j))
                reversed_pairs[f"{left} beats {right} with {one} and loses to it with {two}"] = None
    lowest = (
        f"lowest Kendall tau between two orders of the means {min(taus):.2f}"
        if taus and np.isfinite(taus).all()
        else ""
    )
    if not reversed_pairs:
        words = "no two methods change places with the removal beyond the noise"
    else:
        words = f"the order of the methods changes with the removal: {first_three(list(reversed_pairs))}"
    return f"{words}; {lowest}" if lowest else words


def mean_of_finite(row: np.ndarray[Any, Any]) -> float:
    """The mean of the finite values; NaN where there are none."""
    known = row[np.isfinite(row)]
    return float(known.mean()) if len(known) else math.nan
