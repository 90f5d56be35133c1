"""Where the runs of a study go: through MLflow's client to a server or any database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["ClientRuns", "Runs", "children_of", "client_at", "experiment_of", "runs_of"]

SQLITE = "sqlite:///"
PARENT, ERROR = "mlflow.parentRunId", "xaiexp.error"
_METRICS_PER_CALL = 1000
_PARAMS_PER_CALL = 100


class Runs(Protocol):
    """Takes the runs of one experiment. What is written is there after :meth:`flush` at the latest."""

    def of_study(self, study: str) -> str | None:
        """The run with the tag ``xaiexp.id``."""

    def children(self, run: str) -> dict[str, str]:
        """The child runs of a run, by name."""

    def create(self, name: str, tags: Mapping[str, str]) -> str:
        """Start a run; returns its identifier."""

    def go_on(self, run: str) -> None:
        """Mark a run as running again, and forget why it ended."""

    def log(
        self, run: str, params: Mapping[str, str], metrics: Mapping[str, float], tags: Mapping[str, str], time: int
    ) -> None:
        """Log finite numbers, texts that are parameters and texts that are tags."""

    def end(self, run: str, status: str) -> None:
        """End a run."""

    def copy(self, run: str, folder: Path) -> None:
        """Copy the files of a folder to the artifacts of a run."""

    def flush(self) -> None:
        """Write what waits, as a whole or not at all."""


class ClientRuns:
    """The runs of an experiment that MLflow's client reaches; every call is a request of its own.

    Args:
        client: of the server or database.
        experiment: its identifier.
    """

    def __init__(self, client: MlflowClient, experiment: str) -> None:
        self._client, self._experiment = client, experiment

    def of_study(self, study: str) -> str | None:
        """The run with the tag ``xaiexp.id``."""
        known = runs_of(self._client, self._experiment, study)
        return str(known[0].info.run_id) if known else None

    def children(self, run: str) -> dict[str, str]:
        """The child runs of a run, by name."""
        return {r.info.run_name: r.info.run_id for r in children_of(self._client, self._experiment, run)}

    def create(self, name: str, tags: Mapping[str, str]) -> str:
        """Start a run."""
        return str(self._client.create_run(self._experiment, run_name=name, tags=dict(tags)).info.run_id)

    def go_on(self, run: str) -> None:
        """Mark a run as running again, and forget why it ended."""
        self._client.update_run(run, status="RUNNING")
        if ERROR in self._client.get_run(run).data.tags:
            self._client.delete_tag(run, ERROR)

    def log(
        self, run: str, params: Mapping[str, str], metrics: Mapping[str, float], tags: Mapping[str, str], time: int
    ) -> None:
        """Send everything in as few calls as MLflow allows."""
        from mlflow.entities import Metric, Param, RunTag

        parameters = [Param(key, value) for key, value in params.items()]
        numbers = [Metric(key, value, time, 0) for key, value in metrics.items()]
        marks = [RunTag(key, value) for key, value in tags.items()]
        # A call takes 1000 metrics, 100 parameters and 100 tags, and no more than 1000 of them together.
        while parameters or numbers or marks:
            room = _METRICS_PER_CALL - len(parameters[:_PARAMS_PER_CALL]) - len(marks[:_PARAMS_PER_CALL])
            self._client.log_batch(run, numbers[:room], parameters[:_PARAMS_PER_CALL], marks[:_PARAMS_PER_CALL])
            parameters, numbers = parameters[_PARAMS_PER_CALL:], numbers[room:]
            marks = marks[_PARAMS_PER_CALL:]

    def end(self, run: str, status: str) -> None:
        """End a run."""
        self._client.set_terminated(run, status)

    def copy(self, run: str, folder: Path) -> None:
        """Copy the files of a folder to the artifacts of a run."""
        self._client.log_artifacts(run, str(folder))

    def flush(self) -> None:
        """Nothing waits."""


def client_at(address: str) -> MlflowClient:
    """A client of a server or database.

    By default MLflow retries for minutes before it reports that a server is unreachable, and logs every retry and
    every migration of a new database.
    """
    import logging

    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when MLflow is imported
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    for logger in ("alembic", "mlflow.store.db.utils", "urllib3"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=address)


def experiment_of(client: MlflowClient, address: str, name: str) -> str:
    """The identifier of an experiment, which is created where it is missing."""
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    return str(client.create_experiment(name, artifact_location=artifacts_of(address)))


def artifacts_of(address: str) -> str | None:
    """Where the artifacts of a new experiment go: beside an SQLite file, else where the server says."""
    if not address.startswith(SQLITE):
        return None
    return (Path(address.removeprefix(SQLITE)).parent / "mlartifacts").resolve().as_uri()


def runs_of(client: MlflowClient, experiment: str, study: str) -> list[Run]:
    """The runs of the study with this id."""
    return _found(client, experiment, f"tags.`xaiexp.id` = '{study}'")


def children_of(client: MlflowClient, experiment: str, run: str) -> list[Run]:
    """The child runs of a run."""
    return _found(client, experiment, f"tags.`{PARENT}` = '{run}'")


def _found(client: MlflowClient, experiment: str, condition: str) -> list[Run]:
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], condition, page_token=token)
        runs += page
        token = getattr(page, "token", None)
        if not token:
            return runs
