"""What MLflow gets of a study: runs, tags, parameters, metrics and files.

Whatever is sent may be sent again: runs are found by their tags, and metrics have the time at which the study started,
so that MLflow recognises what it has.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.builtin.trackers.mlflow_client import ERROR, PARENT
from xaiexp.contract.tracker import TrackedCell, TrackedRun, TrackedStudy
from xaiexp.core.ids import CellId, MetricId
from xaiexp.core.record import Record
from xaiexp.statistics.frames import mean_agreement, rows

if TYPE_CHECKING:
    import pandas as pd

    from xaiexp.builtin.trackers.mlflow_client import Runs

__all__ = ["StudyRun", "flattened"]

_MAX_PARAM_LENGTH = 6000
_MAX_TAG_LENGTH = 5000
_MAX_KEY_LENGTH = 250
_ILLEGAL = re.compile(r"[^\w\-./ :]")


class StudyRun(TrackedRun):
    """The run of a study and its child runs.

    Args:
        runs: where they go.
        study: what to log.
    """

    def __init__(self, runs: Runs, study: TrackedStudy) -> None:
        self._runs, self._study = runs, study
        self._time = _milliseconds(study.record.started)
        self._metrics: dict[str, float] = {}
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

    def log_cell(self, cell: TrackedCell) -> None:
        """Log a child run: components as parameters, means, intervals and costs as metrics."""
        record, label = self._study.record, cell.id.joined("/")
        tags = {
            **{key: value for key, value in self._tags(record).items() if key != "xaiexp.id"},
            PARENT: self.name,
            "xaiexp.status": cell.row["status"],
            "xaiexp.reason": cell.row["reason"],
            "xaiexp.key": cell.row["key"],
            "xaiexp.cached": str(cell.row["cached"]),
        }
        metrics = {k: float(cell.row[k]) for k in ("forward_passes", "backward_passes", "seconds", "peak_memory_bytes")}
        for summary in cell.summary:
            for suffix, value in (("", summary["mean"]), (".low", summary["low"]), (".high", summary["high"])):
                metrics[f"{summary['metric']}{suffix}"] = float(value)
            metrics[f"{summary['metric']}.undefined"] = float(summary["undefined"])
            if isinstance(summary["letters"], str) and summary["letters"]:
                tags[f"letters.{summary['metric']}"] = summary["letters"]
        tags = {_key(name): value[:_MAX_TAG_LENGTH] for name, value in tags.items()}
        run = self._children.get(label)
        created = run is None
        if run is None:
            run = self._runs.create(label, tags)
            self._children[label] = run
        self._log(run, dict(flattened(_parameters(record, cell.id))), metrics, {} if created else tags)
        status = {"done": "FINISHED", "skipped": "KILLED"}.get(cell.row["status"], "FAILED")
        self._runs.end(run, status)
        self._metrics |= {f"{label}.{key}": value for key, value in metrics.items() if not MetricId.parse(key).part}

    def log_tables(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Log the main metrics of all cells, mean agreement and verdicts with the run of the study."""
        metrics, tags = self._metrics, {}
        for row in rows(mean_agreement(tables["agreement"])):
            a, b = CellId(row["method_a"], row["baseline_a"]), CellId(row["method_b"], row["baseline_b"])
            metrics[f"agreement.{row['measure']}.{a.joined('/')}.{b.joined('/')}"] = float(row["value"])
        for row in rows(tables["verdicts"]):
            tags[_key(f"verdict.{row['metric']}")] = str(row["verdict"])[:_MAX_TAG_LENGTH]
            metrics[f"alpha.{row['metric']}"] = float(row["alpha"])
        self._log(self.name, metrics=metrics, tags=tags)

    def finish(self, record: Record) -> None:
        """Log the performance and the files, and end the run."""
        metrics: dict[str, float] = {}
        if record.performance is not None:
            known = record.performance.to_mapping()
            metrics |= {name: float(value) for name, value in known.items() if name != "examples"}
        metrics["seconds"] = math.nan if record.seconds is None else record.seconds
        tags = {ERROR: record.error[:_MAX_TAG_LENGTH]} if record.error else {}
        self._log(self.name, metrics=metrics, tags=tags)
        self._runs.copy(self.name, self._study.folder)
        self._runs.end(self.name, "FINISHED" if record.status == "done" else "FAILED")
        self._runs.flush()

    def stop(self, error: str) -> None:
        """End the run of a study that failed as a whole."""
        if error:
            self._log(self.name, tags={ERROR: error[:_MAX_TAG_LENGTH]})
        self._runs.end(self.name, "FAILED")
        self._runs.flush()

    def _tags(self, record: Record) -> dict[str, str]:
        git, process = record.git, self._study.process
        return {
            "mlflow.source.name": "xaiexp",
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
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send everything of a run within the limits of MLflow, and only what is finite."""
        self._runs.log(
            run,
            {_key(key): value[:_MAX_PARAM_LENGTH] for key, value in (params or {}).items()},
            {_key(key): value for key, value in (metrics or {}).items() if math.isfinite(value)},
            dict(tags or {}),
            self._time,
        )


def _parameters(record: Record, cell: CellId) -> dict[str, Any]:
    method, baseline = record.methods.get(cell.method), record.baselines.get(cell.baseline)
    return {
        "method": {} if method is None else method.to_mapping(),
        "baseline": cell.baseline if baseline is None else baseline.to_mapping(),
        **record.study.to_mapping(),
    }


def _milliseconds(started: str) -> int:
    try:
        return int(datetime.fromisoformat(started).timestamp() * 1000)
    except ValueError:
        return 0


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings as dotted keys with texts; values that are no text are written as JSON."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flattened(value, f"{name}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, default=str)


def _key(name: str) -> str:
    """A key with the characters and the length that MLflow accepts."""
    return _ILLEGAL.sub("_", name)[:_MAX_KEY_LENGTH]
