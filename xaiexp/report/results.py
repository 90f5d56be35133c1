"""The rows of the report: metrics, agreement, problems, and the comparison of studies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xaiexp.core.ids import ALL_METHODS, CellId
from xaiexp.core.record import AgreementFacts, MetricFacts
from xaiexp.report.figures import Axis, agreement_svg, axis_over, axis_svg, interval_svg
from xaiexp.report.studies import CELL, StudyFolder
from xaiexp.report.verdicts import MetricVerdict, directions, metric_verdicts
from xaiexp.report.wording import DASH, bounds, direction, number, plural
from xaiexp.statistics.intervals import bootstrap_interval
from xaiexp.statistics.summary import by_cluster, example_means, summarise

__all__ = [
    "AgreementFigure",
    "Comparison",
    "MetricTable",
    "Problem",
    "agreements",
    "best_first",
    "comparisons",
    "is_joint",
    "joint_sentence",
    "metric_tables",
    "problems",
    "summary_of",
]


@dataclass(frozen=True)
class MetricRow:
    """One cell under one metric, as the page prints it.

    Args:
        best: whether no cell is significantly better.
    """

    name: str
    mean: str
    low: str
    high: str
    n: str
    undefined: str
    letters: str
    ranks: str
    interval: str
    best: bool
    control: bool


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
    has_control: bool
    verdict: MetricVerdict | None


@dataclass(frozen=True)
class Problem:
    """A failure, skip, warning or missing file, listed before the results.

    Args:
        rows: names and texts.
        tracebacks: names with the place, and the tracebacks; folded on the page.
    """

    title: str
    severe: bool
    rows: tuple[tuple[str, str], ...]
    tracebacks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class AgreementFigure:
    """One measure of agreement.

    Args:
        svg: the matrix of all pairs of cells; empty for a measure of all cells jointly.
        undefined: whether it is undefined for some example and pair.
        joint: the agreement of all cells jointly, as a sentence; empty for a measure of pairs.
    """

    name: str
    summary: str
    svg: str
    undefined: bool
    joint: str


@dataclass(frozen=True)
class Comparison:
    """One metric over several studies.

    Args:
        ranked: whether any study ranks its cells by it.
        rows: for every cell its name, for each study the mean and whether no cell is significantly better, and in how
            many studies that is so.
    """

    metric: str
    direction: str
    ranked: bool
    rows: tuple[tuple[str, tuple[tuple[str, bool], ...], str], ...]


def _float(value: Any) -> float:
    return math.nan if value is None or value is pd.NA else float(value)


def _int_if_whole(value: float) -> float | int:
    return int(value) if math.isfinite(value) and value == int(value) else value


def summary_of(study: StudyFolder) -> pd.DataFrame:
    """The summary of the study; computed from its scores where it is missing."""
    if len(study.summary) or not len(study.scores):
        return study.summary
    known: dict[str, bool | None] = dict.fromkeys(map(str, study.scores["metric"].unique()))
    known |= directions([study])
    return summarise(study.units, known, study.seed, families=study.record.study.families)


def _is_random(study: StudyFolder, method: str) -> bool:
    facts = study.record.methods.get(method)
    return (method if facts is None else facts.name or method) == "random"


def _direction(facts: MetricFacts | None) -> str:
    return "direction unknown" if facts is None else direction(facts.higher_is_better)


def best_first(rows: pd.DataFrame, higher: bool | None) -> pd.DataFrame:
    """The rows with the best mean first, on the common examples where the cells are compared on these."""
    sign = -1.0 if higher else 1.0
    common = rows["mean_common"].astype(float)
    means = rows["mean"].astype(float)
    order = rows.assign(_common=sign * common, _mean=sign * means)
    return order.sort_values(["_common", "_mean", *CELL], na_position="last", kind="stable")


def metric_tables(study: StudyFolder) -> list[MetricTable]:
    """For every metric a table of all cells, best first, drawn on one scale; without auxiliary values."""
    tables, verdicts = [], metric_verdicts(study)
    for name, rows in summary_of(study).groupby("metric", sort=False):
        if study.record.is_auxiliary(str(name)):
            continue
        verdict, facts = verdicts.get(str(name)), study.record.metrics.get(str(name))
        axis = axis_over([_float(value) for column in ("mean", "low", "high") for value in rows[column]])
        control_means = [_float(row["mean"]) for _, row in rows.iterrows() if _is_random(study, row["method"])]
        control = control_means[0] if control_means else math.nan
        tables.append(
            MetricTable(
                name=str(name),
                summary="" if facts is None else facts.summary,
                direction=_direction(facts),
                bounds="" if facts is None else bounds(facts.bounds),
                unit="" if facts is None else facts.unit,
                axis=axis_svg(axis) if axis else "",
                rows=_metric_rows(study, rows, facts, axis, control, verdict is not None and verdict.refused),
                has_control=math.isfinite(control),
                verdict=verdict,
            )
        )
    return tables


def _metric_rows(
    study: StudyFolder,
    rows: pd.DataFrame,
    facts: MetricFacts | None,
    axis: Axis | None,
    control: float,
    refused: bool,
) -> tuple[MetricRow, ...]:
    printed = []
    for _, row in best_first(rows, None if facts is None else facts.higher_is_better).iterrows():
        mean, low, high = (_float(row[column]) for column in ("mean", "low", "high"))
        ranks = [_float(row[column]) for column in ("rank_low", "rank_high")]
        printed.append(
            MetricRow(
                name=str(CellId(row["method"], row["baseline"])),
                mean=number(mean),
                low=number(low),
                high=number(high),
                n=number(_int_if_whole(_float(row["n"]))),
                undefined=_undefined(row),
                letters=DASH if refused or not _text(row["letters"]) else _text(row["letters"]),
                ranks=DASH if refused else _rank_set(*ranks),
                interval=interval_svg(axis, mean, low, high, control) if axis else "",
                best=ranks[0] == 1 and not refused,
                control=_is_random(study, row["method"]),
            )
        )
    return tuple(printed)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _rank_set(low: float, high: float) -> str:
    """The ranks that the tests leave possible."""
    return number(_int_if_whole(low)) if low == high or math.isnan(low) else f"{low:.0f} to {high:.0f}"


def _undefined(row: Any) -> str:
    """The number of undefined scores, with the means that they could make of those that are defined."""
    count = number(_int_if_whole(_float(row["undefined"])))
    ends = sorted(_float(row[column]) for column in ("mean_worst", "mean_best"))
    if count in ("0", DASH) or not _float(row["n"]) > 0 or any(map(math.isnan, ends)):
        return count
    return f"{count} (mean {number(ends[0])} to {number(ends[1])})"


def is_joint(rows: pd.DataFrame) -> bool:
    """Whether a measure is of all cells jointly."""
    return bool((rows["method_a"] == rows["method_b"]).all() and (rows["baseline_a"] == rows["baseline_b"]).all())


def joint_sentence(rows: pd.DataFrame) -> str:
    """The agreement of all cells jointly, in words."""
    sentences = []
    for name, group in rows.groupby("method_a", sort=False):
        mean, low, high = bootstrap_interval(example_means(group), seed=0)
        space = "" if name == ALL_METHODS else f" {str(name).removeprefix(ALL_METHODS).strip()}"
        sentences.append(f"All cells{space} jointly: {number(mean)} [{number(low)}, {number(high)}].")
    return " ".join(sentences)


def agreements(study: StudyFolder) -> list[AgreementFigure]:
    """For every measure the matrix of all pairs of cells, or the agreement of all cells jointly."""
    figures = []
    for measure in dict.fromkeys(str(name) for name in study.agreement["measure"]):
        facts = study.record.agreements.get(measure, AgreementFacts())
        rows = study.agreement[study.agreement["measure"] == measure]
        figures.append(
            AgreementFigure(
                name=measure,
                summary=facts.summary,
                svg="" if is_joint(rows) else agreement_svg(rows, measure, facts.bounds),
                undefined=bool(rows["value"].isna().any()),
                joint=joint_sentence(by_cluster(rows, study.clusters)) if is_joint(rows) else "",
            )
        )
    return figures


def _cells_by_reason(rows: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    return tuple(
        (
            ", ".join(str(CellId(*pair)) for pair in zip(group["method"], group["baseline"], strict=True)),
            str(reason) or DASH,
        )
        for reason, group in rows.assign(reason=rows["reason"].fillna("").astype(str)).groupby("reason", sort=False)
    )


def _tracebacks(study: StudyFolder, failed: pd.DataFrame, of_cells: bool) -> tuple[tuple[str, str], ...]:
    """The tracebacks of the failed cells, or of everything else that failed."""
    cells = {str(CellId(*pair)) for pair in zip(failed["method"], failed["baseline"], strict=True)}
    failures = study.record.failures or {}
    return tuple(
        (f"{name}: {failure.place}", failure.traceback)
        for name, failure in failures.items()
        if failure.traceback and (name in cells) == of_cells
    )


def problems(study: StudyFolder) -> list[Problem]:
    """Failures first, then missing files, skips, warnings and undefined values."""
    listed, cells = [], study.cells
    failed = cells[cells["status"] == "failed"]
    status, error = study.record.status, study.record.error
    if status == "failed" and (error or not len(failed)):  # otherwise the failed cells are the reason
        title = "This study failed in part" if (cells["status"] == "done").any() else "This study failed"
        listed.append(
            Problem(title, True, (("", error or "no reason was recorded"),), _tracebacks(study, failed, False))
        )
    elif status == "running":
        text = 'The status in its record is still "running": it has not finished, or it was killed.'
        listed.append(Problem("This study did not finish", True, (("", text),)))
    if len(failed):
        title = plural(len(failed), "failed cell")
        listed.append(Problem(title, True, _cells_by_reason(failed), _tracebacks(study, failed, True)))
    if study.record.notes:
        listed.insert(0, Problem("Read this first", False, tuple(("", note) for note in study.record.notes)))
    left_out = () if study.record.data is None else study.record.data.left_out or ()
    if left_out:
        of = "" if study.record.data is None else f" of {study.record.data.count}"
        title = f"{len(left_out)}{of} examples left out"
        listed.append(Problem(title, False, tuple((each.example, each.reason) for each in left_out)))
    if study.missing:
        listed.append(Problem("Missing or damaged files", True, tuple(study.missing.items())))
    skipped = cells[cells["status"] == "skipped"]
    if len(skipped):
        listed.append(Problem(f"{plural(len(skipped), 'skipped cell')}", False, _cells_by_reason(skipped)))
    warned = cells[(cells["status"] == "done") & (cells["reason"].fillna("").astype(str) != "")]
    if len(warned):
        listed.append(Problem(f"{plural(len(warned), 'cell')} with a warning", False, _cells_by_reason(warned)))
    for name, examples in (study.record.undefined or {}).items():
        title = f"{name}: undefined for {plural(len(examples), 'example')}"
        listed.append(Problem(title, False, tuple((each.example, each.reason) for each in examples)))
    summary = summary_of(study)
    auxiliary = [study.record.is_auxiliary(str(metric)) for metric in summary["metric"]]
    undefined = summary[(summary["undefined"].astype(float) > 0) & ~np.array(auxiliary, dtype=bool)]
    if len(undefined):
        total = int(undefined["undefined"].astype(float).sum())
        rows = tuple(
            (
                str(metric),
                ", ".join(
                    f"{CellId(row['method'], row['baseline'])}: {int(row['undefined'])}" for _, row in group.iterrows()
                ),
            )
            for metric, group in undefined.groupby("metric", sort=False)
        )
        title = f"{plural(total, 'undefined score')}, left out of the means"
        listed.append(Problem(title, False, rows))
    return listed


def comparisons(studies: Sequence[StudyFolder]) -> list[Comparison]:
    """For every metric the means of all studies, side by side."""
    summaries = [summary_of(study) for study in studies]
    metrics = dict.fromkeys(
        str(metric)
        for study, summary in zip(studies, summaries, strict=True)
        for metric in summary["metric"]
        if not study.record.is_auxiliary(str(metric))
    )
    tables = []
    for metric in metrics:
        values: list[dict[str, tuple[float, float]]] = []
        facts: MetricFacts | None = None
        for study, summary in zip(studies, summaries, strict=True):
            facts = facts or study.record.metrics.get(metric)
            rows = summary[summary["metric"] == metric]
            keys = [str(CellId(*pair)) for pair in zip(rows["method"], rows["baseline"], strict=True)]
            numbers = zip(map(_float, rows["mean"]), map(_float, rows["rank_low"]), strict=True)
            values.append(dict(zip(keys, numbers, strict=True)))
        cells = dict.fromkeys(name for column in values for name in column)
        ranked = sum(any(rank == 1 for _, rank in column.values()) for column in values)
        tables.append(
            Comparison(
                metric=metric,
                direction=_direction(facts),
                ranked=ranked > 0,
                rows=tuple(
                    (
                        name,
                        tuple(_mean_and_first(column.get(name)) for column in values),
                        f"{sum(column.get(name, (0, 0))[1] == 1 for column in values)} of {ranked}",
                    )
                    for name in cells
                ),
            )
        )
    return tables


def _mean_and_first(value: tuple[float, float] | None) -> tuple[str, bool]:
    return ("", False) if value is None else (number(value[0]), value[1] == 1)
