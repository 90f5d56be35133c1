"""The tables and lines that the program prints."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from xaiexp.core.ids import CellId
from xaiexp.core.record import LeftOutFacts, MetricFacts, PerformanceFacts, Record
from xaiexp.statistics.frames import mean_agreement, rows

if TYPE_CHECKING:
    import pandas as pd

    from xaiexp.statistics.power import PairNeeded

__all__ = [
    "agreement_tables",
    "left_out_lines",
    "notes",
    "performance_line",
    "plan_table",
    "plugins_table",
    "power_table",
    "result_paths",
    "store_table",
    "summary_tables",
    "verdict_lines",
]


_MORE = (
    "more in verdicts.csv and on the page: the mean of the best cell, heterogeneity of the examples, the difference "
    "that would be found, the family of the tests, and how often they err on scores like these"
)


def _blocks(columns: Sequence[str], build: Callable[[Sequence[str]], Table], width: int) -> list[Table]:
    """Tables of as many columns as fit into the width each, at least one."""
    wide = Console(width=10_000)
    blocks: list[list[str]] = [[]]
    for column in columns:
        if blocks[-1] and wide.measure(build([*blocks[-1], column])).maximum > width:
            blocks.append([])
        blocks[-1].append(column)
    return [build(block) for block in blocks]


def summary_tables(summary: pd.DataFrame, record: Record, refused: Collection[str], width: int) -> list[Table]:
    """Cells by metric: mean, letters, the marginal 95 % interval of the mean, and n where other cells have more.

    Args:
        summary: rows of ``summary.csv``; auxiliary values of metrics are left out.
        record: of the study.
        refused: metrics whose ranking was refused; they are shown without letters.
        width: columns of the terminal; metrics that do not fit go into further tables.
    """
    names = list(dict.fromkeys(summary["metric"])) if len(summary) else []
    names = [name for name in names if not record.is_auxiliary(name)]
    cells: dict[CellId, dict[str, dict[str, Any]]] = {}
    for row in rows(summary):
        cells.setdefault(CellId(row["method"], row["baseline"]), {})[row["metric"]] = row
    most = {name: max(by_metric[name]["n"] for by_metric in cells.values() if name in by_metric) for name in names}

    def build(chosen: Sequence[str]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("method / baseline", no_wrap=True)
        for name in chosen:
            better = record.metrics.get(name, MetricFacts()).higher_is_better
            arrow = "" if better is None else (" ↑" if better else " ↓")
            table.add_column(f"{name}{arrow}", justify="right", no_wrap=True)
        for cell, by_metric in cells.items():
            scores = (_score(by_metric.get(name), name in refused, most[name]) for name in chosen)
            table.add_row(str(cell), *scores)
        return table

    return _blocks(names, build, width)


def verdict_lines(verdicts: pd.DataFrame) -> list[str]:
    """The verdicts in brief, one line a metric, and where the rest of them is."""
    lines = [f"{row['metric']}: {row['brief']}" for row in rows(verdicts)]
    if any(row["brief"] != row["verdict"] for row in rows(verdicts)):
        lines.append(_MORE)
    return lines


def _score(row: Mapping[str, Any] | None, refused: bool, most: int) -> str:
    if row is None or row["n"] == 0:
        return "–"
    letters = "" if refused or not row["letters"] else f" {row['letters']}"
    interval = "" if math.isnan(row["low"]) else f"\n[{_number(row['low'])}, {_number(row['high'])}]"
    count = "" if row["n"] == most else f"\nn = {row['n']}"
    return f"{_number(row['mean'])}{letters}{interval}{count}"


def _number(value: float) -> str:
    if value != 0 and not 1e-3 <= abs(value) < 1e4:
        return f"{value:.2g}"
    return f"{value:.3f}"


def agreement_tables(agreement: pd.DataFrame, measure: str, width: int) -> list[Table]:
    """The mean agreement of every pair of cells in one measure; columns that do not fit go into further tables."""
    values: dict[tuple[str, str], float] = {}
    labels: dict[str, None] = {}
    for row in rows(mean_agreement(agreement[agreement["measure"] == measure])):
        a, b = (str(CellId(row[f"method_{side}"], row[f"baseline_{side}"])) for side in "ab")
        labels |= {a: None, b: None}
        values[a, b] = values[b, a] = row["value"]
    numbers = {label: i + 1 for i, label in enumerate(labels)}

    def build(chosen: Sequence[str]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("", no_wrap=True)
        for label in chosen:
            table.add_column(str(numbers[label]), justify="right", no_wrap=True)
        for a in labels:
            entries = ["·" if a == b else _short(values.get((a, b), float("nan"))) for b in chosen]
            table.add_row(f"{numbers[a]} {a}", *entries)
        return table

    return _blocks(list(labels), build, width)


def _short(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:z.2f}"


def notes(cells: pd.DataFrame, errors: Mapping[str, str]) -> list[str]:
    """Skipped and failed cells, warnings, and metrics and agreements that failed, one a line."""
    lines = []
    for row in rows(cells):
        if row["reason"]:
            status = "" if row["status"] == "done" else f"{row['status']}: "
            lines.append(f"{CellId(row['method'], row['baseline'])}: {status}{row['reason']}")
    lines += [f"{name}: failed: {reason}" for name, reason in errors.items()]
    return lines


def performance_line(facts: PerformanceFacts | None) -> str:
    """How well the model does on the explained examples; empty where it is not known."""
    if facts is None:
        return ""
    known = [
        ("accuracy", facts.accuracy, f" (chance {facts.chance:.1%})" if facts.chance is not None else ""),
        ("exact match", facts.exact_match, ""),
        ("macro F1", facts.macro_f1, ""),
        ("R^2", facts.r2, ""),
        ("mean absolute error", facts.mean_absolute_error, ""),
    ]
    shares = ("accuracy", "exact match")
    said = [
        f"{name} {value:.1%}{more}" if name in shares else f"{name} {value:.4g}"
        for name, value, more in known
        if value is not None
    ]
    return f"model on the {facts.examples} explained examples with labels: {', '.join(said)}" if said else ""


def left_out_lines(record: Record) -> list[str]:
    """The examples that are left out, and those for which a metric has no value, as one line each."""
    lines = []
    if record.data is not None and record.data.left_out:
        total = "" if record.data.count is None else f" of {record.data.count}"
        lines.append(f"left out: {len(record.data.left_out)}{total} examples: {_named(record.data.left_out)}")
    for name, examples in (record.undefined or {}).items():
        if name not in {str(cell) for cell in record.objects or {}}:  # cells have a note of their own
            lines.append(f"{name}: undefined for {len(examples)} examples: {_named(examples)}")
    return lines


def _named(examples: Sequence[LeftOutFacts]) -> str:
    """The first examples with their reasons."""
    named = ", ".join(f"{each.example} ({each.reason})" for each in examples[:3])
    return named + (f" and {len(examples) - 3} more" if len(examples) > 3 else "")


def plan_table(cells: Sequence[Mapping[str, str]]) -> Table:
    """The cells of a plan: whether each runs, and its passes."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("method", "baseline", "runs", "passes", "reason"):
        table.add_column(column, justify="right" if column == "passes" else "left", overflow="fold")
    for row in cells:
        table.add_row(*(row[c] for c in ("method", "baseline", "runs", "passes", "reason")))
    return table


