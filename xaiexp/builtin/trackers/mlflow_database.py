"""Where the runs of a study go: into an embedded MLflow database, without MLflow, in one transaction.

MLflow takes seconds to be imported and tens of milliseconds a call. The tables of a database whose schema is known
(:mod:`~xaiexp.builtin.trackers.mlflow_schema`) are written here as MLflow's own store writes them; a test compares.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from xaiexp.builtin.trackers.mlflow_client import (
    ERROR,
    PARENT,
    SQLITE,
    Number,
    artifacts_at,
    artifacts_of,
    write_files,
)
from xaiexp.builtin.trackers.mlflow_dataset import CONTEXT, DatasetFacts
from xaiexp.builtin.trackers.mlflow_schema import create, known_revision, revision_of

__all__ = ["DatabaseRuns", "database_at"]

_WAIT = 60.0  # seconds for a transaction of another process
_SETTINGS = ("MLFLOW_ENABLE_WORKSPACES", "MLFLOW_WORKSPACE")  # of MLflow, which change where runs go
_CREATE = (
    "INSERT INTO runs (run_uuid, name, start_time, artifact_uri, experiment_id, source_type, source_name,"
    " entry_point_name, user_id, status, source_version, lifecycle_stage)"
    " VALUES (?, ?, ?, ?, ?, 'UNKNOWN', '', '', 'unknown', 'RUNNING', '', 'active')"
)
_PARAM = "INSERT OR IGNORE INTO params (key, value, run_uuid) VALUES (?, ?, ?)"
_TAG = (
    "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)"
    " ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value"
)
_METRIC = "INSERT OR IGNORE INTO metrics (key, value, timestamp, step, run_uuid, is_nan) VALUES (?, ?, ?, ?, ?, 0)"
_LATEST = (
    "INSERT INTO latest_metrics (key, value, timestamp, step, run_uuid, is_nan) VALUES (?, ?, ?, ?, ?, 0)"
    " ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value, timestamp = excluded.timestamp,"
    " step = excluded.step, is_nan = 0 WHERE (excluded.step, excluded.timestamp, excluded.value)"
    " > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)"
)

_DATASET = (
    "INSERT OR IGNORE INTO datasets (experiment_id, dataset_uuid, name, digest, dataset_source_type, dataset_source,"
    " dataset_schema, dataset_profile) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_INPUT = (
    "INSERT OR IGNORE INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)"
    " SELECT ?, 'DATASET', dataset_uuid, 'RUN', ? FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?"
)
_INPUT_TAG = "INSERT INTO input_tags (input_uuid, name, value) SELECT input_uuid, ?, ? FROM inputs WHERE input_uuid = ?"


def database_at(address: str, name: str, *, new: bool = False) -> DatabaseRuns | None:
    """The experiment of an embedded database; None where only MLflow itself can say what to do.

    Args:
        address: of the tracking server.
        name: of the experiment, which is created where it is missing.
        new: create the database where it is missing.
    """
    if not address.startswith(SQLITE) or "?" in address or any(key in os.environ for key in _SETTINGS):
        return None
    file = Path(address.removeprefix(SQLITE))
    try:
        if not file.exists() and not (new and create(file)):
            return None
        with _connected(file) as database:
            if revision_of(database) != known_revision():
                return None
            experiment = _experiment(database, address, name)
    except (sqlite3.Error, OSError):  # MLflow says what is wrong with it
        return None
    return None if experiment is None else DatabaseRuns(file, *experiment)


class DatabaseRuns:
    """The runs of an experiment of an embedded database. What is written waits for :meth:`flush`.

    Args:
        file: of the database.
        experiment: its identifier.
        artifacts: the address of the experiment's artifacts.
    """

    def __init__(self, file: Path, experiment: int, artifacts: str) -> None:
        self._file, self._experiment, self._artifacts = file, experiment, artifacts.rstrip("/")
        self._uris: dict[str, str] = {}
        self._waiting: list[tuple[str, list[tuple[Any, ...]]]] = []

    def of_study(self, study: str) -> str | None:
        """The run with the tag ``xaiexp.id``; the newest first, as MLflow finds them."""
        return next((run for run, _ in self._tagged("xaiexp.id", study)), None)

    def children(self, run: str) -> dict[str, str]:
        """The child runs of a run, by name."""
        return {name: child for child, name in self._tagged(PARENT, run)}

    def create(self, name: str, tags: Mapping[str, str]) -> str:
        """Start a run."""
        run = uuid.uuid4().hex
        self._uris[run] = f"{self._artifacts}/{run}/artifacts"
        self._add(_CREATE, (run, name, _now(), self._uris[run], self._experiment))
        self._add(_TAG, *((key, value, run) for key, value in {**tags, "mlflow.runName": name}.items()))
        return run

    def go_on(self, run: str) -> None:
        """Mark a run as running again, and forget why it ended."""
        self._add("UPDATE runs SET status = 'RUNNING' WHERE run_uuid = ?", (run,))
        self._add("DELETE FROM tags WHERE run_uuid = ? AND key = ?", (run, ERROR))

    def log(self, run: str, params: Mapping[str, str], metrics: Sequence[Number], tags: Mapping[str, str]) -> None:
        """Log finite numbers, texts that are parameters and texts that are tags."""
        numbers = [(each.key, each.value, each.time, each.step, run) for each in metrics]
        self._add(_PARAM, *((key, value, run) for key, value in params.items()))
        self._add(_METRIC, *numbers)
        self._add(_LATEST, *numbers)
        self._add(_TAG, *((key, value, run) for key, value in tags.items()))

    def add_dataset(self, runs: Sequence[str], dataset: DatasetFacts) -> None:
        """Make a dataset an input of runs."""
        self._add(_DATASET, (self._experiment, uuid.uuid4().hex, *astuple(dataset)))
        for run in runs:
            edge = uuid.uuid4().hex
            self._add(_INPUT, (edge, run, self._experiment, dataset.name, dataset.digest))
            self._add(_INPUT_TAG, *((key, value, edge) for key, value in CONTEXT.items()))

    def end(self, run: str, status: str) -> None:
        """End a run."""
        self._add("UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", (status, _now(), run))

    def copy(self, run: str, folder: Path) -> None:
        """Copy the files of a folder to the artifacts of a run."""
        if (place := self._place(run)) is not None:
            shutil.copytree(folder, place, dirs_exist_ok=True, copy_function=shutil.copyfile)
        else:
            artifacts_at(self._uri_of(run)).log_artifacts(str(folder))

    def write(self, run: str, files: Mapping[str, bytes]) -> None:
        """Write artifacts of a run, by their paths."""
        if not files:
            return
        if (place := self._place(run)) is not None:
            write_files(place, files)
            return
        with tempfile.TemporaryDirectory() as folder:
            write_files(Path(folder), files)
            self.copy(run, Path(folder))

    def flush(self) -> None:
        """Write what waits, as a whole or not at all."""
        if not self._waiting:
            return
        with _connected(self._file) as database:
            database.execute("BEGIN IMMEDIATE")
            for statement, rows in self._waiting:
                database.executemany(statement, rows)
            database.execute("COMMIT")
        self._waiting.clear()

    def _add(self, statement: str, *rows: tuple[Any, ...]) -> None:
        if rows:
            self._waiting.append((statement, list(rows)))

    def _tagged(self, key: str, value: str) -> list[tuple[str, str]]:
        found = (
            "SELECT runs.run_uuid, runs.name FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid"
            " WHERE tags.key = ? AND tags.value = ? AND runs.experiment_id = ? AND runs.lifecycle_stage = 'active'"
            " ORDER BY start_time DESC, 1"
        )
        with _connected(self._file) as database:
            return database.execute(found, (key, value, self._experiment)).fetchall()

    def _place(self, run: str) -> Path | None:
        """The folder of the artifacts of a run; None where it is elsewhere."""
        place = urlsplit(self._uri_of(run))
        return Path(unquote(place.path)) if place.scheme in ("", "file") and not place.netloc else None

    def _uri_of(self, run: str) -> str:
        """The address of the artifacts of a run, which may wait to be written."""
        if run not in self._uris:
            with _connected(self._file) as database:
                found = database.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run,)).fetchone()
            self._uris[run] = str(found[0])
        return self._uris[run]


@contextlib.contextmanager
def _connected(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection to an existing file; what is not committed at its end is undone."""
    with contextlib.closing(
        sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", timeout=_WAIT, isolation_level=None, uri=True)
    ) as database:
        yield database


def _experiment(database: sqlite3.Connection, address: str, name: str) -> tuple[int, str] | None:
    """Identifier and artifacts of an experiment, which is created where it is missing; None for a deleted one."""
    known = (
        "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments"
        " WHERE name = ? AND workspace = 'default'"
    )
    found = database.execute(known, (name,)).fetchone()
    if found is None:
        now = _now()
        database.execute(
            "INSERT OR IGNORE INTO experiments (name, artifact_location, creation_time, last_update_time,"
            " lifecycle_stage) VALUES (?, ?, ?, ?, 'active')",
            (name, artifacts_of(address), now, now),
        )
        found = database.execute(known, (name,)).fetchone()
    experiment, artifacts, stage = found
    return (int(experiment), str(artifacts)) if stage == "active" and artifacts else None


def _now() -> int:
    return int(time.time() * 1000)
