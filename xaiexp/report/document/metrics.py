"""Metrics of a study: means, differences of all pairs, mean ranks and the scores themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from xaiexp.report.document import parts
from xaiexp.report.document.binary import Binary
from xaiexp.report.results import best_first, summary_of
from xaiexp.report.studies import CELL, StudyFolder
from xaiexp.report.verdicts import comparisons_of, shift_sentence, verdicts_of
from xaiexp.statistics.frames import rows
from xaiexp.statistics.significance import friedman
from xaiexp.statistics.summary import Table, tables

__all__ = ["SHOWN", "RowIndex", "metrics"]

SHOWN = ("unknown", "different", "equal")
"""What the interval of a difference shows; the document has numbers of these."""


CURVE_VALUES = 4_000_000
"""How many values the curves of a metric on a page have at most; a larger metric has its means alone."""


class RowIndex:
    """The pairs of example and target of a study, in the order of its scores.

    Args:
        study: the study.
        most: how many are kept at most.
    """

    def __init__(self, study: StudyFolder, most: int) -> None:
        pairs = study.scores[["example", "target"]].drop_duplicates() if len(study.scores) else study.examples
        self.pairs = list(zip(pairs["example"].astype(str), pairs["target"].astype(int), strict=True))[:most]
        self.left_out = max(0, len(pairs) - most)
        self.place = {pair: i for i, pair in enumerate(self.pairs)}

    def __len__(self) -> int:
        return len(self.pairs)


def metrics(
    study: StudyFolder, cells: Mapping[tuple[str, str], int], index: RowIndex, binary: Binary
) -> tuple[parts.Metric, ...]:
    """Every metric of a study, without auxiliary values.

    Args:
        study: the study.
        cells: method and baseline to the number of the cell.
        index: of the scores.
        binary: gets the scores.
    """
    summary, compared, verdicts = summary_of(study), comparisons_of(study), verdicts_of(study)
    by_verdict = {str(row["metric"]): row for row in rows(verdicts)}
    by_metric = dict(list(compared.groupby("metric", sort=False)))
    scores = _scores(study, cells, index)
    by_unit = {table.metric: table for table in tables(study.units)}
    found = []
    for name, of_metric in summary.groupby("metric", sort=False):
        metric = str(name)
        if study.record.is_auxiliary(metric):
            continue
        facts, row = study.record.metrics.get(metric), by_verdict.get(metric)
        refused = row is not None and bool(row.get("refused"))
        higher = None if facts is None else facts.higher_is_better
        found.append(
            parts.Metric(
                name=metric,
                summary="" if facts is None else facts.summary,
                higher=higher,
                bounds=(None, None) if facts is None or facts.bounds is None else facts.bounds,
                unit="" if facts is None else facts.unit,
                refused=refused,
                verdict="" if row is None else str(row["verdict"]),
                means=tuple(_mean(each, cells, refused) for each in rows(best_first(of_metric, higher))),
                pairs=_pairs(by_metric.get(metric), cells, binary, refused),
                margin=study.record.study.margin.get(metric),
                ranks=None if refused or higher is None else _ranks(of_metric, by_unit.get(metric), cells, higher),
                scores=binary.exact(scores.get(metric, np.full((len(cells), len(index)), math.nan))),
                curves=_curves(study, metric, cells, index, binary),
                shift=shift_sentence(study, metric),
            )
        )
    return tuple(found)


def _scores(
    study: StudyFolder, cells: Mapping[tuple[str, str], int], index: RowIndex
) -> dict[str, NDArray[np.float64]]:
    """Metric to its scores ``[cells, rows]``."""
    frame = study.scores
    if not len(frame) or not len(index):
        return {}
    pairs = pd.MultiIndex.from_arrays([frame["example"].astype(str), frame["target"].astype(int)])
    places = pd.MultiIndex.from_tuples(index.pairs).get_indexer(pairs)
    numbers = pd.MultiIndex.from_tuples(list(cells)).get_indexer(
        pd.MultiIndex.from_arrays([frame["method"].astype(str), frame["baseline"].astype(str)])
    )
    codes, names = pd.factorize(frame["metric"].astype(str))
    values = np.full((len(names), len(cells), len(index)), math.nan)
    kept = (places >= 0) & (numbers >= 0)
    values[codes[kept], numbers[kept], places[kept]] = frame["value"].to_numpy(dtype=np.float64)[kept]
    return {str(name): values[i] for i, name in enumerate(names)}


def _curves(
    study: StudyFolder, metric: str, cells: Mapping[tuple[str, str], int], index: RowIndex, binary: Binary
) -> parts.Curves | None:
    frame = study.curves[study.curves["metric"] == metric]
    facts = study.record.metrics.get(metric)
    if not len(frame) or not len(index) or facts is None:
        return None
    curves = np.stack(list(frame["values"])).astype(np.float64)
    points = curves.shape[1]
    if len(cells) * len(index) * points > CURVE_VALUES:
        return None
    values = np.full((len(cells), len(index), points), math.nan)
    numbers = [cells.get(pair, -1) for pair in zip(*(frame[name].astype(str) for name in CELL), strict=True)]
    keys = zip(frame["example"].astype(str), frame["target"].astype(int), strict=True)
    places = [index.place.get(pair, -1) for pair in keys]
    kept = (np.array(numbers) >= 0) & (np.array(places) >= 0)
    values[np.array(numbers)[kept], np.array(places)[kept]] = curves[kept]
    shares = tuple(np.linspace(0, 1, points).tolist())
    return parts.Curves(shares, f"{facts.curve} features", facts.unit, binary.in_steps(values, fine=True))


def _mean(row: Mapping[str, Any], cells: Mapping[tuple[str, str], int], refused: bool) -> parts.Mean:
    def of(name: str) -> float:
        value = row[name]
        return math.nan if value is None or pd.isna(value) else float(value)

    ranks, ends, undefined = (
        (of("rank_low"), of("rank_high")),
        sorted((of("mean_worst"), of("mean_best"))),
        of("undefined"),
    )
    known = not any(map(math.isnan, ends)) and undefined > 0 and of("n") > 0
    letters = row["letters"] if isinstance(row["letters"], str) else ""
    return parts.Mean(
        cell=cells[str(row["method"]), str(row["baseline"])],
        mean=of("mean"),
        low=of("low"),
        high=of("high"),
        n=of("n"),
        undefined=undefined,
        range=(ends[0], ends[1]) if known else None,
        letters="" if refused else letters,
        ranks=None if refused or math.isnan(ranks[0]) else ranks,
        best=ranks[0] == 1 and not refused,
    )


def _pairs(
    compared: pd.DataFrame | None, cells: Mapping[tuple[str, str], int], binary: Binary, refused: bool
) -> parts.Pairs:
    columns: dict[str, ArrayLike] = {name: [] for name in ("difference", "low", "high", "p_adjusted")}
    a: list[int] = []
    b: list[int] = []
    shown: list[int] = []
    if compared is not None and not refused:
        known = compared[compared["p_adjusted"].notna()]
        a, b = (
            [cells[pair] for pair in zip(*(known[f"{name}_{side}"].astype(str) for name in CELL), strict=True)]
            for side in "ab"
        )
        columns = {name: known[name].to_numpy(dtype=np.float64) for name in columns}
        shown = [SHOWN.index(str(word)) for word in known["shown"]]
    return parts.Pairs(
        a=binary.whole(a),
        b=binary.whole(b),
        difference=binary.exact(columns["difference"]),
        low=binary.exact(columns["low"]),
        high=binary.exact(columns["high"]),
        p=binary.exact(columns["p_adjusted"]),
        shown=binary.flags(shown),
    )


def _ranks(
    summary: pd.DataFrame, table: Table | None, cells: Mapping[tuple[str, str], int], higher: bool
) -> parts.Ranks | None:
    """Friedman's mean ranks of the ranked cells; None where they cannot be told."""
    if table is None:
        return None
    ranked = summary[summary["rank_low"].notna()]
    names = set(zip(ranked["method"].astype(str), ranked["baseline"].astype(str), strict=True))
    pairs = [(str(m), str(b)) for m, b in zip(table.cells["method"], table.cells["baseline"], strict=True)]
    chosen = [i for i, pair in enumerate(pairs) if pair in names]
    if len(chosen) < 2:
        return None
    test = friedman(table.values[chosen], higher)
    if not math.isfinite(test.critical_difference):
        return None
    return parts.Ranks(
        tuple(cells[pairs[i]] for i in chosen), tuple(test.mean_ranks.tolist()), test.critical_difference
    )
