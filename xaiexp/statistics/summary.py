"""Tables, means and ranks of scores over examples. Pure functions; NaN is "undefined" and never counted as a value."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.statistics.concordance import rank_intervals
from xaiexp.statistics.intervals import bootstrap_interval, crossed_intervals
from xaiexp.statistics.significance import Pairs, paired

__all__ = [
    "SUMMARY_COLUMNS",
    "Table",
    "bootstrap_interval",
    "example_means",
    "ranked",
    "ranks",
    "summarise",
    "tables",
]

Floats = NDArray[np.float64]

_STUDY = ("model", "dataset", "seed")
SUMMARY_COLUMNS = (
    *_STUDY, "method", "baseline", "metric", "mean", "low", "high", "n", "undefined", "rank", "rank_low", "rank_high",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """One metric of one study, or of studies with several seeds.

    Args:
        study: model, dataset and seed.
        cells: columns ``method`` and ``baseline``.
        by_seed: ``[cells, examples, seeds]``, NaN where undefined; one seed unless several are told.
        undefined: ``[cells]``, rows without a value.
    """

    study: Mapping[str, Any]
    metric: str
    cells: pd.DataFrame
    by_seed: Floats
    undefined: NDArray[np.int64]

    @property
    def values(self) -> Floats:
        """``[cells, examples]``: the mean over the seeds that have a value."""
        known = np.isfinite(self.by_seed)
        with np.errstate(invalid="ignore"):
            means: Floats = np.where(known, self.by_seed, 0.0).sum(axis=2) / known.sum(axis=2)
        return means


def ranks(values: Floats, higher_is_better: bool, *, level: float = 0.05) -> list[int | None]:
    """The rank of each cell: 1 and how many cells stand in the groups before its own, in the order of the means.

    One cell is better than another if a paired t test over the examples where both are defined says so at ``level``,
    after Holm's correction for all pairs (see :mod:`xaiexp.statistics.significance`). In the order of the means, a group ends
    before the first cell that is not a tie with one of its members. So nothing separates cells that share a rank. The
    reverse does not hold: "beyond the noise" is not transitive, and two cells of neighbouring groups may be a tie by
    themselves. Cells that lack different examples may have means that are ordered the other way round than where both
    are defined: the verdict says so.

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
    apart = np.zeros((len(values), len(values)), dtype=bool)
    apart[pairs.left, pairs.right] = apart[pairs.right, pairs.left] = pairs.p_holm <= level
    means = np.array([_mean(row[np.isfinite(row)]) for row in values])
    places: list[int | None] = [None] * len(values)
    group: list[int] = []
    first = 1
    order = [int(i) for i in np.argsort(-means if higher_is_better else means, kind="stable") if np.isfinite(means[i])]
    for place, i in enumerate(order, start=1):
        if apart[group, i].any():
            group, first = [], place
        group.append(i)
        places[i] = first
    return places


def _mean(finite: Floats) -> float:
    return float(finite.mean()) if len(finite) else float("nan")


def tables(scores: pd.DataFrame, over_seeds: bool = False) -> Iterator[Table]:
    """The scores of ``scores.parquet``, study by study and metric by metric, in the order in which they appear.

    Studies are kept apart: their examples need not be the same. Several values of one example (for several targets)
    are averaged, since they are not independent.

    Args:
        scores: the rows.
        over_seeds: studies that differ in their seed are one, with the seed ``"all"``; an example is known by its name.
    """
    apart = list(_STUDY[:-1] if over_seeds else _STUDY)
    for study, part in scores.groupby(apart, sort=False, dropna=False):
        told = dict(zip(_STUDY, (*study, "all") if over_seeds else study, strict=True))
        for metric, rows in part.groupby("metric", sort=False, dropna=False):
            cells = rows[["method", "baseline"]].drop_duplicates(ignore_index=True)
            cell = rows.groupby(["method", "baseline"], sort=False, dropna=False).ngroup().to_numpy()
            # Sorted, so that the order of rows changes nothing.
            (example, examples), (seed, seeds) = (pd.factorize(rows[key], sort=True) for key in ("example", "seed"))
            value = rows["value"].to_numpy(dtype=np.float64)
            known = np.isfinite(value)
            shape = (len(cells), len(examples), len(seeds))
            place = np.ravel_multi_index((cell, example, seed), shape)
            count = np.bincount(place[known], minlength=np.prod(shape))
            total = np.bincount(place[known], weights=value[known], minlength=np.prod(shape))
            with np.errstate(invalid="ignore"):
                values = (total / count).reshape(shape)
            undefined = np.bincount(cell[~known], minlength=len(cells))
            yield Table(told, str(metric), cells, values, undefined)


def example_means(rows: pd.DataFrame) -> Floats:
    """``[N]``: the mean of the finite ``value`` of each ``example``, sorted by its name; NaN where it has none.

    Several values of one example (of several targets, of several pairs of studies) are one observation.
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
        directions: metric to whether higher is better; None for numbers that rank nothing.
        seed: of the resampling.
        over_seeds: see :func:`tables`; intervals are then for other seeds too, ranks for these.

    Returns:
        The columns :data:`SUMMARY_COLUMNS`, study by study, metrics and cells in the order in which they first
        appear. ``n`` counts the examples with a defined value and ``undefined`` the rows without one. Ranks (Int64,
        missing where nothing is defined) are among the cells of one model, data set, seed and metric; ``rank_low``
        and ``rank_high`` are the ends of the 95 % bootstrap interval of the place in the order of the means.

    Raises:
        KeyError: a metric without a direction.
    """
    parts: list[pd.DataFrame] = []
    for _, group in itertools.groupby(tables(scores, over_seeds), key=lambda table: tuple(table.study.values())):
        parts += _summarised(list(group), directions, seed)
    if not parts:
        return pd.DataFrame(columns=list(SUMMARY_COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(SUMMARY_COLUMNS)]


def _summarised(group: Sequence[Table], directions: Mapping[str, bool | None], seed: int) -> Iterator[pd.DataFrame]:
    intervals = _intervals(group, seed)
    start = 0
    for table in group:
        own = slice(start, start + len(table.cells))
        start = own.stop
        direction, values = directions[table.metric], table.values
        places: list[int | None] = [None] * len(table.cells)
        ends = np.full((2, len(table.cells)), np.nan)
        if direction is not None:
            places = ranks(values, direction)
            ends = rank_intervals(values, direction, seed=seed)
        yield table.cells.assign(
            **table.study,
            metric=table.metric,
            mean=intervals[0, own],
            low=intervals[1, own],
            high=intervals[2, own],
            n=np.isfinite(values).sum(axis=1),
            undefined=table.undefined,
            rank=pd.array(places, dtype="Int64"),
            rank_low=ends[0],
            rank_high=ends[1],
        )


def _intervals(group: Sequence[Table], seed: int) -> Floats:
    """Mean, low, high ``[3, cells]`` of all tables of a study, in one call: what is equally long is drawn once."""
    longest, seeds = (max(table.by_seed.shape[axis] for table in group) for axis in (1, 2))
    padded = []
    for table in group:
        cells, n, s = table.by_seed.shape
        padded.append(np.full((cells, longest, seeds), np.nan))
        padded[-1][:, :n, :s] = table.by_seed
    return crossed_intervals(np.concatenate(padded), seed=seed)
