"""Where the runs of a study go: through MLflow's client to a server or any database."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from xaiexp.builtin.trackers.mlflow_dataset import CONTEXT, DatasetFacts

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

__all__ = [
    "ClientRuns",
    "Number",
    "Runs",
    "artifacts_at",
    "children_of",
    "client_at",
    "configure",
    "experiment_of",
    "runs_of",
    "write_files",
]

SQLITE = "sqlite:///"
PARENT, ERROR = "mlflow.parentRunId", "xaiexp.error"
_METRICS_PER_CALL = 1000
_PARAMS_PER_CALL = 100


@dataclass(frozen=True)
class Number:
    """A value of a metric.

    Args:
        key: name of the metric.
        value: finite.
        time: in milliseconds.
        step: along a curve.
    """

    key: str
    value: float
    time: int
    step: int = 0


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

    def log(self, run: str, params: Mapping[str, str], metrics: Sequence[Number], tags: Mapping[str, str]) -> None:
        """Log finite numbers, texts that are parameters and texts that are tags."""

    def add_dataset(self, runs: Sequence[str], dataset: DatasetFacts) -> None:
        """Make a dataset an input of runs."""

    def end(self, run: str, status: str) -> None:
        """End a run."""

    def copy(self, run: str, folder: Path) -> None:
        """Copy the files of a folder to the artifacts of a run."""

    def write(self, run: str, files: Mapping[str, bytes]) -> None:
        """Write artifacts of a run, by their paths."""

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

    def log(self, run: str, params: Mapping[str, str], metrics: Sequence[Number], tags: Mapping[str, str]) -> None:
        """Send everything in as few calls as MLflow allows."""
        from mlflow.entities import Metric, Param, RunTag

        parameters = [Param(key, value) for key, value in params.items()]
        numbers = [Metric(each.key, each.value, each.time, each.step) for each in metrics]
        marks = [RunTag(key, value) for key, value in tags.items()]
        # A call takes 1000 metrics, 100 parameters and 100 tags, and no more than 1000 of them together.
        while parameters or numbers or marks:
            room = _METRICS_PER_CALL - len(parameters[:_PARAMS_PER_CALL]) - len(marks[:_PARAMS_PER_CALL])
            self._client.log_batch(run, numbers[:room], parameters[:_PARAMS_PER_CALL], marks[:_PARAMS_PER_CALL])
            parameters, numbers = parameters[_PARAMS_PER_CALL:], numbers[room:]
            marks = marks[_PARAMS_PER_CALL:]

    def add_dataset(self, runs: Sequence[str], dataset: DatasetFacts) -> None:
        """Make a dataset an input of runs."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        tags = [InputTag(key, value) for key, value in CONTEXT.items()]
        for run in runs:
            self._client.log_inputs(run, [DatasetInput(Dataset(**asdict(dataset)), tags)])

    def end(self, run: str, status: str) -> None:
        """End a run."""
        self._client.set_terminated(run, status)

    def copy(self, run: str, folder: Path) -> None:
        """Copy the files of a folder to the artifacts of a run."""
        self._client.log_artifacts(run, str(folder))

    def write(self, run: str, files: Mapping[str, bytes]) -> None:
        """Write artifacts of a run, by their paths."""
        if files:
            with tempfile.TemporaryDirectory() as folder:
                write_files(Path(folder), files)
                self._client.log_artifacts(run, folder)

    def flush(self) -> None:
        """Nothing waits."""


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, by their paths."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def client_at(address: str) -> MlflowClient:
    """A client of a server or database."""
    configure()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=address)


def artifacts_at(uri: str) -> ArtifactRepository:
    """What MLflow keeps artifacts of this address with."""
    configure()
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(uri)


def configure() -> None:
    """Set up MLflow before its import.

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
