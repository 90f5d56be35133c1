"""The tables of a study: their columns, and their rows from the results of a run."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from xaiexp.contract.component import plain_parameters
from xaiexp.core.ids import ALL_METHODS, CellId, MetricId
from xaiexp.engine.cell_state import CellState
from xaiexp.engine.chunk import Chunk
from xaiexp.engine.runner import Run
from xaiexp.plan.study import Study
from xaiexp.results import verdict
from xaiexp.results.removals import removal_groups
from xaiexp.statistics import summary as statistics
from xaiexp.store.kept_tables import kept_tables
from xaiexp.store.objects import Store

__all__ = ["AGREEMENT", "CELLS", "SCORES", "SUMMARY", "TableBuilder", "Tables"]

_STUDY = ["model", "dataset", "seed"]
_STATISTICS = ("summary", "verdicts", "comparisons")
CELLS = [
    *_STUDY, "method", "baseline", "status", "reason", "examples", "forward_passes", "backward_passes", "seconds",
    "peak_memory_bytes", "cached", "key",
]  # fmt: skip
SCORES = [*_STUDY, "method", "baseline", "metric", "example", "target", "value"]
AGREEMENT = [*_STUDY, "method_a", "baseline_a", "method_b", "baseline_b", "measure", "example", "value"]
SUMMARY = [*statistics.SUMMARY_COLUMNS, "alpha", "verdict"]


@dataclass(frozen=True)
class Tables:
    """The tables of a study; their columns are those of the files.

    Args:
        cells: a row a cell: its status and what it cost.
        scores: a row an example, metric and cell that is done.
        agreement: a row an example, measure and pair of cells; with several targets, a last column holds the target.
        summary: a row a metric and cell: mean, interval and rank.
        verdicts: a row a metric: what its order of the cells allows to conclude.
        comparisons: a row a metric and pair of cells: the paired tests.
    """

    cells: pd.DataFrame
    scores: pd.DataFrame
    agreement: pd.DataFrame
    summary: pd.DataFrame
    verdicts: pd.DataFrame
    comparisons: pd.DataFrame

    def by_name(self) -> dict[str, pd.DataFrame]:
        """The tables by the names of their files."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


