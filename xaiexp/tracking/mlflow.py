"""Logs a study to MLflow: one run for the study, one child run for each cell.

Runs are kept in an embedded store under ``outputs/`` or on a server. MLflow gets a copy of the files of the study.
"""

from __future__ import annotations

import json
import math
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.core.ids import CellId, MetricId
from xaiexp.core.record import Record
from xaiexp.errors import ResourceError, without_passwords
from xaiexp.plan.settings import Tracking
from xaiexp.results.frames import mean_agreement, rows
from xaiexp.tracking.secret_uris import mask, unmask

if TYPE_CHECKING:
    from xaiexp.results.tables import Tables

# Telemetry stays off unless the user turned it on. MLflow reads the variable when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

__all__ = ["OFF", "STORE", "Tracker", "embedded_uri", "prepare_store"]

OFF = "off"
STORE = Path("outputs")
_MAX_PARAM_LENGTH = 6000
_MAX_TAG_LENGTH = 5000
_MAX_KEY_LENGTH = 250
_METRICS_PER_CALL = 1000
_PARAMS_PER_CALL = 100
_ILLEGAL = re.compile(r"[^\w\-./ :]")


def embedded_uri(root: Path = STORE) -> str:
    """The address of the embedded store: an SQLite file in the outputs folder."""
    return f"sqlite:///{(root / 'mlflow.db').resolve()}"


def prepare_store(tracking: Tracking, root: Path = STORE) -> str | None:
    """Create the store and the experiment under a lock, since several processes may do so at the same time.

    Returns:
        The address, or None where tracking is off.

    Raises:
        ResourceError: the store cannot be reached or created.
    """
    if tracking.uri == OFF:
        return None
    uri = embedded_uri(root) if not tracking.uri else unmask(tracking.uri)
    # By default MLflow retries for minutes before it reports that a server is unreachable.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    from filelock import FileLock

    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / ".mlflow.lock"):
        try:
            _experiment(uri, tracking.experiment, root)
        except Exception as error:  # SQLAlchemy, requests and MLflow raise errors of their own
            raise ResourceError(
                "tracking.uri",
                f"cannot be reached or used ({type(error).__name__}: {_first_line(error, uri)})",
                got=mask(uri),
                hint="leave it out for the embedded store, or tracking.uri=off",
            ) from None
    return uri


def _first_line(error: Exception, uri: str) -> str:
    text = str(error).replace(uri, mask(uri))
    return without_passwords((text.splitlines() or [""])[0])[:80]


