"""The rows of the charts of a study, from its tables; the viewer makes the same from the document of a page."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from xaiexp.core.ids import CellId
from xaiexp.report.charts.places import apart, joined, pareto_front
from xaiexp.report.results import best_first, summary_of
from xaiexp.report.studies import StudyFolder
from xaiexp.report.verdicts import comparisons_of, controls, directions, verdicts_of
from xaiexp.report.wording import DASH
from xaiexp.statistics.curve_means import unit_curves
from xaiexp.statistics.frames import rows
from xaiexp.statistics.significance import friedman
from xaiexp.statistics.summary import Table, tables
from xaiexp.statistics.tolerance import difference

__all__ = [
    "FEWEST",
    "Ranking",
    "across",
    "agreement",
    "cost",
    "critical_difference",
    "curves",
    "curves_of",
    "differences",
    "intervals",
    "letters",
    "rankings",
    "win_rates",
]

FEWEST = 0.5
"""Where cells without passes of their own stand on a logarithmic axis, in passes for an example."""

_Z = 1.959964
"""Of the two-sided 95 % interval of a normal distribution."""

_NAME_GAP = 0.06
"""Between the names of two cells in the chart of cost, as a part of the range of the means."""


@dataclass(frozen=True)
class Ranking:
    """One metric of a study with what its tests show.

    Args:
        metric: its label.
        higher: whether higher is better; None where it ranks nothing.
        refused: whether there are too few examples to rank.
        means: rows of the summary of the cells with a mean, best first.
        pairs: rows of the tests of ranked cells; none where ranking is refused.
        margin: the smallest difference that matters, or 0.
        controls: labels of the control methods.
        scores: of all cells by example.
    """

    metric: str
    higher: bool | None
    refused: bool
    means: tuple[Mapping[str, Any], ...]
    pairs: tuple[Mapping[str, Any], ...]
    margin: float
    controls: frozenset[str]
    scores: Table | None

    @property
    def order(self) -> dict[str, int]:
        """The place of each cell with a mean, best first."""
        return {_name(row): place for place, row in enumerate(self.means)}


def rankings(study: StudyFolder) -> list[Ranking]:
    """Every metric of a study, without auxiliary values."""
    compared, known, left_out = comparisons_of(study), directions([study]), frozenset(controls([study]))
    refused = {str(row["metric"]) for row in rows(verdicts_of(study)) if bool(row.get("refused"))}
    scores = {table.metric: table for table in tables(study.units)} if len(study.scores) else {}
    found = []
    for name, part in summary_of(study).groupby("metric", sort=False):
        metric = str(name)
        if study.record.is_auxiliary(metric):
            continue
        higher = known.get(metric)
        tested = compared[(compared["metric"] == metric) & compared["p_adjusted"].notna()]
        found.append(
            Ranking(
                metric=metric,
                higher=higher,
                refused=metric in refused,
                means=tuple(row for row in rows(best_first(part, higher)) if math.isfinite(row["mean"])),
                pairs=() if metric in refused else tuple(rows(tested)),
                margin=float(study.record.study.margin.get(metric) or 0.0),
                controls=left_out,
                scores=scores.get(metric),
            )
        )
    return found


def _name(row: Mapping[str, Any], side: str = "") -> str:
    return str(CellId(str(row[f"method{side}"]), str(row[f"baseline{side}"])))


def _names(table: Table) -> list[str]:
    return [str(CellId(*pair)) for pair in table.cells.itertuples(index=False, name=None)]


def intervals(ranking: Ranking) -> pd.DataFrame:
    """Rows of :func:`~.means.intervals`."""
    listed = []
    for place, row in enumerate(ranking.means):
        low, high = (float(row[end]) for end in ("low", "high"))
        listed.append(
            {
                "metric": ranking.metric,
                "cell": _name(row),
                "place": place,
                "mean": float(row["mean"]),
                "low": low,
                "high": high,
                "edge": row["mean"] if math.isnan(high) else max(high, float(row["mean"])),
                "n": int(row["n"]),
                "letters": _letters(ranking, row),
                "best": not ranking.refused and row["rank_low"] == 1,
                "control": str(row["method"]) in ranking.controls,
            }
        )
    return pd.DataFrame(listed)


def _letters(ranking: Ranking, row: Mapping[str, Any]) -> str:
    return row["letters"] if isinstance(row["letters"], str) and not ranking.refused else ""


def letters(ranking: Ranking) -> pd.DataFrame:
    """Rows of :func:`~.comparisons.letters`; none where nothing is ranked."""
    listed = []
    for place, row in enumerate(ranking.means):
        dots = ""
        for letter in _letters(ranking, row):  # after Z, a letter has dots in front
            dots += letter
            if letter != ".":
                listed.append({"cell": _name(row), "place": place, "letter": dots})
                dots = ""
    return pd.DataFrame(listed, columns=["cell", "place", "letter"])


def differences(ranking: Ranking) -> pd.DataFrame:
    """Rows of :func:`~.comparisons.differences`: all pairs of ranked cells, the better mean first."""
    place, listed = ranking.order, []
    for row in ranking.pairs:
        a, b = _name(row, "_a"), _name(row, "_b")
        sign = 1 if place[a] < place[b] else -1
        first, second = (a, b) if sign > 0 else (b, a)
        low, high = sorted((sign * row["low"], sign * row["high"]))
        listed.append(
            {
                "pair": f"{first} – {second}",
                "difference": sign * row["difference"],
                "low": low,
                "high": high,
                "p": row["p_adjusted"],
                "shown": row["shown"],
                "margin": ranking.margin,
                "order": (place[first], place[second]),
            }
        )
    listed.sort(key=lambda row: row["order"])
    frame = pd.DataFrame(listed).drop(columns="order", errors="ignore")
    return frame.assign(place=range(len(frame)))


def win_rates(ranking: Ranking) -> pd.DataFrame:
    """Rows of :func:`~.comparisons.win_rates`, on the examples that the tests compare; none where nothing is ranked."""
    table, place = ranking.scores, ranking.order
    if table is None or ranking.higher is None:
        return pd.DataFrame()
    values = dict(zip(_names(table), table.values, strict=True))
    p = {frozenset((_name(row, "_a"), _name(row, "_b"))): row["p_adjusted"] for row in ranking.pairs}
    ranked = {name for pair in p for name in pair}
    common = np.ones(table.values.shape[1], dtype=bool)
    for name in ranked:
        common &= np.isfinite(values[name])
    listed = []
    for a, b in itertools.permutations(place, 2):
        gains = difference(values[a], values[b]) * (1 if ranking.higher else -1)
        counted = gains[np.isfinite(gains) & (common if frozenset((a, b)) in p else True)]
        if len(counted):
            wins, ties = int((counted > 0).sum()), int((counted == 0).sum())
            listed.append(
                {
                    "row": a, "row_place": place[a], "column": b, "column_place": place[b],
                    "share": wins / len(counted), "wins": wins, "ties": ties, "n": len(counted),
                    "p": p.get(frozenset((a, b)), math.nan),
                }
            )  # fmt: skip
    return pd.DataFrame(listed)


def critical_difference(ranking: Ranking) -> pd.DataFrame:
    """Rows of :func:`~.comparisons.critical_difference`; none where the test cannot be made."""
    table = ranking.scores
    ranked = {_name(row, side) for row in ranking.pairs for side in ("_a", "_b")}
    if table is None or ranking.higher is None or not ranked:
        return pd.DataFrame()
    names = _names(table)
    chosen = [i for i, name in enumerate(names) if name in ranked]
    test = friedman(table.values[chosen], ranking.higher)
    if not math.isfinite(test.critical_difference):
        return pd.DataFrame()
    order = sorted(zip(test.mean_ranks.tolist(), [names[i] for i in chosen], strict=True))
    half = math.ceil(len(order) / 2)
    listed: list[dict[str, Any]] = [
        {
            "kind": "cell",
            "cell": name,
            "rank": rank,
            "level": i + 1 if i < half else len(order) - i,
            "side": "left" if i < half else "right",
        }
        for i, (rank, name) in enumerate(order)
    ]
    groups = joined([rank for rank, _ in order], test.critical_difference)
    for i, (first, last) in enumerate(groups, start=1):
        listed.append(
            {"kind": "group", "start": order[first][0], "end": order[last][0], "level": i / (len(groups) + 1)}
        )
    listed.append({"kind": "critical", "start": 1.0, "end": 1 + test.critical_difference, "level": half + 0.9})
    return pd.DataFrame(listed)


def cost(ranking: Ranking, cells: pd.DataFrame) -> pd.DataFrame:
    """Rows of :func:`~.cost.cost`, of the cells whose passes were counted; none where nothing is ranked.

    Args:
        ranking: of the metric.
        cells: rows of ``cells.parquet``. A cell that the store had shows no passes, and is left out.
    """
    if ranking.higher is None:
        return pd.DataFrame()
    passes = {}
    for row in rows(cells):
        spent, examples = (float(row["forward_passes"]), float(row["backward_passes"])), float(row["examples"])
        if examples > 0 and not (row["cached"] and sum(spent) == 0):
            passes[_name(row)] = (spent[0] / examples, spent[1] / examples)
    known = [row for row in ranking.means if _name(row) in passes]
    explained = [row for row in known if str(row["method"]) not in ranking.controls]
    points = [(sum(passes[_name(row)]), float(row["mean"])) for row in explained]
    front = dict(zip(map(_name, explained), pareto_front(points, ranking.higher), strict=True))
    name_at = apart([float(row["mean"]) for row in known], _NAME_GAP)
    return pd.DataFrame(
        [
            {
                "cell": _name(row),
                "passes": sum(passes[_name(row)]),
                "at": max(FEWEST, sum(passes[_name(row)])),
                "forward": passes[_name(row)][0],
                "backward": passes[_name(row)][1],
                "mean": float(row["mean"]),
                "low": float(row["low"]),
                "high": float(row["high"]),
                "front": front.get(_name(row), False),
                "control": str(row["method"]) in ranking.controls,
                "name_at": at,
            }
            for row, at in zip(known, name_at, strict=True)
        ]
    )


def curves_of(study: StudyFolder, ranking: Ranking) -> pd.DataFrame:
    """:func:`curves` of a metric that keeps them, of its cells with a mean; none otherwise.

    Targets of an example are averaged, as are the examples of a cluster.
    """
    frame = study.curves[study.curves["metric"] == ranking.metric]
    by_cell = {_name(rows(part)[0]): part for _, part in frame.groupby(["method", "baseline"], sort=False)}
    names = [name for name in ranking.order if name in by_cell]
    if not names:
        return pd.DataFrame()
    values = [unit_curves(by_cell[name], study.clusters) for name in names]
    return curves(names, np.linspace(0, 1, values[0].shape[1]).tolist(), values)


def curves(names: Sequence[str], shares: Sequence[float], values: Sequence[ArrayLike]) -> pd.DataFrame:
    """Rows of :func:`~.curves.curves`: means over the examples with pointwise normal 95 % bands.

    Args:
        names: of the cells, in the order of the legend.
        shares: of the features that are removed or inserted.
        values: of each cell ``[N, shares]``, NaN where undefined.
    """
    listed = []
    for place, (name, of_cell) in enumerate(zip(names, values, strict=True)):
        for share, column in zip(shares, np.asarray(of_cell, dtype=np.float64).T, strict=True):
            known = column[np.isfinite(column)]
            if not len(known):
                continue
            mean = float(known.mean())
            half = _Z * float(known.std(ddof=1)) / math.sqrt(len(known)) if len(known) > 1 else math.nan
            listed.append(
                {
                    "cell": name, "place": place, "share": share,
                    "mean": mean, "low": mean - half, "high": mean + half, "n": len(known),
                }
            )  # fmt: skip
    return pd.DataFrame(listed)


def agreement(
    names: Sequence[str], means: NDArray[np.float64], counts: NDArray[np.int64], order: Sequence[int]
) -> pd.DataFrame:
    """Rows of :func:`~.agreement.agreement`.

    Args:
        names: of the cells.
        means: float64 ``[cells, cells]``, NaN where undefined.
        counts: int64 ``[cells, cells]``, the examples of each mean.
        order: of the cells, neighbours by clustering.
    """
    listed = []
    for (row_place, i), (column_place, j) in itertools.permutations(enumerate(order), 2):
        value = float(means[i, j])
        listed.append(
            {
                "row": names[i], "row_place": row_place, "column": names[j], "column_place": column_place,
                "value": value, "label": f"{value:z.2f}" if math.isfinite(value) else DASH, "n": int(counts[i, j]),
            }
        )  # fmt: skip
    return pd.DataFrame(listed)


def across(studies: Mapping[str, Ranking]) -> pd.DataFrame:
    """Rows of :func:`~.means.across`: one metric in several studies; cells in the order of their mean place.

    Args:
        studies: name of the study to its ranking of the metric.
    """
    places: dict[str, list[int]] = {}
    for ranking in studies.values():
        for cell, place in ranking.order.items():
            places.setdefault(cell, []).append(place)
    order = {cell: i for i, cell in enumerate(sorted(places, key=lambda cell: float(np.mean(places[cell]))))}
    return pd.DataFrame(
        [
            {
                "cell": _name(row), "place": order[_name(row)], "group": name, "group_place": number,
                "mean": float(row["mean"]), "low": float(row["low"]), "high": float(row["high"]), "n": int(row["n"]),
            }
            for number, (name, ranking) in enumerate(studies.items())
            for row in ranking.means
        ]
    )  # fmt: skip