class TableBuilder:
    """Collects the results of a run, chunk by chunk, as plain arrays."""

    def __init__(self, study: Study) -> None:
        self._study, settings = study, study.settings
        self._examples: list[str] = []
        self._targets: list[int] = []
        self._scores: dict[tuple[CellId, MetricId], list[np.ndarray[Any, Any]]] = {}
        self._agreement: dict[tuple[CellId, CellId, str], list[np.ndarray[Any, Any]]] = {}
        self._members: dict[tuple[CellId, CellId, str], list[list[CellId]]] = {}  # of joint agreement, by chunk
        self._rules = verdict.Rules(settings.margin or {}, settings.families, settings.null_draws)
        self._several = study.settings.target == "all" or isinstance(study.settings.target, tuple)

    def add(self, chunk: Chunk) -> None:
        """Add the results of one chunk."""
        self._examples += chunk.batch.ids
        self._targets += chunk.batch.targets.tolist()
        for (metric, cell), values in chunk.scores.items():
            self._scores.setdefault((cell, metric), []).append(values.double().numpy())
        for (measure, a, b), values in chunk.agreement.items():
            self._agreement.setdefault((a, b, measure), []).append(values.double().numpy())
        for (measure, space), values in chunk.joint_agreement.items():
            cells = CellId(ALL_METHODS if space == "input" else f"{ALL_METHODS} ({space})")
            self._agreement.setdefault((cells, cells, measure), []).append(values.double().numpy())
            members = [cell for cell, explanation in chunk.explanations.items() if explanation.space == space]
            self._members.setdefault((cells, cells, measure), []).append(members)

    def build(self, run: Run, store: Store | None = None) -> Tables:
        """The tables of the chunks that were added; those of a shard have no statistics.

        Args:
            run: that made the chunks.
            store: has the statistics of scores that it has seen.
        """
        if self._study.settings.shard is not None:
            empty = [pd.DataFrame(columns=columns) for columns in (SUMMARY, verdict.VERDICTS, verdict.COMPARISONS)]
            return Tables(self._cell_rows(run), self._score_rows(run), self._agreement_rows(run), *empty)
        scores = self._score_rows(run)
        units = statistics.by_cluster(scores, run.clusters)  # what is resampled and tested
        compute = functools.partial(self._statistics, units, run)
        found = compute() if store is None else kept_tables(store, units, self._decides(run), compute, _STATISTICS)
        return Tables(self._cell_rows(run), scores, self._agreement_rows(run), **found)

    def _decides(self, run: Run) -> dict[str, Any]:
        """What decides the statistics of given scores."""
        return {
            "directions": self._directions(),
            "controls": self._controls(),
            "groups": [(name, list(labels.items())) for name, labels in self._groups().items()],  # in this order
            "seed": self._study.settings.seed,
            "clusters": bool(run.clusters),
            "draws": run.evaluator.repeats,
            "rules": asdict(self._rules),
        }

    def _statistics(self, units: pd.DataFrame, run: Run) -> dict[str, pd.DataFrame]:
        verdicts = self._verdict_rows(units, run)
        return {
            "summary": self._summary_rows(units, verdicts),
            "verdicts": verdicts,
            "comparisons": verdict.comparison_table(units, self._directions(), self._study.settings.seed, self._rules),
        }

    def _controls(self) -> list[str]:
        return [label for label, method in self._study.methods.items() if method.control]

    def _groups(self) -> Mapping[str, Mapping[str, str]]:
        return removal_groups({k: (m.name, plain_parameters(m)) for k, m in self._study.metrics.items()})

    def _cell_rows(self, run: Run) -> pd.DataFrame:
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

    def _score_rows(self, run: Run) -> pd.DataFrame:
        n = len(self._examples)
        blocks = [
            {
                "method": cell.method,
                "baseline": cell.baseline,
                "metric": str(metric),
                "example": self._examples,
                "target": self._targets,
                "value": _padded(parts, n),
            }
            for (cell, metric), parts in self._scores.items()
            if run.states[cell].status == "done" and metric.label not in run.evaluator.unsupported
        ]
        return self._stacked(SCORES, blocks)

    def _agreement_rows(self, run: Run) -> pd.DataFrame:
        n, order = len(self._examples), list(self._study.agreements)
        blocks = [
            {
                "method_a": a.method,
                "baseline_a": a.baseline,
                "method_b": b.method,
                "baseline_b": b.baseline,
                "measure": measure,
                "example": self._examples,
                "value": _padded(self._of_done_cells(run, (a, b, measure), parts), n),
            }
            for (a, b, measure), parts in sorted(self._agreement.items(), key=lambda item: order.index(item[0][2]))
            if _counts(run, a) and _counts(run, b) and measure not in run.evaluator.failures
        ]
        frame = self._stacked(AGREEMENT, blocks)
        several = self._several or len(set(self._examples)) < n  # an example may have several labels
        if several and len(frame):
            frame = frame.assign(target=np.resize(self._targets, len(frame)))
        return frame

    def _of_done_cells(
        self, run: Run, key: tuple[CellId, CellId, str], parts: list[np.ndarray[Any, Any]]
    ) -> list[np.ndarray[Any, Any]]:
        """Joint agreement is undefined where a cell took part that failed later: the other examples lack it."""
        members = self._members.get(key, [[]] * len(parts))
        return [
            part if all(_counts(run, cell) for cell in cells) else np.full_like(part, math.nan)
            for part, cells in zip(parts, members, strict=True)
        ]

    def _verdict_rows(self, scores: pd.DataFrame, run: Run) -> pd.DataFrame:
        return verdict.verdict_table(
            scores,
            self._directions(),
            self._controls(),
            self._groups(),
            self._study.settings.seed,
            unit="clusters" if run.clusters else "examples",
            draws=run.evaluator.repeats,
            rules=self._rules,
        )

    def _summary_rows(self, scores: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
        frame = statistics.summarise(
            scores, self._directions(), seed=self._study.settings.seed, families=self._rules.families
        )
        by_metric = verdicts.drop_duplicates("metric").set_index("metric")
        for column in ("alpha", "verdict"):
            frame[column] = frame["metric"].map(by_metric[column])
        return frame.reindex(columns=SUMMARY)

    def _directions(self) -> dict[str, bool | None]:
        """Metric to whether higher is better; None for auxiliary values and metrics that rank nothing."""
        directions: dict[str, bool | None] = {}
        for label, metric in self._study.metrics.items():
            directions[label] = metric.higher_is_better
            directions |= {str(MetricId(label, name)): None for name in metric.auxiliary}
        return directions

    def _stacked(self, columns: list[str], blocks: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        """One table of blocks of rows: a text of a block stands in all of its rows."""
        known, n = list(blocks), len(self._examples)
        if not known:
            return self._frame(columns, [])
        stacked: dict[str, Any] = {}
        for name, first in known[0].items():
            values = [block[name] for block in known]
            if isinstance(first, str):
                stacked[name] = pd.Series(values).repeat(n).array
            elif isinstance(first, np.ndarray):
                stacked[name] = np.concatenate(values)
            else:
                stacked[name] = list(itertools.chain.from_iterable(values))
        return self._complete(pd.DataFrame(stacked), columns)

    def _frame(self, columns: list[str], rows: list[dict[str, Any]]) -> pd.DataFrame:
        return self._complete(pd.DataFrame(rows, columns=[c for c in columns if c not in _STUDY]), columns)

    def _complete(self, frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
        study = self._study
        frame = frame.assign(model=study.model.name, dataset=study.dataset.name, seed=study.settings.seed)
        return frame[columns]


def _padded(parts: list[np.ndarray[Any, Any]], n: int) -> np.ndarray[Any, Any]:
    """The values of all chunks, ``[n]``."""
    values = np.concatenate(parts)
    # A study that stopped early has fewer values than examples for its last cells.
    return values if len(values) == n else np.concatenate([values, np.full(n - len(values), math.nan)])


def _counts(run: Run, cell: CellId) -> bool:
    """Whether agreement of this cell is a result: the cell is done, or stands for all cells jointly."""
    return cell not in run.states or run.states[cell].status == "done"
