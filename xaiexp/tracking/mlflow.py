"""MLflow: a run a study, a child run a cell, in an embedded store under ``outputs/`` or on a server.

The folder of the study stays the source of truth; MLflow gets the same.
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
from typing import Any

import pandas as pd

from xaiexp.core.ids import NO_BASELINE
from xaiexp.errors import ResourceError
from xaiexp.plan.settings import Tracking
from xaiexp.results.frames import mean_agreement, rows

# Telemetry stays off unless the user turned it on; MLflow reads this when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

__all__ = ["OFF", "STORE", "Tracker", "embedded_uri", "prepare_store"]

OFF = "off"
STORE = Path("outputs")
_LONGEST_PARAM = 6000
_BATCH = 1000
_PARAMS = 100
_ILLEGAL = re.compile(r"[^\w\-./ :]")


def embedded_uri(root: Path = STORE) -> str:
    """The address of the embedded store: an SQLite file in the outputs folder."""
    return f"sqlite:///{(root / 'mlflow.db').resolve()}"


def prepare_store(tracking: Tracking, root: Path = STORE) -> str | None:
    """Make the store and the experiment, once, under a lock: several processes may ask at the same time.

    Returns:
        The address, or None where tracking is off.

    Raises:
        ResourceError: the store cannot be reached or made.
    """
    if tracking.uri == OFF:
        return None
    uri = tracking.uri or embedded_uri(root)
    # A server that is not there should say so in seconds, not after MLflow's minutes of patience.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    from filelock import FileLock

    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / ".mlflow.lock"):
        try:
            _experiment(uri, tracking.experiment, root)
        except Exception as error:  # SQLAlchemy, requests and MLflow each have their own
            raise ResourceError(
                "tracking.uri",
                f"cannot be reached or used ({type(error).__name__}: {str(error).splitlines()[0][:80]})",
                got=uri,
                hint="leave it out for the embedded store, or tracking.uri=off",
            ) from None
    return uri


def _experiment(uri: str, name: str, root: Path) -> str:
    import logging

    # The first creation of the database logs every migration, a server that is away every retry.
    for noisy in ("alembic", "mlflow.store.db.utils", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    where = (root / "mlartifacts").resolve().as_uri() if uri.startswith("sqlite:") else None
    return str(client.create_experiment(name, artifact_location=where))


class Tracker:
    """Writes one study to MLflow.

    Args:
        uri: from :func:`prepare_store`.
        experiment: its name.
        folder: of the study.
    """

    def __init__(self, uri: str, experiment: str, folder: Path, root: Path = STORE) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=uri)
        self._experiment = _experiment(uri, experiment, root)
        self._folder = folder
        self._run = ""
        self.open = False

    def start(self, name: str, config: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        """Open the run of the study, with its parameters and tags."""
        run = self._client.create_run(self._experiment, run_name=name, tags=self._tags(record))
        self._run, self.open = run.info.run_id, True
        self._params(self._run, dict(flattened(config)))

    def finish(
        self,
        record: Mapping[str, Any],
        cells: pd.DataFrame,
        summary: pd.DataFrame,
        verdicts: pd.DataFrame,
        agreement: pd.DataFrame,
    ) -> None:
        """Log what came out, with a child run for every cell, and close the runs."""
        scores: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in rows(summary):
            scores.setdefault((row["method"], row["baseline"]), []).append(row)
        metrics: dict[str, float] = {}
        for cell in rows(cells):
            metrics |= self._child(record, cell, scores.get((cell["method"], cell["baseline"]), []))
        for row in rows(mean_agreement(agreement)):
            a, b = _label(row["method_a"], row["baseline_a"]), _label(row["method_b"], row["baseline_b"])
            metrics[f"agreement.{row['measure']}.{a}.{b}"] = float(row["value"])
        for row in rows(verdicts):
            self._client.set_tag(self._run, _key(f"verdict.{row['metric']}"), row["verdict"][:5000])
            metrics[f"alpha.{row['metric']}"] = float(row["alpha"])
        metrics["seconds"] = float(record.get("seconds", math.nan))
        self._metrics(self._run, metrics)
        self._client.log_artifacts(self._run, str(self._folder))
        self.close("FINISHED" if record.get("status") == "done" else "FAILED", str(record.get("error") or ""))

    def close(self, status: str, error: str = "") -> None:
        """End the run of the study, once."""
        if self.open:
            self.open = False
            if error:
                self._client.set_tag(self._run, "xaiexp.error", error[:5000])
            self._client.set_terminated(self._run, status)

    def _child(
        self, record: Mapping[str, Any], cell: Mapping[str, Any], scores: Sequence[Mapping[str, Any]]
    ) -> dict[str, float]:
        label = _label(cell["method"], cell["baseline"])
        tags = {
            **self._tags(record),
            "mlflow.parentRunId": self._run,
            "xaiexp.status": cell["status"],
            "xaiexp.reason": cell["reason"],
            "xaiexp.key": cell["key"],
            "xaiexp.cached": str(cell["cached"]),
        }
        run_id = self._client.create_run(self._experiment, run_name=label, tags=tags).info.run_id
        method = record.get("methods", {}).get(cell["method"], {})
        told = {"method": method, "baseline": record.get("baselines", {}).get(cell["baseline"], cell["baseline"])}
        self._params(run_id, dict(flattened({**told, **record.get("study", {})})))
        own = {k: float(cell[k]) for k in ("forward_passes", "backward_passes", "seconds", "peak_memory_bytes")}
        for row in scores:
            for part, value in (("", row["mean"]), (".low", row["low"]), (".high", row["high"])):
                own[f"{row['metric']}{part}"] = float(value)
            own[f"{row['metric']}.undefined"] = float(row["undefined"])
        self._metrics(run_id, own)
        ended = {"done": "FINISHED", "skipped": "KILLED"}.get(cell["status"], "FAILED")
        self._client.set_terminated(run_id, ended)
        return {f"{label}.{key}": value for key, value in own.items() if "." not in key}

    def _tags(self, record: Mapping[str, Any]) -> dict[str, str]:
        git = record.get("git") or {}
        versions = record.get("versions") or {}
        return {
            "mlflow.source.name": "xaiexp",
            "xaiexp.folder": str(self._folder.resolve()),
            "xaiexp.host": socket.gethostname(),
            "xaiexp.pid": str(os.getpid()),
            "xaiexp.git.commit": str(git.get("commit", "")),
            "xaiexp.git.dirty": str(git.get("dirty", "")),
            **({"mlflow.source.git.commit": git["commit"]} if git.get("commit") else {}),
            **{f"xaiexp.version.{name}": str(value) for name, value in versions.items()},
        }

    def _params(self, run_id: str, params: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        entries = [Param(_key(key), value[:_LONGEST_PARAM]) for key, value in params.items()]
        for start in range(0, len(entries), _PARAMS):
            self._client.log_batch(run_id, params=entries[start : start + _PARAMS])

    def _metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entries = [Metric(_key(k), v, now, 0) for k, v in metrics.items() if math.isfinite(v)]
        for start in range(0, len(entries), _BATCH):
            self._client.log_batch(run_id, metrics=entries[start : start + _BATCH])


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings as dotted keys with text values."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flattened(value, f"{name}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, default=str)


def _label(method: str, baseline: str) -> str:
    return method if baseline == NO_BASELINE else f"{method}/{baseline}"


def _key(name: str) -> str:
    return _ILLEGAL.sub("_", name)[:250]
