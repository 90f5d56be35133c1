"""Mean scores, intervals and ranks of cells over examples. NaN is an undefined score and is never used as a value."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.statistics.concordance import rank_intervals
from xaiexp.statistics.intervals import crossed_intervals
from xaiexp.statistics.significance import Pairs, paired_tests

__all__ = [
    "SUMMARY_COLUMNS",
    "Table",
    "example_means",
    "ranks",
    "ranks_from_tests",
    "summarise",
    "tables",
]

FloatArray = NDArray[np.float64]

_STUDY = ("model", "dataset", "seed")
SUMMARY_COLUMNS = (
    *_STUDY, "method", "baseline", "metric", "mean", "low", "high", "n", "undefined", "rank", "rank_low", "rank_high",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """The scores of one metric, of one study or of studies that differ only in their seed.

    Args:
        study: model, dataset and seed.
        metric: label of the metric.
        cells: one row per cell, columns ``method`` and ``baseline``.
        by_seed: float64 ``[cells, examples, seeds]``, NaN where undefined; one seed for a single study.
        undefined: int64 ``[cells]``, number of rows without a finite score.
    """

    study: Mapping[str, Any]
    metric: str
    cells: pd.DataFrame
    by_seed: FloatArray
    undefined: NDArray[np.int64]

    @property
    def values(self) -> FloatArray:
        """float64 ``[cells, examples]``: the mean over the seeds with a defined score; NaN where no seed has one."""
        known = np.isfinite(self.by_seed)
        with np.errstate(invalid="ignore"):
            means: FloatArray = np.where(known, self.by_seed, 0.0).sum(axis=2) / known.sum(axis=2)
        return means


def ranks(values: FloatArray, higher_is_better: bool, *, level: float = 0.05) -> list[int | None]:
    """Ranks of cells, where cells without a significant difference share a rank.

    Cells are sorted by their means and divided into groups: a new group starts at the first cell that differs
    significantly from a member of the current group. The rank of a cell is 1 plus the number of cells in earlier
    groups. Significance is that of :func:`xaiexp.statistics.significance.paired_tests` after Holm's correction.

    No two cells of one rank differ significantly. The converse does not hold, since significance is not transitive: two
    cells with neighbouring ranks may not differ significantly. Where cells are undefined for different examples, the
    order of their means may differ from the sign of their paired difference; the verdict reports this.

    Args:
        values: float64 ``[cells, N]``, NaN where undefined.
        higher_is_better: the direction of the values.
        level: family-wise significance level over all pairs.

    Returns:
        One rank per cell, 1 is the best; None for a cell without a defined value.

    >>> ranks(np.array([[1.0] * 8, [1.0] * 8, [3.0] * 8, [np.nan] * 8]), higher_is_better=True)
    [2, 2, 1, None]
    """
    values = np.asarray(values, dtype=np.float64)
    return ranks_from_tests(values, paired_tests(values), higher_is_better, level)


def ranks_from_tests(values: FloatArray, pairs: Pairs, higher_is_better: bool, level: float = 0.05) -> list[int | None]:
    """As :func:`ranks`, from tests of all pairs of the cells that were computed before."""
    significant = np.zeros((len(values), len(values)), dtype=bool)
    significant[pairs.left, pairs.right] = significant[pairs.right, pairs.left] = pairs.p_holm <= level
    means = np.array([_mean(row[np.isfinite(row)]) for row in values])
    assigned: list[int | None] = [None] * len(values)
    group: list[int] = []
    rank = 1
    order = [int(i) for i in np.argsort(-means if higher_is_better else means, kind="stable") if np.isfinite(means[i])]
    for position, i in enumerate(order, start=1):
        if significant[group, i].any():
            group, rank = [], position
        group.append(i)
        assigned[i] = rank
    return assigned


def _mean(finite: FloatArray) -> float:
    """The mean, or NaN where there is no value."""
    return float(finite.mean()) if len(finite) else float("nan")


def tables(scores: pd.DataFrame, over_seeds: bool = False) -> Iterator[Table]:
    """One table per study and metric, in the order in which they appear.

    Several scores of one example (for several targets) are not independent and are averaged.

    Args:
        scores: rows of ``scores.parquet``.
        over_seeds: whether to combine studies that differ only in their seed; the seed of the tables is then ``"all"``,
            and examples are matched by id.
    """
    study_columns = list(_STUDY[:-1] if over_seeds else _STUDY)
    for study, part in scores.groupby(study_columns, sort=False, dropna=False):
        study_values = dict(zip(_STUDY, (*study, "all") if over_seeds else study, strict=True))
        for metric, rows in part.groupby("metric", sort=False, dropna=False):
            cells = rows[["method", "baseline"]].drop_duplicates(ignore_index=True)
            cell = rows.groupby(["method", "baseline"], sort=False, dropna=False).ngroup().to_numpy()
            # Sorted: the result must not depend on the order of rows.
            (example, examples), (seed, seeds) = (pd.factorize(rows[key], sort=True) for key in ("example", "seed"))
            value = rows["value"].to_numpy(dtype=np.float64)
            known = np.isfinite(value)
            shape = (len(cells), len(examples), len(seeds))
            index = np.ravel_multi_index((cell, example, seed), shape)
            count = np.bincount(index[known], minlength=np.prod(shape))
            total = np.bincount(index[known], weights=value[known], minlength=np.prod(shape))
            with np.errstate(invalid="ignore"):
                values = (total / count).reshape(shape)
            undefined = np.bincount(cell[~known], minlength=len(cells))
            yield Table(study_values, str(metric), cells, values, undefined)


def example_means(rows: pd.DataFrame) -> FloatArray:
    """The mean of the finite values of each example, float64 ``[N]``, sorted by example; NaN where it has none.

    Several values of one example (of several targets, or several pairs of studies) are not independent and count as one
    observation.

    Args:
        rows: columns ``example`` and ``value``.
    """
    value = rows["value"].to_numpy(dtype=np.float64)
    means = pd.Series(np.where(np.isfinite(value), value, np.nan)).groupby(rows["example"].to_numpy()).mean()
    return np.asarray(means, dtype=np.float64)


def summarise(
    scores: pd.DataFrame, directions: Mapping[str, bool | None], seed: int, over_seeds: bool = False
) -> pd.DataFrame:
    """Mean, interval and rank of every cell and metric.

    Args:
        scores: rows of ``scores.parquet``: ``model dataset seed method baseline metric example target value``.
        directions: metric to whether higher is better; None for a metric that does not rank cells.
        seed: seed of the resampling.
        over_seeds: see :func:`tables`. Intervals then generalise to other seeds; ranks hold for the given seeds.

    Returns:
        The columns :data:`SUMMARY_COLUMNS`; studies, metrics and cells in the order in which they first appear.
        ``mean``, ``low`` and ``high`` are those of :func:`xaiexp.statistics.intervals.crossed_intervals` at 95 %. ``n``
        is the number of examples with a defined score, ``undefined`` the number of rows without one. ``rank`` (Int64,
        missing where no score is defined) is that of :func:`ranks` among the cells of one model, dataset, seed and
        metric.
        ``rank_low`` and ``rank_high`` are the bounds of :func:`xaiexp.statistics.concordance.rank_intervals` at 95 %.

    Raises:
        KeyError: a metric is missing in ``directions``.
    """
    summaries: list[pd.DataFrame] = []
    for _, group in itertools.groupby(tables(scores, over_seeds), key=lambda table: tuple(table.study.values())):
        summaries += _study_summaries(list(group), directions, seed)
    if not summaries:
        return pd.DataFrame(columns=list(SUMMARY_COLUMNS))
    return pd.concat(summaries, ignore_index=True)[list(SUMMARY_COLUMNS)]


def _study_summaries(
    study_tables: Sequence[Table], directions: Mapping[str, bool | None], seed: int
) -> Iterator[pd.DataFrame]:
    """The summary of each table of one study."""
    intervals = _intervals(study_tables, seed)
    start = 0
    for table in study_tables:
        rows = slice(start, start + len(table.cells))
        start = rows.stop
        direction, values = directions[table.metric], table.values
        cell_ranks: list[int | None] = [None] * len(table.cells)
        rank_bounds = np.full((2, len(table.cells)), np.nan)
        if direction is not None:
            cell_ranks = ranks(values, direction)
            rank_bounds = rank_intervals(values, direction, seed=seed)
        yield table.cells.assign(
            **table.study,
            metric=table.metric,
            mean=intervals[0, rows],
            low=intervals[1, rows],
            high=intervals[2, rows],
            n=np.isfinite(values).sum(axis=1),
            undefined=table.undefined,
            rank=pd.array(cell_ranks, dtype="Int64"),
            rank_low=rank_bounds[0],
            rank_high=rank_bounds[1],
        )


def _intervals(study_tables: Sequence[Table], seed: int) -> FloatArray:
    """Mean, low and high ``[3, cells]`` of all cells of all tables, in one call so that they share resamples."""
    examples, seeds = (max(table.by_seed.shape[axis] for table in study_tables) for axis in (1, 2))
    padded = []
    for table in study_tables:
        cells, n, s = table.by_seed.shape
        padded.append(np.full((cells, examples, seeds), np.nan))
        padded[-1][:, :n, :s] = table.by_seed
    return crossed_intervals(np.concatenate(padded), seed=seed)
