"""Intervals and ranks of scores over examples. Pure functions; NaN is "undefined" and never counted as a value.

All intervals are bootstrap intervals of a mean over examples (Efron 1979), by percentiles. Percentile intervals are
too narrow for few examples; the percentiles are therefore moved outwards as a t interval is wider than a normal one
(the "expanded percentile interval" of Hesterberg 2015, What Teachers Should Know About the Bootstrap).
With many examples the two are the same. Measured over 3,000 draws, the 95 % interval misses the mean of normal values
in 5 % of cases (16 values), 6 % (8) and 7 % (6), and that of exponential ones in 6 % (64), 8 % (16) and 11 % (8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

__all__ = ["FEWEST", "SUMMARY_COLUMNS", "bootstrap_interval", "ranks", "summarise"]

Floats = NDArray[np.float64]

FEWEST = 6
"""Examples that a comparison needs: of five, all point the same way by chance more than once in twenty times."""

_STUDY = ("model", "dataset", "seed")
SUMMARY_COLUMNS = (*_STUDY, "method", "baseline", "metric", "mean", "low", "high", "n", "undefined", "rank")

_RESAMPLES = 2000
_AT_ONCE = 1 << 22  # numbers drawn at a time


def bootstrap_interval(
    values: Floats, confidence: float = 0.95, resamples: int = _RESAMPLES, *, seed: int
) -> tuple[float, float, float]:
    """The mean of the finite values and the ends of its interval.

    Args:
        values: ``[N]``.
        confidence: of the interval.
        resamples: how many samples with replacement are drawn.
        seed: of the draws; the same seed and number of values draw the same.

    Returns:
        mean, low, high; NaN without a value, and an interval of NaN for fewer than two.

    >>> bootstrap_interval(np.array([0.5, 0.5, np.nan]), seed=0)
    (0.5, 0.5, 0.5)
    """
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    low, high = _intervals([finite], confidence, resamples, seed)[:, 0]
    return _mean(finite), float(low), float(high)


def _mean(finite: Floats) -> float:
    return float(finite.mean()) if len(finite) else float("nan")


def _intervals(columns: Sequence[Floats], confidence: float, resamples: int, seed: int) -> Floats:
    """Ends ``[2, K]`` of the intervals of the means of K columns of finite values; NaN for fewer than two values.

    Columns with equally many values are drawn together: each interval is what it would be alone.
    """
    ends = np.full((2, len(columns)), np.nan)
    sizes = np.array([len(column) for column in columns], dtype=np.int64)
    for n in np.unique(sizes[sizes > 1]):
        group = np.flatnonzero(sizes == n)
        values = np.stack([columns[k] for k in group.tolist()], axis=1)
        ends[:, group] = _resampled(values, confidence, resamples, seed)
    return ends


def _resampled(values: Floats, confidence: float, resamples: int, seed: int) -> Floats:
    """Ends ``[2, K]`` of the intervals of the means of K columns ``[n, K]``, n > 1."""
    n, count = values.shape
    # In a canonical order and direction: the order of the examples changes nothing, and a difference the other way
    # round has the same interval the other way round.
    values = np.sort(values, axis=0)
    turned = values.mean(axis=0) < 0
    values = np.where(turned, -values[::-1], values)
    center = values.mean(axis=0)
    deviations = values - center
    rng = np.random.default_rng([seed, n])
    means = np.empty((resamples, count))
    step = max(1, _AT_ONCE // n)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(n, size=(rows, n)) + np.arange(0, rows * n, n)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        means[start : start + rows] = times.astype(np.float64) @ deviations / n
    tail = stats.norm.cdf(np.sqrt(n / (n - 1)) * stats.t.ppf((1 - confidence) / 2, n - 1))
    ends: Floats = center + np.quantile(means, [tail, 1 - tail], axis=0)
    return np.where(turned, -ends[::-1], ends)


def ranks(
    values: Floats,
    higher_is_better: bool,
    *,
    seed: int,
    confidence: float = 0.95,
    resamples: int = _RESAMPLES,
) -> list[int | None]:
    """The rank of each cell: 1 and how many cells are better beyond the noise, in the order of the means.

    One cell is better than another if the interval of their mean difference, over the examples where both are
    defined, excludes 0; that takes at least :data:`FEWEST` such examples. Cells that nothing separates share a rank,
    so a difference inside the noise is a tie. Pairs are not corrected for their number.

    Args:
        values: ``[cells, N]``; NaN where undefined.
        higher_is_better: which way is better.
        seed: of the resampling.
        confidence, resamples: as in :func:`bootstrap_interval`.

    Returns:
        One rank per cell; None for a cell without any defined value.

    >>> ranks(np.array([[1.0] * 8, [1.0] * 8, [3.0] * 8, [np.nan] * 8]), higher_is_better=True, seed=0)
    [2, 2, 1, None]
    """
    values = np.asarray(values, dtype=np.float64)
    return _ranked(values, higher_is_better, _intervals(_differences(values), confidence, resamples, seed))


def _differences(values: Floats) -> list[Floats]:
    """Of every pair of cells ``[cells, N]``, where both are defined; empty where those are too few."""
    left, right = np.triu_indices(len(values), 1)
    columns = []
    for i, j in zip(left, right, strict=True):
        difference = values[i] - values[j]
        difference = difference[np.isfinite(difference)]
        columns.append(difference if len(difference) >= FEWEST else difference[:0])
    return columns


def _ranked(values: Floats, higher_is_better: bool, intervals: Floats) -> list[int | None]:
    """Ranks from the intervals ``[2, pairs]`` of the differences of all pairs; NaN separates nobody."""
    left, right = np.triu_indices(len(values), 1)
    low, high = intervals if higher_is_better else -intervals[::-1]
    better = np.zeros(len(values), dtype=np.int64)
    np.add.at(better, right[low > 0], 1)
    np.add.at(better, left[high < 0], 1)
    defined = np.isfinite(values).sum(axis=1)
    means = np.array([np.nanmean(row) if n else np.nan for row, n in zip(values, defined, strict=True)])
    # "Beyond the noise" is not transitive: a cell never ranks before one with a better mean.
    worst = 0
    for i in np.argsort(-means if higher_is_better else means, kind="stable"):
        worst = better[i] = max(worst, int(better[i]))
    return [int(1 + b) if n else None for b, n in zip(better, defined, strict=True)]


def summarise(scores: pd.DataFrame, directions: Mapping[str, bool], seed: int) -> pd.DataFrame:
    """Mean, interval and rank of every cell and metric.

    Args:
        scores: rows of ``scores.parquet``: ``model dataset seed method baseline metric example target value``.
        directions: metric to whether higher is better.
        seed: of the resampling.

    Returns:
        The columns :data:`SUMMARY_COLUMNS`, study by study, metrics and cells in the order in which they first
        appear. ``n`` counts the defined values and ``undefined`` the others. Ranks (Int64, missing where nothing is
        defined) are among the cells of one model, data set, seed and metric.

    Raises:
        KeyError: a metric without a direction.
    """
    # Studies are kept apart: their examples need not be the same.
    parts = [
        _summarised(dict(zip(_STUDY, study, strict=True)), part, directions, seed)
        for study, part in scores.groupby(list(_STUDY), sort=False, dropna=False)
    ]
    if not parts:
        return pd.DataFrame(columns=list(SUMMARY_COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(SUMMARY_COLUMNS)]


def _summarised(study: dict[str, Any], scores: pd.DataFrame, directions: Mapping[str, bool], seed: int) -> pd.DataFrame:
    tables = [(str(metric), *_table(part)) for metric, part in scores.groupby("metric", sort=False, dropna=False)]
    # All that is resampled goes into one call, so that what has equally many examples is drawn once.
    columns: list[Floats] = []
    for _, _, values, _ in tables:
        columns += [row[np.isfinite(row)] for row in values] + _differences(values)
    intervals = _intervals(columns, 0.95, _RESAMPLES, seed)
    parts, start = [], 0
    for metric, cells, values, rows in tables:
        own = slice(start, start + len(cells))
        pairs = slice(own.stop, own.stop + len(cells) * (len(cells) - 1) // 2)
        defined = np.isfinite(values).sum(axis=1)
        ranked = _ranked(values, directions[metric], intervals[:, pairs])
        parts.append(
            cells.assign(
                **study,
                metric=metric,
                mean=[_mean(column) for column in columns[own]],
                low=intervals[0, own],
                high=intervals[1, own],
                n=defined,
                undefined=rows - defined,
                rank=pd.array(ranked, dtype="Int64"),
            )
        )
        start = pairs.stop
    return pd.concat(parts)


def _table(scores: pd.DataFrame) -> tuple[pd.DataFrame, Floats, NDArray[np.int64]]:
    """The cells of one metric, their values ``[cells, N]``, NaN where there is none, and their numbers of rows."""
    cells = scores[["method", "baseline"]].drop_duplicates(ignore_index=True)
    cell = scores.groupby(["method", "baseline"], sort=False, dropna=False).ngroup().to_numpy()
    example, examples = pd.factorize(scores["example"])
    values = np.full((len(cells), len(examples)), np.nan)
    values[cell, example] = scores["value"].to_numpy(dtype=np.float64)
    return cells, values, np.bincount(cell, minlength=len(cells))
