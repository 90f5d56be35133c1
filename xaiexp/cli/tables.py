"""The tables that the program prints."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from xaiexp.core.ids import NO_BASELINE
from xaiexp.results.frames import mean_agreement, rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "agreement_table",
    "cell_label",
    "notes",
    "plan_table",
    "plugins_table",
    "summary_table",
    "verdict_lines",
    "where_it_lies",
]


def cell_label(method: str, baseline: str) -> str:
    """A cell in a table."""
    return method if baseline == NO_BASELINE else f"{method} / {baseline}"


def summary_table(
    summary: pd.DataFrame, metrics: Mapping[str, Mapping[str, Any]], refused: Collection[str] = ()
) -> Table:
    """Cells by metric: mean, 95 % interval, and a rank that is equal where the difference is within the noise.

    Metrics that are ``refused`` have no ranks; what ranks nothing (how far masked inputs leave the data) is left out.
    """
    names = list(dict.fromkeys(summary["metric"])) if len(summary) else []
    names = [name for name in names if name.rpartition(".")[0] not in metrics]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("method / baseline", no_wrap=True)
    for name in names:
        better = metrics.get(name, {}).get("higher_is_better")
        arrow = "" if better is None else (" ↑" if better else " ↓")
        table.add_column(f"{name}{arrow}", justify="right", no_wrap=True)
    cells: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows(summary):
        cells.setdefault((row["method"], row["baseline"]), {})[row["metric"]] = row
    for (method, baseline), by_metric in cells.items():
        table.add_row(cell_label(method, baseline), *(_score(by_metric.get(name), name in refused) for name in names))
    return table


def verdict_lines(verdicts: pd.DataFrame) -> list[str]:
    """What may be said about the order of the cells, one line a metric."""
    return [f"{row['metric']}: {row['verdict']}" for row in rows(verdicts)]


def _score(row: Mapping[str, Any] | None, refused: bool) -> str:
    if row is None or row["n"] == 0:
        return "–"
    rank = "" if refused or math.isnan(row["rank"]) else f" ({int(row['rank'])})"
    interval = "" if math.isnan(row["low"]) else f"\n[{_number(row['low'])}, {_number(row['high'])}]"
    return f"{_number(row['mean'])}{rank}{interval}"


def _number(value: float) -> str:
    if value != 0 and not 1e-3 <= abs(value) < 1e4:
        return f"{value:.2g}"
    return f"{value:.3f}"


def agreement_table(agreement: pd.DataFrame, measure: str) -> Table:
    """The mean agreement of every pair of cells in one measure."""
    value: dict[tuple[str, str], float] = {}
    labels: dict[str, None] = {}
    for row in rows(mean_agreement(agreement[agreement["measure"] == measure])):
        a = cell_label(row["method_a"], row["baseline_a"])
        b = cell_label(row["method_b"], row["baseline_b"])
        labels |= {a: None, b: None}
        value[a, b] = value[b, a] = row["value"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for i in range(len(labels)):
        table.add_column(str(i + 1), justify="right")
    for i, a in enumerate(labels):
        shown = ["·" if a == b else _short(value.get((a, b), float("nan"))) for b in labels]
        table.add_row(f"{i + 1} {a}", *shown)
    return table


def _short(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:z.2f}"


def notes(cells: pd.DataFrame, errors: Mapping[str, str]) -> list[str]:
    """What went wrong, one a line."""
    out = []
    for cell in rows(cells):
        if cell["reason"]:
            state = "" if cell["status"] == "done" else f"{cell['status']}: "
            out.append(f"{cell_label(cell['method'], cell['baseline'])}: {state}{cell['reason']}")
    out += [f"{name}: failed: {reason}" for name, reason in errors.items()]
    return out


def plan_table(cells: Sequence[Mapping[str, str]]) -> Table:
    """What would run."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("method", "baseline", "runs", "passes", "reason"):
        table.add_column(column, justify="right" if column == "passes" else "left", overflow="fold")
    for row in cells:
        table.add_row(*(row[c] for c in ("method", "baseline", "runs", "passes", "reason")))
    return table


def plugins_table(entries: Sequence[tuple[str, ...]], columns: Sequence[str]) -> Table:
    """Plugins or components."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in entries:
        table.add_row(*row)
    return table


def where_it_lies(folder: Path, report: Path | None, tracked: bool) -> list[str]:
    """The last lines of a study."""
    lines = [f"results: {folder}"]
    if report is not None:
        lines.append(f"report:  {report}")
    if tracked:
        lines.append("runs:    xaiexp ui")
    return lines
