"""The tables of a study: their columns, and how results become rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from xaiexp.core.ids import ALL_METHODS, CellId, MetricId
from xaiexp.engine.cell_state import CellState
from xaiexp.engine.runner import Chunk, Run
from xaiexp.plan.study import Study
from xaiexp.results import verdict
from xaiexp.statistics import summary as statistics

__all__ = ["AGREEMENT", "CELLS", "SCORES", "SUMMARY", "Tables"]

_STUDY = ["model", "dataset", "seed"]
CELLS = [
    *_STUDY, "method", "baseline", "status", "reason", "examples", "forward_passes", "backward_passes", "seconds",
    "peak_memory_bytes", "cached", "key",
]  # fmt: skip
SCORES = [*_STUDY, "method", "baseline", "metric", "example", "target", "value"]
AGREEMENT = [*_STUDY, "method_a", "baseline_a", "method_b", "baseline_b", "measure", "example", "value"]
SUMMARY = [*statistics.SUMMARY_COLUMNS, "alpha", "verdict"]


class Tables:
    """Gathers the results of a run, chunk by chunk, as plain arrays."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._examples: list[str] = []
        self._targets: list[int] = []
        self._scores: dict[tuple[CellId, MetricId], list[np.ndarray[Any, Any]]] = {}
        self._agreement: dict[tuple[CellId, CellId, str], list[np.ndarray[Any, Any]]] = {}
        self._several = study.settings.target == "all" or isinstance(study.settings.target, tuple)

    def add(self, chunk: Chunk) -> None:
        """Take in one chunk."""
        self._examples += chunk.batch.ids
        self._targets += chunk.batch.targets.tolist()
        for (metric, cell), values in chunk.scores.items():
            self._scores.setdefault((cell, metric), []).append(values.double().numpy())
        for (measure, a, b), values in chunk.agreement.items():
            self._agreement.setdefault((a, b, measure), []).append(values.double().numpy())
        for (measure, space), values in chunk.joint_agreement.items():
            cells = CellId(ALL_METHODS if space == "input" else f"{ALL_METHODS} ({space})")
            self._agreement.setdefault((cells, cells, measure), []).append(values.double().numpy())

    def cells(self, run: Run) -> pd.DataFrame:
        """One row a cell."""
        return self._frame(CELLS, [self._cell(state) for state in run.states.values()])

    def _cell(self, state: CellState) -> dict[str, Any]:
        done = state.status == "done"
        return {
            "method": state.id.method,
            "baseline": state.id.baseline,
            "status": state.status,
            "reason": state.reason,
            "examples": state.examples if done else 0,
            "forward_passes": state.forward,
            "backward_passes": state.backward,
            "seconds": state.seconds,
            "peak_memory_bytes": state.peak_memory,
            "cached": state.all_cached if done else False,
            "key": state.key if done else "",
        }

    def scores(self, run: Run) -> pd.DataFrame:
        """One row an example, metric and cell that is done."""
        n = len(self._examples)
        blocks = [
            {
                "method": np.repeat(cell.method, n),
                "baseline": np.repeat(cell.baseline, n),
                "metric": np.repeat(str(metric), n),
                "example": self._examples,
                "target": self._targets,
                "value": _whole(parts, n),
            }
            for (cell, metric), parts in self._scores.items()
            if run.states[cell].status == "done"
        ]
        return self._stacked(SCORES, blocks)

    def agreement(self, run: Run) -> pd.DataFrame:
        """One row an example, measure and pair of cells; with several targets, a last column tells which."""
        n, order = len(self._examples), list(self._study.agreements)
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
            for (a, b, measure), parts in sorted(self._agreement.items(), key=lambda item: order.index(item[0][2]))
            if _done(run, a) and _done(run, b) and measure not in run.evaluator.errors
        ]
        frame = self._stacked(AGREEMENT, blocks)
        if self._several and len(frame):
            frame = frame.assign(target=np.resize(self._targets, len(frame)))
        return frame

    def verdicts(self, scores: pd.DataFrame) -> pd.DataFrame:
        """One row a metric: what may be said about the order of the cells."""
        floor = [label for label, method in self._study.methods.items() if method.control]
        groups = verdict.removal_groups({k: (m.name, m.parameters()) for k, m in self._study.metrics.items()})
        return verdict.judged(scores, self._directions(), floor, groups, self._study.settings.seed)

    def comparisons(self, scores: pd.DataFrame) -> pd.DataFrame:
        """One row a metric and pair of cells: the paired tests."""
        return verdict.compared(scores, self._directions())

    def summary(self, scores: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
        """One row a cell and metric."""
        frame = statistics.summarise(scores, self._directions(), seed=self._study.settings.seed)
        told = verdicts.drop_duplicates("metric").set_index("metric")
        for column in ("alpha", "verdict"):
            frame[column] = frame["metric"].map(told[column])
        return frame.reindex(columns=SUMMARY)

    def _directions(self) -> dict[str, bool | None]:
        directions: dict[str, bool | None] = {}
        for label, metric in self._study.metrics.items():
            directions[label] = metric.higher_is_better
            directions |= {str(MetricId(label, name)): None for name in metric.auxiliary}
        return directions

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


def _done(run: Run, cell: CellId) -> bool:
    """Whether the numbers of a cell count; a joint agreement belongs to no cell of the plan."""
    return cell not in run.states or run.states[cell].status == "done"
