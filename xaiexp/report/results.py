"""What a page says of a study: its problems, its summary, and agreement of all cells jointly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xaiexp.core.ids import ALL_METHODS, CellId
from xaiexp.report.studies import CELL, StudyFolder
from xaiexp.report.verdicts import directions
from xaiexp.report.wording import DASH, number, plural
from xaiexp.statistics.intervals import bootstrap_interval
from xaiexp.statistics.summary import example_means, summarise

__all__ = ["Problem", "best_first", "is_joint", "joint_sentence", "problems", "summary_of"]


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


def summary_of(study: StudyFolder) -> pd.DataFrame:
    """The summary of the study; computed from its scores where it is missing."""
    if len(study.summary) or not len(study.scores):
        return study.summary
    known: dict[str, bool | None] = dict.fromkeys(map(str, study.scores["metric"].unique()))
    known |= directions([study])
    return summarise(study.units, known, study.seed, families=study.record.study.families)


def best_first(rows: pd.DataFrame, higher: bool | None) -> pd.DataFrame:
    """The rows with the best mean first, on the common examples where the cells are compared on these."""
    sign = -1.0 if higher else 1.0
    common = rows["mean_common"].astype(float)
    means = rows["mean"].astype(float)
    order = rows.assign(_common=sign * common, _mean=sign * means)
    return order.sort_values(["_common", "_mean", *CELL], na_position="last", kind="stable")


def is_joint(rows: pd.DataFrame) -> bool:
    """Whether a measure is of all cells jointly."""
    cells = rows[["method_a", "baseline_a", "method_b", "baseline_b"]].drop_duplicates().astype(str)
    return bool((cells["method_a"] == cells["method_b"]).all() and (cells["baseline_a"] == cells["baseline_b"]).all())


def joint_sentence(rows: pd.DataFrame) -> str:
    """The agreement of all cells jointly, in words."""
    sentences = []
    for name, group in rows.groupby("method_a", sort=False, observed=True):
        mean, low, high = bootstrap_interval(example_means(group), seed=0)
        space = "" if name == ALL_METHODS else f" {str(name).removeprefix(ALL_METHODS).strip()}"
        sentences.append(f"All cells{space} jointly: {number(mean)} [{number(low)}, {number(high)}].")
    return " ".join(sentences)


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