def _experiment(uri: str, name: str, root: Path) -> str:
    """The identifier of an experiment, which is created where it is missing."""
    import logging

    # Otherwise every migration of a new database and every retry of a connection is logged.
    for logger in ("alembic", "mlflow.store.db.utils", "urllib3"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    artifacts = (root / "mlartifacts").resolve().as_uri() if uri.startswith("sqlite:") else None
    return str(client.create_experiment(name, artifact_location=artifacts))


class Tracker:
    """Logs one study to MLflow.

    Args:
        uri: from :func:`prepare_store`.
        experiment: name of the experiment.
        folder: of the study.
        root: the folder of the embedded store.
    """

    def __init__(self, uri: str, experiment: str, folder: Path, root: Path = STORE) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=uri)
        self._experiment = _experiment(uri, experiment, root)
        self._folder = folder
        self._run = ""
        self.open = False

    def start(self, name: str, config: Mapping[str, Any], record: Record) -> None:
        """Open the run of the study, with its parameters and tags."""
        run = self._client.create_run(self._experiment, run_name=name, tags=self._tags(record))
        self._run, self.open = run.info.run_id, True
        self._params(self._run, dict(flattened(config)))

    def finish(self, record: Record, tables: Tables) -> None:
        """Log the results, with a child run for every cell, and end the runs."""
        summaries: dict[CellId, list[dict[str, Any]]] = {}
        for row in rows(tables.summary):
            summaries.setdefault(CellId(row["method"], row["baseline"]), []).append(row)
        metrics: dict[str, float] = {}
        for row in rows(tables.cells):
            cell = CellId(row["method"], row["baseline"])
            metrics |= self._child(record, cell, row, summaries.get(cell, []))
        for row in rows(mean_agreement(tables.agreement)):
            a, b = CellId(row["method_a"], row["baseline_a"]), CellId(row["method_b"], row["baseline_b"])
            metrics[f"agreement.{row['measure']}.{a.joined('/')}.{b.joined('/')}"] = float(row["value"])
        for row in rows(tables.verdicts):
            self._client.set_tag(self._run, _key(f"verdict.{row['metric']}"), row["verdict"][:_MAX_TAG_LENGTH])
            metrics[f"alpha.{row['metric']}"] = float(row["alpha"])
        if record.performance is not None:
            known = record.performance.to_mapping()
            metrics |= {name: float(value) for name, value in known.items() if name != "examples"}
        metrics["seconds"] = math.nan if record.seconds is None else record.seconds
        self._metrics(self._run, metrics)
        self._client.log_artifacts(self._run, str(self._folder))
        self.close("FINISHED" if record.status == "done" else "FAILED", record.error or "")

    def close(self, status: str, error: str = "") -> None:
        """End the run of the study, unless it has ended."""
        if self.open:
            self.open = False
            if error:
                self._client.set_tag(self._run, "xaiexp.error", error[:_MAX_TAG_LENGTH])
            self._client.set_terminated(self._run, status)

    def _child(
        self, record: Record, cell: CellId, row: Mapping[str, Any], summaries: Sequence[Mapping[str, Any]]
    ) -> dict[str, float]:
        """Log the run of a cell from its rows of the tables; returns its main metrics for the run of the study."""
        label = cell.joined("/")
        tags = {
            **self._tags(record),
            "mlflow.parentRunId": self._run,
            "xaiexp.status": row["status"],
            "xaiexp.reason": row["reason"],
            "xaiexp.key": row["key"],
            "xaiexp.cached": str(row["cached"]),
        }
        run_id = self._client.create_run(self._experiment, run_name=label, tags=tags).info.run_id
        method, baseline = record.methods.get(cell.method), record.baselines.get(cell.baseline)
        components = {
            "method": {} if method is None else method.to_mapping(),
            "baseline": cell.baseline if baseline is None else baseline.to_mapping(),
        }
        self._params(run_id, dict(flattened({**components, **record.study.to_mapping()})))
        metrics = {k: float(row[k]) for k in ("forward_passes", "backward_passes", "seconds", "peak_memory_bytes")}
        for summary in summaries:
            for suffix, value in (("", summary["mean"]), (".low", summary["low"]), (".high", summary["high"])):
                metrics[f"{summary['metric']}{suffix}"] = float(value)
            metrics[f"{summary['metric']}.undefined"] = float(summary["undefined"])
            if summary["letters"]:
                self._client.set_tag(run_id, _key(f"letters.{summary['metric']}"), summary["letters"][:_MAX_TAG_LENGTH])
        self._metrics(run_id, metrics)
        status = {"done": "FINISHED", "skipped": "KILLED"}.get(row["status"], "FAILED")
        self._client.set_terminated(run_id, status)
        return {f"{label}.{key}": value for key, value in metrics.items() if not MetricId.parse(key).part}

    def _tags(self, record: Record) -> dict[str, str]:
        git = record.git
        return {
            "mlflow.source.name": "xaiexp",
            "xaiexp.folder": str(self._folder.resolve()),
            "xaiexp.host": socket.gethostname(),
            "xaiexp.pid": str(os.getpid()),
            "xaiexp.git.commit": "" if git is None else git.commit,
            "xaiexp.git.dirty": "" if git is None else str(git.dirty),
            **({"mlflow.source.git.commit": git.commit} if git is not None and git.commit else {}),
            **{f"xaiexp.version.{name}": version for name, version in record.versions.items()},
        }

    def _params(self, run_id: str, params: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        entries = [Param(_key(key), value[:_MAX_PARAM_LENGTH]) for key, value in params.items()]
        for start in range(0, len(entries), _PARAMS_PER_CALL):
            self._client.log_batch(run_id, params=entries[start : start + _PARAMS_PER_CALL])

    def _metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entries = [Metric(_key(k), v, now, 0) for k, v in metrics.items() if math.isfinite(v)]
        for start in range(0, len(entries), _METRICS_PER_CALL):
            self._client.log_batch(run_id, metrics=entries[start : start + _METRICS_PER_CALL])


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
