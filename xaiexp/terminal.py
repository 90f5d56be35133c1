"""What a person sees in the terminal: progress over passes, and at the end the tables."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from xaiexp.frames import mean_agreement, rows
from xaiexp.study import NO_BASELINE

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Meter",
    "agreement_table",
    "console",
    "notes",
    "plan_table",
    "plugins_table",
    "summary_table",
    "verdict_lines",
]

_PLAIN_EVERY = 10.0


def console(stderr: bool = False) -> Console:
    """A console as wide as the terminal; wide enough for tables where the output is not one."""
    file = sys.stderr if stderr else sys.stdout
    return Console(file=file, width=None if file.isatty() else 160, highlight=False, soft_wrap=False)


class Meter:
    """Progress over passes, with the time left; a line now and then where there is no terminal."""

    def __init__(self, title: str, quiet: bool = False) -> None:
        self._title, self._quiet = title, quiet
        self._console = console(stderr=True)
        self._live: Progress | None = None
        self._task: Any = None
        self._done = self._total = 0
        self._started = self._told = time.monotonic()

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line."""
        if not self._quiet:
            self._console.print(text, markup=False)

    def start(self, total: int) -> None:
        """The number of passes that are expected."""
        self._total, self._started = max(1, total), time.monotonic()
        self._told = self._started
        if not self._quiet and self._console.is_terminal:
            self._live = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("passes"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._live.start()
            self._task = self._live.add_task(self._title, total=self._total)

    def advance(self, passes: int) -> None:
        """So many passes were made or saved."""
        self._done += passes
        if self._live is not None:
            # Passes that nobody could foretell move the end, never past it.
            self._live.update(self._task, completed=self._done, total=max(self._total, self._done))
        elif not self._quiet and time.monotonic() - self._told > _PLAIN_EVERY:
            self._told = time.monotonic()
            part = min(1.0, self._done / self._total)
            left = (self._told - self._started) * (1 - part) / max(part, 1e-9)
            self._console.print(
                f"{self._title}: {self._done:,} of about {max(self._total, self._done):,} passes, "
                f"about {left:,.0f} s left",
                markup=False,
            )


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