def power_table(needed: Sequence[tuple[str, str, PairNeeded]], unit: str) -> Table:
    """How many examples a difference needs, in 80 columns.

    Args:
        needed: metric, the two cells of a pair below each other, and the examples that it needs.
        unit: of resampling, ``examples`` or ``clusters``.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, width=80)
    table.add_column("metric", overflow="fold")
    for name in ("pair", "variance", unit):
        table.add_column(name, justify="left" if name == "pair" else "right", overflow="fold")
    previous = ""
    for metric, cells, pair in needed:
        low, high = (_bounded(count) for count in (pair.needed.low, pair.needed.high))
        count = _bounded(pair.needed.examples)
        about = f"{metric}\n{pair.comparisons} pairs, pilot {pair.pilot}"
        table.add_row("" if metric == previous else about, cells, f"{pair.variance:.2g}", f"{count}\n[{low}, {high}]")
        previous = metric
    return table


def _bounded(count: int | None) -> str:
    return "> 10 million" if count is None else f"{count:,}"


def plugins_table(entries: Sequence[tuple[str, ...]], columns: Sequence[str]) -> Table:
    """Plugins or components, one a row; names are never broken into two lines."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("plugin", "kind", "name"))
    for row in entries:
        table.add_row(*row)
    return table


def store_table(rows: Sequence[Sequence[str]]) -> Table:
    """Files of a store: kind, number, size, and when the oldest and the newest were written."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("kind", "files", "size", "oldest", "newest"):
        table.add_column(name, justify="right" if name in ("files", "size") else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def result_paths(folder: Path, report: Path | None, tracked: bool | None) -> list[str]:
    """Where the results of a study are: the last lines that it prints."""
    lines = [f"results: {folder}"]
    if report is not None:
        lines.append(f"report:  {report}")
    if tracked:
        lines.append("runs:    xaiexp ui")
    return lines
