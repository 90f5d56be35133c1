"""Tells the callbacks of a study how far it is. What one of them raises is a warning, and the study goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from xaiexp.contract.callback import Callback, FinishedCell, FinishedChunk, FinishedStudy, StartedStudy
from xaiexp.core.ids import CellId
from xaiexp.engine.chunk import Chunk, Loaded
from xaiexp.plan.plan import Plan
from xaiexp.statistics.frames import rows

if TYPE_CHECKING:
    from xaiexp.results.tables import Tables

__all__ = ["Callbacks"]


class Callbacks:
    """The callbacks of one study.

    Args:
        callbacks: by label.
        identity: of the study.
        folder: of the study.
        say: called with a line for the user, once for each method of a callback that raises.
    """

    def __init__(
        self, callbacks: Mapping[str, Callback], identity: str, folder: Path, say: Callable[[str], None]
    ) -> None:
        self._callbacks, self._id, self._folder, self._say = dict(callbacks), identity, folder, say
        self._study: StartedStudy | None = None
        self._told = self._done = 0
        self._failed: set[tuple[str, str]] = set()
        self._started = time.perf_counter()

    def start(self, prepared: Plan, loaded: Loaded) -> None:
        """The model and the data are loaded."""
        study = prepared.study
        metrics = tuple(label for label in study.metrics if label not in prepared.metric_skips)
        cells = tuple(cell.id for cell in prepared.running)
        self._study = StartedStudy(
            self._id, study.describe(), self._folder, cells, metrics, loaded.count, loaded.passes
        )
        for label, callback in self._callbacks.items():
            self._tell(label, "on_start", callback.on_start, self._study)

    def chunk(self, result: Chunk) -> None:
        """A range of examples is explained."""
        if not self._callbacks or self._study is None:
            return
        self._told, self._done = self._told + 1, self._done + len(result.batch)
        seconds = time.perf_counter() - self._started
        fact = FinishedChunk(
            self._study, self._told, tuple(result.batch.ids), self._done, tuple(result.explanations), seconds
        )
        for label, callback in self._callbacks.items():
            self._tell(label, "on_chunk", callback.on_chunk, fact)

    def cells(self, tables: Tables) -> None:
        """All cells have ended."""
        if not self._callbacks or self._study is None:
            return
        means: dict[CellId, dict[str, float]] = {}
        for row in rows(tables.summary):
            cell = CellId(row["method"], row["baseline"])
            means.setdefault(cell, {})[str(row["metric"])] = float(row["mean"])
        for row in rows(tables.cells):
            cell = CellId(row["method"], row["baseline"])
            fact = FinishedCell(self._study, cell, MappingProxyType(row), MappingProxyType(means.get(cell, {})))
            for label, callback in self._callbacks.items():
                self._tell(label, "on_cell", callback.on_cell, fact)

    def end(self, status: Literal["done", "failed"], error: str, report: Path | None) -> None:
        """The study has ended, if it had started."""
        if self._study is None:
            return
        fact = FinishedStudy(self._study, status, error, time.perf_counter() - self._started, report)
        for label, callback in self._callbacks.items():
            self._tell(label, "on_study", callback.on_study, fact)

    def _tell(self, label: str, name: str, method: Callable[[Any], None], fact: Any) -> None:
        try:
            method(fact)
        except Exception as error:  # a callback may raise anything
            if (label, name) not in self._failed:
                self._failed.add((label, name))
                line = next(iter(str(error).strip().splitlines()), "no message")
                self._say(f"callback.{label}: {name} failed ({type(error).__name__}: {line}); the study goes on")
