"""What a study found and what went wrong, as rows to be drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xaiexp.core.ids import ALL_METHODS
from xaiexp.report.figures import agreement_svg, axis_over, axis_svg, interval_svg
from xaiexp.report.studies import CELL, StudyFolder, table
from xaiexp.report.verdicts import Judgement, judgements
from xaiexp.report.wording import DASH, bounds, cell, direction, number, plural
from xaiexp.statistics.intervals import bootstrap_interval
from xaiexp.statistics.summary import example_means

__all__ = [
    "AgreementFigure",
    "Comparison",
    "MetricTable",
    "Problem",
    "agreements",
    "comparisons",
    "metric_tables",
    "problems",
    "summary_of",
]


@dataclass(frozen=True)
class MetricRow:
    """One cell under one metric, ready to be printed."""

    name: str
    mean: str
    low: str
    high: str
    n: str
    undefined: str
    rank: str
    interval: str
    best: bool
    floor: bool


@dataclass(frozen=True)
class MetricTable:
    """One metric over all cells."""

    name: str
    summary: str
    direction: str
    bounds: str
    unit: str
    axis: str
    rows: tuple[MetricRow, ...]
    has_floor: bool
    judgement: Judgement | None


@dataclass(frozen=True)
class Problem:
    """What a reader must know before reading the numbers."""

    title: str
    severe: bool
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AgreementFigure:
    """One measure of agreement: the matrix of all pairs, or, of a measure for all cells together, a sentence."""

    name: str
    summary: str
    svg: str
    undefined: bool
    together: str


@dataclass(frozen=True)
class Comparison:
    """One metric over several studies.

    Args:
        ranked: whether any study ranks its cells by it.
        rows: of every cell its name, per study the mean and whether it came first there, and how often it did.
    """

    metric: str
    direction: str
    ranked: bool
    rows: tuple[tuple[str, tuple[tuple[str, bool], ...], str], ...]


def _float(value: Any) -> float:
    return math.nan if value is None or value is pd.NA else float(value)


def _whole(value: float) -> float | int:
    return int(value) if math.isfinite(value) and value == int(value) else value


def summary_of(study: StudyFolder) -> pd.DataFrame:
    """The study's summary; without one, the means of what scores there are, with neither intervals nor ranks."""
    if len(study.summary) or not len(study.scores):
        return study.summary
    rows = []
    keys = ["model", "dataset", "seed", *CELL, "metric"]
    for key, group in study.scores.groupby(keys, sort=False):
        values = group["value"].to_numpy(dtype=np.float64)
        known = values[np.isfinite(values)]
        numbers = {
            "mean": known.mean() if len(known) else np.nan,
            "n": len(known),
            "undefined": (~np.isfinite(values)).sum(),
        }
        rows.append(dict(zip(keys, key, strict=True)) | numbers | dict.fromkeys(("low", "high", "rank"), np.nan))
    return table(rows, "summary.csv")


def _is_random(study: StudyFolder, method: str) -> bool:
    return str(study.about("methods", method).get("name", method)) == "random"


def _by_itself(study: StudyFolder, metric: str) -> bool:
    """Whether a metric is more than what another one noticed on the way (``deletion.shift``)."""
    return metric.rpartition(".")[0] not in study.facts("metrics")


def _sorted(rows: pd.DataFrame, higher: object) -> pd.DataFrame:
    sign = -1.0 if higher else 1.0
    order = rows.assign(_rank=rows["rank"].astype(float), _mean=sign * rows["mean"].astype(float))
    return order.sort_values(["_rank", "_mean", *CELL], na_position="last", kind="stable")


def metric_tables(study: StudyFolder) -> list[MetricTable]:
    """Per metric a table of all cells, best first, drawn on one scale."""
    tables, judged = [], judgements(study)
    for name, rows in summary_of(study).groupby("metric", sort=False):
        if not _by_itself(study, str(name)):
            continue
        judgement = judged.get(str(name))
        about = study.about("metrics", str(name))
        ends = [_float(value) for column in ("mean", "low", "high") for value in rows[column]]
        axis = axis_over(ends)
        floors = [_float(row["mean"]) for _, row in rows.iterrows() if _is_random(study, row["method"])]
        floor = floors[0] if floors else math.nan
        ranks = [_float(rank) for rank in rows["rank"]]
        printed = []
        for _, row in _sorted(rows, about.get("higher_is_better")).iterrows():
            mean, low, high, rank = (_float(row[column]) for column in ("mean", "low", "high", "rank"))
            printed.append(
                MetricRow(
                    name=cell(row["method"], row["baseline"]),
                    mean=number(mean),
                    low=number(low),
                    high=number(high),
                    n=number(_whole(_float(row["n"]))),
                    undefined=number(_whole(_float(row["undefined"]))),
                    rank=DASH
                    if judgement is not None and judgement.refused
                    else number(_whole(rank)) + (" (tie)" if ranks.count(rank) > 1 else ""),
                    interval=interval_svg(axis, mean, low, high, floor) if axis else "",
                    best=rank == 1 and not (judgement is not None and judgement.refused),
                    floor=_is_random(study, row["method"]),
                )
            )
        tables.append(
            MetricTable(
                name=str(name),
                summary=str(about.get("summary") or ""),
                direction=direction(about["higher_is_better"]) if "higher_is_better" in about else "direction unknown",
                bounds=bounds(about.get("bounds")) if about else "",
                unit=str(about.get("unit") or ""),
                axis=axis_svg(axis) if axis else "",
                rows=tuple(printed),
                has_floor=math.isfinite(floor),
                judgement=judgement,
            )
        )
    return tables


