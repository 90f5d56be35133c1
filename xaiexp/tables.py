"""The tables of a study: their columns, and how results become rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from xaiexp import statistics
from xaiexp.books import CellState
from xaiexp.runner import Chunk, Run
from xaiexp.study import Study

__all__ = ["AGREEMENT", "CELLS", "SCORES", "SUMMARY", "Tables"]

_STUDY = ["model", "dataset", "seed"]
CELLS = [
    *_STUDY, "method", "baseline", "status", "reason", "examples", "forward_passes", "backward_passes", "seconds",
    "peak_memory_bytes", "cached", "key",
]  # fmt: skip
SCORES = [*_STUDY, "method", "baseline", "metric", "example", "target", "value"]
AGREEMENT = [*_STUDY, "method_a", "baseline_a", "method_b", "baseline_b", "measure", "example", "value"]
SUMMARY = [*_STUDY, "method", "baseline", "metric", "mean", "low", "high", "n", "undefined", "rank"]


class Tables:
    """Gathers the results of a run, chunk by chunk, as plain arrays."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._examples: list[str] = []
        self._targets: list[int] = []
        self._scores: dict[tuple[Any, ...], list[np.ndarray[Any, Any]]] = {}
        self._agreement: dict[tuple[Any, ...], list[np.ndarray[Any, Any]]] = {}

    def add(self, chunk: Chunk) -> None:
        """Take in one chunk."""
        self._examples += chunk.batch.ids
        self._targets += chunk.batch.targets.tolist()
        for (metric, cell), values in chunk.scores.items():
            self._scores.setdefault((cell, metric), []).append(values.double().numpy())
        for (measure, a, b), values in chunk.agreement.items():
            self._agreement.setdefault((a, b, measure), []).append(values.double().numpy())

    def cells(self, run: Run) -> pd.DataFrame:
        """One row a cell."""
        return self._frame(CELLS, [self._cell(state) for state in run.states.values()])

    def _cell(self, state: CellState) -> dict[str, Any]:
        done = state.status == "done"
        return {
            "method": state.cell.method,
            "baseline": state.cell.baseline,
            "status": state.status,
            "reason": state.reason,
            "examples": state.examples if done else 0,
            "forward_passes": state.counter.forward,
            "backward_passes": state.counter.backward,
            "seconds": state.seconds,
            "peak_memory_bytes": state.peak_memory,
            "cached": state.cached if done else False,
            "key": state.key if done else "",
        }

    def scores(self, run: Run) -> pd.DataFrame:
        """One row an example, metric and cell that is done."""
        n = len(self._examples)
        blocks = [
            {
                "method": np.repeat(cell.method, n),
                "baseline": np.repeat(cell.baseline, n),
                "metric": np.repeat(metric, n),
                "example": self._examples,
                "target": self._targets,
                "value": _whole(parts, n),
            }
            for (cell, metric), parts in self._scores.items()
            if run.states[cell].status == "done"
        ]
        return self._stacked(SCORES, blocks)

    def agreement(self, run: Run) -> pd.DataFrame:
        """One row an example, measure and pair of cells that are done."""
        n = len(self._examples)
        blocks = [
            {
                "method_a": np.repeat(a.method, n),
                "baseline_a": np.repeat(a.baseline, n),
                "method_b": np.repeat(b.method, n),
                "baseline_b": np.repeat(b.baseline, n),
                "measure": np.repeat(measure, n),
                "example": self._examples,
                "value": _whole(parts, n),
            }
            for (a, b, measure), parts in self._agreement.items()
            if run.states[a].status == run.states[b].status == "done" and measure not in run.metric_errors
        ]
        return self._stacked(AGREEMENT, blocks)

    def summary(self, scores: pd.DataFrame) -> pd.DataFrame:
        """One row a cell and metric."""
        directions = {label: metric.higher_is_better for label, metric in self._study.metrics.items()}
        frame = statistics.summarise(scores, directions, seed=self._study.settings.seed)
        return frame.reindex(columns=SUMMARY)

    def _stacked(self, columns: list[str], blocks: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        frames = [pd.DataFrame(block) for block in blocks]
        if not frames:
            return self._frame(columns, [])
        return self._complete(pd.concat(frames, ignore_index=True), columns)

    def _frame(self, columns: list[str], rows: list[dict[str, Any]]) -> pd.DataFrame:
        return self._complete(pd.DataFrame(rows, columns=[c for c in columns if c not in _STUDY]), columns)

    def _complete(self, frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
        study = self._study
        frame = frame.assign(model=study.model.name, dataset=study.dataset.name, seed=study.settings.seed)
        return frame[columns]


def _whole(parts: list[np.ndarray[Any, Any]], n: int) -> np.ndarray[Any, Any]:
    values = np.concatenate(parts)
    # A study that stopped early has fewer values than examples for its last cells.
    return values if len(values) == n else np.concatenate([values, np.full(n - len(values), math.nan)])
