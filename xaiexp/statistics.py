"""Intervals and ranks of scores over examples. Pure functions; NaN is "undefined" and never counted as a value.

All intervals are bootstrap intervals of a mean over examples (Efron 1979), by percentiles. Percentile intervals are
too narrow for few examples; the percentiles are therefore moved outwards as a t interval is wider than a normal one
(the "expanded percentile interval" of Hesterberg 2015, What Teachers Should Know About the Bootstrap).
With many examples the two are the same. Measured over 3,000 draws, the 95 % interval misses the mean of normal values
in 5 % of cases (16 values), 6 % (8) and 7 % (6), and that of exponential ones in 6 % (64), 8 % (16) and 11 % (8).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from xaiexp.concordance import rank_intervals
from xaiexp.significance import Pairs, paired

__all__ = ["SUMMARY_COLUMNS", "Table", "bootstrap_interval", "ranked", "ranks", "summarise", "tables"]

Floats = NDArray[np.float64]

_STUDY = ("model", "dataset", "seed")
SUMMARY_COLUMNS = (
    *_STUDY, "method", "baseline", "metric", "mean", "low", "high", "n", "undefined", "rank", "rank_low", "rank_high",
)  # fmt: skip

_RESAMPLES = 2000
_AT_ONCE = 1 << 22  # numbers drawn at a time


@dataclass(frozen=True)
class Table:
    """One metric of one study.

    Args:
        study: model, dataset and seed.
        cells: columns ``method`` and ``baseline``.
        values: ``[cells, examples]``, NaN where undefined.
        undefined: ``[cells]``, rows without a value.
    """

    study: Mapping[str, Any]
    metric: str
    cells: pd.DataFrame
    values: Floats
    undefined: NDArray[np.int64]


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


def ranks(values: Floats, higher_is_better: bool, *, level: float = 0.05) -> list[int | None]:
    """The rank of each cell: 1 and how many cells stand in the groups before its own, in the order of the means.

    One cell is better than another if a paired t test over the examples where both are defined says so at ``level``,
    after Holm's correction for all pairs (see :mod:`xaiexp.significance`). In the order of the means, a group ends
    before the first cell that one of its members beats. So nothing separates cells that share a rank. The reverse does
    not hold: "beyond the noise" is not transitive, and two cells of neighbouring groups may be a tie by themselves.

    Args:
        values: ``[cells, N]``; NaN where undefined.
        higher_is_better: which way is better.
        level: the chance of any false alarm among all pairs.

    Returns:
        One rank per cell; None for a cell without any defined value.

    >>> ranks(np.array([[1.0] * 8, [1.0] * 8, [3.0] * 8, [np.nan] * 8]), higher_is_better=True)
    [2, 2, 1, None]
    """
    values = np.asarray(values, dtype=np.float64)
    return ranked(values, paired(values), higher_is_better, level)


def ranked(values: Floats, pairs: Pairs, higher_is_better: bool, level: float = 0.05) -> list[int | None]:
    """:func:`ranks` from tests that have been made."""
    sign = 1 if higher_is_better else -1
    told = pairs.p_holm <= level
    beats = np.zeros((len(values), len(values)), dtype=bool)
    beats[pairs.left, pairs.right] = told & (sign * pairs.difference > 0)
    beats[pairs.right, pairs.left] = told & (sign * pairs.difference < 0)
    means = np.array([_mean(row[np.isfinite(row)]) for row in values])
    places: list[int | None] = [None] * len(values)
    group: list[int] = []
    first = 1
    order = [int(i) for i in np.argsort(-sign * means, kind="stable") if np.isfinite(means[i])]
    for place, i in enumerate(order, start=1):
        if beats[group, i].any():
            group, first = [], place
        group.append(i)
        places[i] = first
    return places


def tables(scores: pd.DataFrame) -> Iterator[Table]:
    """The scores of ``scores.parquet``, study by study and metric by metric, in the order in which they appear.

    Studies are kept apart: their examples need not be the same. Several values of one example (for several targets)
    are averaged, since they are not independent.
    """
    for study, part in scores.groupby(list(_STUDY), sort=False, dropna=False):
        for metric, rows in part.groupby("metric", sort=False, dropna=False):
            cells = rows[["method", "baseline"]].drop_duplicates(ignore_index=True)
            cell = rows.groupby(["method", "baseline"], sort=False, dropna=False).ngroup().to_numpy()
            example, examples = pd.factorize(rows["example"], sort=True)  # so that the order of rows changes nothing
            value = rows["value"].to_numpy(dtype=np.float64)
            known = np.isfinite(value)
            place = cell * len(examples) + example
            size = len(cells) * len(examples)
            count = np.bincount(place[known], minlength=size)
            total = np.bincount(place[known], weights=value[known], minlength=size)
            with np.errstate(invalid="ignore"):
                values = (total / count).reshape(len(cells), len(examples))
            undefined = np.bincount(cell[~known], minlength=len(cells))
            yield Table(dict(zip(_STUDY, study, strict=True)), str(metric), cells, values, undefined)


def summarise(scores: pd.DataFrame, directions: Mapping[str, bool | None], seed: int) -> pd.DataFrame:
    """Mean, interval and rank of every cell and metric.

    Args:
        scores: rows of ``scores.parquet``: ``model dataset seed method baseline metric example target value``.
        directions: metric to whether higher is better; None for numbers that rank nothing.
        seed: of the resampling.

    Returns:
        The columns :data:`SUMMARY_COLUMNS`, study by study, metrics and cells in the order in which they first
        appear. ``n`` counts the examples with a defined value and ``undefined`` the rows without one. Ranks (Int64,
        missing where nothing is defined) are among the cells of one model, data set, seed and metric; ``rank_low``
        and ``rank_high`` are the ends of the 95 % bootstrap interval of the place in the order of the means.

    Raises:
        KeyError: a metric without a direction.
    """
    parts: list[pd.DataFrame] = []
    for _, group in itertools.groupby(tables(scores), key=lambda table: tuple(table.study.values())):
        parts += _summarised(list(group), directions, seed)
    if not parts:
        return pd.DataFrame(columns=list(SUMMARY_COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(SUMMARY_COLUMNS)]


def _summarised(group: Sequence[Table], directions: Mapping[str, bool | None], seed: int) -> Iterator[pd.DataFrame]:
    # All that is resampled goes into one call, so that what has equally many examples is drawn once.
    columns = [row[np.isfinite(row)] for table in group for row in table.values]
    intervals = _intervals(columns, 0.95, _RESAMPLES, seed)
    start = 0
    for table in group:
        own = slice(start, start + len(table.cells))
        start = own.stop
        direction = directions[table.metric]
        places: list[int | None] = [None] * len(table.cells)
        ends = np.full((2, len(table.cells)), np.nan)
        if direction is not None:
            places = ranks(table.values, direction)
            ends = rank_intervals(table.values, direction, seed=seed)
        yield table.cells.assign(
            **table.study,
            metric=table.metric,
            mean=[_mean(column) for column in columns[own]],
            low=intervals[0, own],
            high=intervals[1, own],
            n=np.isfinite(table.values).sum(axis=1),
            undefined=table.undefined,
            rank=pd.array(places, dtype="Int64"),
            rank_low=ends[0],
            rank_high=ends[1],
        )
