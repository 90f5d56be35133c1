"""Sends one study to its trackers. What a tracker raises stops nothing: the study is marked as not sent to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.contract.tracker import TrackedCell, TrackedRun, TrackedStudy, Tracker
from xaiexp.core.ids import CellId
from xaiexp.core.record import Record, TrackingFacts
from xaiexp.plan.settings import Tracking
from xaiexp.statistics.frames import rows
from xaiexp.store.owners import this_process
from xaiexp.tracking.addresses import address_of, one_line, prepare
from xaiexp.tracking.cell_files import curves_of, maps_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SENT", "Session", "is_sent"]

SENT, NOT_SENT = "sent", "not sent"
_TABLES = ("cells", "scores", "agreement", "summary", "verdicts", "comparisons")
_NOT_LOGGED = ("resume",)


def is_sent(record: Record) -> bool:
    """Whether every tracker of a study has it."""
    return all(facts.status == SENT for facts in record.tracking.values())


class Session:
    """The trackers of one study.

    Args:
        trackers: by label.
        tracking: the root key.
        folder: of the study.
        say: called with a line for the user where a tracker fails.
    """

    def __init__(
        self, trackers: Mapping[str, Tracker], tracking: Tracking, folder: Path, say: Callable[[str], None]
    ) -> None:
        self._tracking, self._folder, self._say = tracking, folder, say
        self._address = address_of(tracking)
        self._trackers = {} if self._address is None else dict(trackers)
        self._runs: dict[str, TrackedRun] = {}
        self.facts = dict.fromkeys(self._trackers, TrackingFacts(NOT_SENT))

    def start(self, name: str, config: Mapping[str, Any], record: Record) -> None:
        """Start the run of the study with every tracker, or go on with the one that has its id."""
        for label, tracker in self._trackers.items():
            study = TrackedStudy(
                record.id,
                name,
                self._folder,
                {key: value for key, value in config.items() if key not in _NOT_LOGGED},
                record,
                self._tracking.experiment,
                self._address or "",
                this_process(),
            )
            known = record.tracking.get(label)
            self.facts[label] = replace(known or TrackingFacts(), status=NOT_SENT, error="")
            try:
                prepare({label: tracker}, self._tracking)
                self._runs[label] = tracker.start(study)
                self.facts[label] = replace(self.facts[label], run=self._runs[label].name)
            except Exception as error:  # a tracker may raise anything
                self._failed(label, error)

    def finish(self, record: Record, tables: Mapping[str, pd.DataFrame]) -> None:
        """Send the results to every tracker whose run was started."""
        summaries: dict[CellId, list[dict[str, Any]]] = {}
        for row in rows(tables["summary"]):
            summaries.setdefault(CellId(row["method"], row["baseline"]), []).append(row)
        cells = {CellId(row["method"], row["baseline"]): row for row in rows(tables["cells"])}
        figures = sorted((self._folder / "pictures").rglob("*.*"))
        maps = maps_of(self._folder, cells)
        curves = curves_of(self._folder, (None if record.data is None else record.data.clusters) or {})
        for label, run in list(self._runs.items()):
            try:
                for cell, row in cells.items():
                    found = summaries.get(cell, []), curves.get(cell, {}), maps[cell]
                    run.log_cell(TrackedCell(cell, row, *found))
                run.log_tables({name: tables[name] for name in _TABLES})
                run.log_figures(figures)
                run.finish(record)
                self.facts[label] = replace(self.facts[label], status=SENT)
            except Exception as error:  # a tracker may raise anything
                self._failed(label, error)

    def stop(self, error: str) -> None:
        """End the runs of a study that failed as a whole."""
        for label, run in list(self._runs.items()):
            try:
                run.stop(error)
            except Exception as raised:  # the first error is the one to show
                self.facts[label] = replace(self.facts[label], error=one_line(raised))

    def _failed(self, label: str, error: Exception) -> None:
        self._runs.pop(label, None)
        self.facts[label] = replace(self.facts[label], status=NOT_SENT, error=one_line(error))
        self._say(f"tracker.{label}: {self.facts[label].error}")
