"""Mean scores, intervals, letters and ranks of cells over examples. NaN is an undefined score, never a value."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.statistics.intervals import crossed_intervals
from xaiexp.statistics.multiple_comparisons.comparison import compare

__all__ = [
    "SUMMARY_COLUMNS",
    "Table",
    "by_cluster",
    "example_means",
    "family_count",
    "summarise",
    "tables",
]

FloatArray = NDArray[np.float64]

_STUDY = ("model", "dataset", "seed")
SUMMARY_COLUMNS = (
    *_STUDY, "method", "baseline", "metric", "mean", "low", "high", "n", "undefined", "mean_worst", "mean_best",
    "mean_common", "n_common", "letters", "rank_low", "rank_high",
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
        targets: largest number of targets of an example, over which its score is averaged.
    """

    study: Mapping[str, Any]
    metric: str
    cells: pd.DataFrame
    by_seed: FloatArray
    undefined: NDArray[np.int64]
    targets: int = 1

    @property
    def values(self) -> FloatArray:
        """float64 ``[cells, examples]``: the mean over the seeds with a defined score; NaN where no seed has one."""
        known = np.isfinite(self.by_seed)
        with np.errstate(invalid="ignore"):
            means: FloatArray = np.where(known, self.by_seed, 0.0).sum(axis=2) / known.sum(axis=2)
        return means


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
            target, kinds = pd.factorize(rows["target"])
            pairs = np.unique(example * max(1, len(kinds)) + target)
            targets = int(np.bincount(pairs // max(1, len(kinds))).max(initial=1))
            yield Table(study_values, str(metric), cells, values, undefined, targets)


def by_cluster(scores: pd.DataFrame, clusters: Mapping[str, str]) -> pd.DataFrame:
    """Scores with the cluster in place of the example, so that clusters are what is resampled and tested.

    Examples of one cluster (images of a patient, frames of a video) are not independent. :func:`tables` and
    :func:`example_means` average all scores of a cluster, undefined ones excepted, and each cluster then counts as one
    observation, however many examples it has (summary statistics by cluster: Donner and Klar 2000, Design and Analysis
    of Cluster Randomization Trials in Health Research, chapter 6).

    Args:
        scores: rows with a column ``example``.
        clusters: example to cluster; empty where examples are independent.
    """
    if not clusters:
        return scores
    example = scores["example"].astype(str)
    return scores.assign(example=example.map(clusters).fillna(example))


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


def family_count(study_tables: Sequence[Table], directions: Mapping[str, bool | None], families: str) -> int:
    """Over how many metrics of a study the error rate of its tests holds, see :func:`~.comparison.compare`.

    Args:
        study_tables: the tables of one study.
        directions: metric to whether higher is better; None for a metric that does not rank cells.
        families: ``metric``, each metric is a family of its own; or ``all``.
    """
    ranking = [t for t in study_tables if directions.get(t.metric) is not None and len(t.cells) > 1]
    return max(1, len(ranking)) if families == "all" else 1


def summarise(
    scores: pd.DataFrame,
    directions: Mapping[str, bool | None],
    seed: int,
    over_seeds: bool = False,
    families: str = "metric",
) -> pd.DataFrame:
    """Mean, interval, letters and ranks of every cell and metric.

    Args:
        scores: rows of ``scores.parquet``: ``model dataset seed method baseline metric example target value``.
        directions: metric to whether higher is better; None for a metric that does not rank cells.
        seed: seed of the resampling.
        over_seeds: see :func:`tables`. Intervals then generalise to other seeds; letters and ranks hold for the given
            seeds.
        families: see :func:`family_count`.

    Returns:
        The columns :data:`SUMMARY_COLUMNS`; studies, metrics and cells in the order in which they first appear.
        ``mean`` is over the ``n`` examples with a defined score, and ``low`` and ``high`` are its marginal 95 %
        interval (:func:`xaiexp.statistics.intervals.crossed_intervals`), which is of one mean and says nothing about
        differences: these are paired. ``undefined`` is the number of rows without a defined score. ``mean_worst`` and
        ``mean_best`` are the mean if all undefined scores were the worst, or the best, of any cell on any example.
        ``mean_common`` is the mean over the ``n_common`` examples on which the cells are compared, and ``letters``,
        ``rank_low`` and ``rank_high`` are the result
        (:class:`xaiexp.statistics.multiple_comparisons.comparison.Comparison`), among the cells of one model, dataset,
        seed and metric; missing for a cell without a rank.

    Raises:
        KeyError: a metric is missing in ``directions``.
    """
    summaries: list[pd.DataFrame] = []
    for _, group in itertools.groupby(tables(scores, over_seeds), key=lambda table: tuple(table.study.values())):
        summaries += _study_summaries(list(group), directions, seed, families)
    if not summaries:
        return pd.DataFrame(columns=list(SUMMARY_COLUMNS))
    return pd.concat(summaries, ignore_index=True)[list(SUMMARY_COLUMNS)]


def _study_summaries(
    study_tables: Sequence[Table], directions: Mapping[str, bool | None], seed: int, families: str
) -> Iterator[pd.DataFrame]:
    """The summary of each table of one study."""
    intervals, metrics = _intervals(study_tables, seed), family_count(study_tables, directions, families)
    start = 0
    for table in study_tables:
        rows = slice(start, start + len(table.cells))
        start = rows.stop
        values = table.values
        yield table.cells.assign(
            **table.study,
            metric=table.metric,
            mean=intervals[0, rows],
            low=intervals[1, rows],
            high=intervals[2, rows],
            n=np.isfinite(values).sum(axis=1),
            undefined=table.undefined,
            **_compared(values, directions[table.metric], seed, metrics),
        )


def _compared(values: FloatArray, higher_is_better: bool | None, seed: int, metrics: int) -> dict[str, Any]:
    """The columns of the comparison of the cells; missing where the metric does not rank them."""
    cells = len(values)
    if higher_is_better is None:
        names = ("mean_worst", "mean_best", "mean_common")
        counts = dict.fromkeys(("n_common", "rank_low", "rank_high"), pd.array([None] * cells, dtype="Int64"))
        return {**dict.fromkeys(names, np.full(cells, np.nan)), **counts, "letters": ""}
    compared = compare(values, higher_is_better, seed=seed, metrics=metrics)
    worst, best = _extreme_means(values, higher_is_better)
    common = int(compared.common.sum())
    return {
        "mean_worst": worst,
        "mean_best": best,
        "mean_common": compared.means,
        "n_common": pd.array([common if i in compared.ranked else None for i in range(cells)], dtype="Int64"),
        "letters": list(compared.letters),
        "rank_low": pd.array(compared.ranks[0], dtype="Int64"),
        "rank_high": pd.array(compared.ranks[1], dtype="Int64"),
    }


def _extreme_means(values: FloatArray, higher_is_better: bool) -> tuple[FloatArray, FloatArray]:
    """The means ``[cells]`` with the worst, and the best, score of the table in place of the undefined ones."""
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(values), np.nan), np.full(len(values), np.nan)
    ends = values[known].min(), values[known].max()
    rows = known.any(axis=0)
    low, high = (np.where(known, values, end)[:, rows].mean(axis=1) for end in ends)
    return (low, high) if higher_is_better else (high, low)


def _intervals(study_tables: Sequence[Table], seed: int) -> FloatArray:
    """Mean, low and high ``[3, cells]`` of all cells of all tables, in one call so that they share resamples."""
    examples, seeds = (max(table.by_seed.shape[axis] for table in study_tables) for axis in (1, 2))
    padded = []
    for table in study_tables:
        cells, n, s = table.by_seed.shape
        padded.append(np.full((cells, examples, seeds), np.nan))
        padded[-1][:, :n, :s] = table.by_seed
    return crossed_intervals(np.concatenate(padded), seed=seed)
