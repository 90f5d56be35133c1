"""What MLflow gets of a study: runs, tags, parameters, metrics and files.

Whatever is sent may be sent again: runs are found by their tags, and metrics have the time at which the study started,
so that MLflow recognises what it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from xaiexp.builtin.trackers.mlflow_client import ERROR, PARENT, Number
from xaiexp.builtin.trackers.mlflow_content import (
    MAX_TAG_LENGTH,
    description,
    images,
    key_of,
    letters,
    link_to,
    logged_tables,
    tables_tag,
)
from xaiexp.builtin.trackers.mlflow_dataset import dataset_of
from xaiexp.contract.tracked_content import (
    cell_numbers,
    cell_parameters,
    curve_points,
    flattened,
    study_numbers,
)
from xaiexp.contract.tracker import TrackedCell, TrackedRun, TrackedStudy
from xaiexp.core.record import Record

if TYPE_CHECKING:
    import pandas as pd

    from xaiexp.builtin.trackers.mlflow_client import Runs

__all__ = ["StudyRun"]

_MAX_PARAM_LENGTH = 6000
_NOTE = "mlflow.note.content"


class StudyRun(TrackedRun):
    """The run of a study and its child runs.

    Args:
        runs: where they go.
        study: what to log.
        monitor: starts to watch a run, and returns what ends that.
    """

    def __init__(
        self, runs: Runs, study: TrackedStudy, monitor: Callable[[str], Callable[[], None]] | None = None
    ) -> None:
        self._runs, self._study = runs, study
        self._time = _milliseconds(study.record.started)
        self._statuses: dict[str, str] = {}
        self._note = ""
        known = runs.of_study(study.id)
        tags = self._tags(study.record)
        if known is not None:
            self.name = known
            self._children = runs.children(self.name)
            runs.go_on(self.name)
        else:
            self.name = runs.create(study.name, tags)
            self._children = {}
            tags = {}
        self._log(self.name, params=dict(flattened(study.config)), tags=tags)
        runs.flush()
        self._end_of_monitor = None if monitor is None else monitor(self.name)

    def log_cell(self, cell: TrackedCell) -> None:
        """Log a child run: components as parameters, means, curves and costs as metrics, maps as images."""
        self._stop_monitor()
        record, label = self._study.record, cell.id.joined("/")
        pictures = images(cell.maps, self._time)
        tags = {
            **{key: value for key, value in self._tags(record).items() if key != "xaiexp.id"},
            **letters(cell),
            PARENT: self.name,
            "xaiexp.status": cell.row["status"],
            "xaiexp.reason": cell.row["reason"],
            "xaiexp.key": cell.row["key"],
            "xaiexp.cached": str(cell.row["cached"]),
            **({"mlflow.loggedImages": "True"} if pictures else {}),
        }
        tags = {key_of(name): value[:MAX_TAG_LENGTH] for name, value in tags.items()}
        run = self._children.get(label)
        created = run is None
        if run is None:
            run = self._runs.create(label, tags)
            self._children[label] = run
        numbers = self._numbers(cell_numbers(cell))
        for metric, curve in cell.curves.items():
            key = key_of(f"{metric}_curve")
            numbers += [
                Number(key, value, self._time, step) for step, value in curve_points(curve) if math.isfinite(value)
            ]
        self._log(run, cell_parameters(record, cell.id), numbers, {} if created else tags)
        self._runs.write(run, pictures)
        self._statuses[label] = cell.row["status"]
        self._runs.end(run, {"done": "FINISHED", "skipped": "KILLED"}.get(cell.row["status"], "FAILED"))

    def log_tables(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Log the tables, with their means over examples, and the verdicts as the description of the run."""
        files = logged_tables(tables)
        self._runs.write(self.name, files)
        self._note = description(tables["verdicts"])
        self._log(self.name, tags={**tables_tag(files), **({_NOTE: self._note} if self._note else {})})

    def finish(self, record: Record) -> None:
        """Log what the whole study came to, its data and its files, and end the run."""
        self._stop_monitor()
        tags = {ERROR: record.error[:MAX_TAG_LENGTH]} if record.error else {}
        if link := link_to(record.model_facts or {}):
            tags[_NOTE] = f"{link}{self._note}"[:MAX_TAG_LENGTH]
        self._log(self.name, metrics=self._numbers(study_numbers(record, self._statuses.values())), tags=tags)
        if (dataset := dataset_of(record)) is not None:
            self._runs.add_dataset([self.name, *self._children.values()], dataset)
        self._runs.copy(self.name, self._study.folder)
        self._runs.end(self.name, "FINISHED" if record.status == "done" else "FAILED")
        self._runs.flush()

    def stop(self, error: str) -> None:
        """End the run of a study that failed as a whole."""
        self._stop_monitor()
        if error:
            self._log(self.name, tags={ERROR: error[:MAX_TAG_LENGTH]})
        self._runs.end(self.name, "FAILED")
        self._runs.flush()

    def _stop_monitor(self) -> None:
        if self._end_of_monitor is not None:
            self._end_of_monitor()
            self._end_of_monitor = None

    def _tags(self, record: Record) -> dict[str, str]:
        git, process = record.git, self._study.process
        return {
            "mlflow.source.name": "xaiexp",
            "mlflow.source.type": "LOCAL",
            "xaiexp.id": self._study.id,
            "xaiexp.folder": str(Path(self._study.folder).resolve()),
            "xaiexp.host": process.host,
            "xaiexp.pid": str(process.pid),
            "xaiexp.process": process.started,
            "xaiexp.git.commit": "" if git is None else git.commit,
            "xaiexp.git.dirty": "" if git is None else str(git.dirty),
            **({"mlflow.source.git.commit": git.commit} if git is not None and git.commit else {}),
            **{f"xaiexp.version.{name}": version for name, version in record.versions.items()},
        }

    def _log(
        self,
        run: str,
        params: Mapping[str, str] | None = None,
        metrics: Sequence[Number] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send everything of a run within the limits of MLflow."""
        known = {key_of(key): value[:_MAX_PARAM_LENGTH] for key, value in (params or {}).items()}
        self._runs.log(run, known, metrics, dict(tags or {}))

    def _numbers(self, metrics: Mapping[str, float]) -> list[Number]:
        """Those that are finite."""
        return [Number(key_of(key), value, self._time) for key, value in metrics.items() if math.isfinite(value)]


def _milliseconds(started: str) -> int:
    try:
        return int(datetime.fromisoformat(started).timestamp() * 1000)
    except ValueError:
        return 0