def _together(rows: pd.DataFrame) -> bool:
    """Whether a measure is about all cells at once."""
    return bool((rows["method_a"] == rows["method_b"]).all() and (rows["baseline_a"] == rows["baseline_b"]).all())


def _all_at_once(rows: pd.DataFrame) -> str:
    said = []
    for name, group in rows.groupby("method_a", sort=False):
        mean, low, high = bootstrap_interval(example_means(group), seed=0)
        where = "" if name == ALL_METHODS else f" {str(name).removeprefix(ALL_METHODS).strip()}"
        said.append(f"All cells{where} together: {number(mean)} [{number(low)}, {number(high)}].")
    return " ".join(said)


def agreements(study: StudyFolder) -> list[AgreementFigure]:
    """Per measure the matrix of all pairs of cells."""
    figures = []
    for measure in dict.fromkeys(str(name) for name in study.agreement["measure"]):
        about = study.about("agreements", measure)
        rows = study.agreement[study.agreement["measure"] == measure]
        figures.append(
            AgreementFigure(
                name=measure,
                summary=str(about.get("summary") or ""),
                svg="" if _together(rows) else agreement_svg(rows, measure, about.get("bounds")),
                undefined=bool(rows["value"].isna().any()),
                together=_all_at_once(rows) if _together(rows) else "",
            )
        )
    return figures


def _cells_by_reason(rows: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    return tuple(
        (", ".join(cell(*pair) for pair in zip(group["method"], group["baseline"], strict=True)), str(reason) or DASH)
        for reason, group in rows.assign(reason=rows["reason"].fillna("").astype(str)).groupby("reason", sort=False)
    )


def problems(study: StudyFolder) -> list[Problem]:
    """Failures first, then what is missing, then skips, warnings and undefined values."""
    found, cells = [], study.cells
    failed = cells[cells["status"] == "failed"]
    status, error = study.record.get("status"), study.record.get("error")
    if status == "failed" and (error or not len(failed)):  # otherwise the failed cells say it all
        title = "This study failed in part" if (cells["status"] == "done").any() else "This study failed"
        found.append(Problem(title, True, (("", str(error or "no reason was written down")),)))
    elif status == "running":
        text = "Its record still says that it is running: it is not finished, or it was ended from outside."
        found.append(Problem("This study did not finish", True, (("", text),)))
    if len(failed):
        found.append(Problem(f"{plural(len(failed), 'failed cell')}", True, _cells_by_reason(failed)))
    if study.missing:
        found.append(Problem("Files of this study are not there", True, tuple(study.missing.items())))
    skipped = cells[cells["status"] == "skipped"]
    if len(skipped):
        found.append(Problem(f"{plural(len(skipped), 'skipped cell')}", False, _cells_by_reason(skipped)))
    warned = cells[(cells["status"] == "done") & (cells["reason"].fillna("").astype(str) != "")]
    if len(warned):
        found.append(Problem(f"{plural(len(warned), 'cell')} with a warning", False, _cells_by_reason(warned)))
    summary = summary_of(study)
    ranking = [_by_itself(study, str(metric)) for metric in summary["metric"]]
    undefined = summary[(summary["undefined"].astype(float) > 0) & np.array(ranking, dtype=bool)]
    if len(undefined):
        total = int(undefined["undefined"].astype(float).sum())
        rows = tuple(
            (
                str(metric),
                ", ".join(
                    f"{cell(row['method'], row['baseline'])}: {int(row['undefined'])}" for _, row in group.iterrows()
                ),
            )
            for metric, group in undefined.groupby("metric", sort=False)
        )
        title = f"{plural(total, 'undefined score')}, left out of the means"
        found.append(Problem(title, False, rows))
    return found


def comparisons(studies: Sequence[StudyFolder]) -> list[Comparison]:
    """Per metric the means of all studies beside each other."""
    summaries = [summary_of(study) for study in studies]
    metrics = dict.fromkeys(
        str(metric)
        for study, summary in zip(studies, summaries, strict=True)
        for metric in summary["metric"]
        if _by_itself(study, str(metric))
    )
    found = []
    for metric in metrics:
        values: list[dict[str, tuple[float, float]]] = []
        about: dict[str, Any] = {}
        for study, summary in zip(studies, summaries, strict=True):
            about = about or study.about("metrics", metric)
            rows = summary[summary["metric"] == metric]
            keys = [cell(*pair) for pair in zip(rows["method"], rows["baseline"], strict=True)]
            numbers = zip(map(_float, rows["mean"]), map(_float, rows["rank"]), strict=True)
            values.append(dict(zip(keys, numbers, strict=True)))
        cells = dict.fromkeys(name for column in values for name in column)
        ranked = sum(any(rank == 1 for _, rank in column.values()) for column in values)
        found.append(
            Comparison(
                metric=metric,
                direction=direction(about["higher_is_better"]) if "higher_is_better" in about else "direction unknown",
                ranked=ranked > 0,
                rows=tuple(
                    (
                        name,
                        tuple(_compared(column.get(name)) for column in values),
                        f"{sum(column.get(name, (0, 0))[1] == 1 for column in values)} of {ranked}",
                    )
                    for name in cells
                ),
            )
        )
    return found


def _compared(value: tuple[float, float] | None) -> tuple[str, bool]:
    return ("", False) if value is None else (number(value[0]), value[1] == 1)
