"""An embedded database is written as MLflow itself writes it, in one transaction and without importing MLflow."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys

import pandas as pd
import pytest
from mlflow.store.db.utils import _get_latest_schema_revision

from xaiexp.builtin.trackers import mlflow_database, mlflow_schema
from xaiexp.builtin.trackers.mlflow_client import ClientRuns, client_at, experiment_of
from xaiexp.builtin.trackers.mlflow_database import DatabaseRuns, database_at
from xaiexp.builtin.trackers.mlflow_runs import StudyRun
from xaiexp.builtin.trackers.mlflow_tracker import Mlflow
from xaiexp.contract.tracker import TrackedCell, TrackedStudy
from xaiexp.core.ids import CellId
from xaiexp.core.record import MethodFacts, Record, StudyFacts
from xaiexp.store.owners import this_process

RECORD = Record(
    status="done",
    started="2026-01-02T03:04:05+00:00",
    study=StudyFacts(model="net", dataset="data", seed=3),
    methods={"a": MethodFacts(name="saliency", parameters={"power": 2})},
    versions={"torch": "9.9"},
    seconds=12.5,
)
TABLES = {
    "agreement": pd.DataFrame(
        [("rank", "a", "zero", "b", "none", 0.25)],
        columns=["measure", "method_a", "baseline_a", "method_b", "baseline_b", "value"],
    ),
    "verdicts": pd.DataFrame([("deletion", "a tie, näher", 0.125)], columns=["metric", "verdict", "alpha"]),
}


@pytest.fixture(scope="module")
def made_by_mlflow(tmp_path_factory):
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    client_at(f"sqlite:///{file}").search_experiments()
    return file


def study_in(folder, name="study", identity="abc"):
    files = folder / name
    (files / "maps").mkdir(parents=True, exist_ok=True)
    (files / "record.json").write_text("{}")
    (files / "maps" / "a.svg").write_text("<svg/>")
    address = f"sqlite:///{folder / 'mlflow.db'}"
    config = {"seed": 3, "long": "x" * 7000, "method": {"a": {"power": 2}}, **{f"k{n}": n for n in range(120)}}
    return TrackedStudy(identity, "net on data", files, config, RECORD, "mine", address, this_process())


def log(run, cells=2, until="finish"):
    for number in range(cells):
        cell = CellId("a", f"b{number}")
        row = {"status": "done", "reason": "", "key": "k", "cached": True}
        row |= {"forward_passes": 10, "backward_passes": 4, "seconds": 0.5, "peak_memory_bytes": 1024}
        summary = {"metric": "deletion", "mean": 0.5, "low": 0.25, "high": float("nan"), "undefined": 1, "letters": "a"}
        run.log_cell(TrackedCell(cell, row, [summary]))
    run.log_tables(TABLES)
    run.stop("interrupted") if until == "stop" else run.finish(RECORD)


def content(file):
    """All rows of a database: names of runs in place of identifiers, and of times only whether there is one."""
    with sqlite3.connect(file) as database:
        names = dict(database.execute("SELECT run_uuid, name FROM runs"))
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        out = {}
        for table in tables:
            cursor = database.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in cursor.description]
            out[table] = sorted(
                (
                    tuple(_said(column, value, names, file) for column, value in zip(columns, row, strict=True))
                    for row in cursor
                ),
                key=repr,
            )
    return out


def _said(column, value, names, file):
    if column in ("start_time", "end_time", "creation_time", "last_update_time"):
        return value is not None
    if isinstance(value, str):
        for run, name in names.items():
            value = value.replace(run, name)
        value = value.replace(str(file.parent), "FOLDER")
    return value


def client_run(study):
    client = client_at(study.address)
    return StudyRun(ClientRuns(client, experiment_of(client, study.address, study.group)), study)


def statements(schema):
    """The lines of all statements; MLflow makes indexes and the constraints of a table in an order of chance."""
    return sorted(sorted(line.strip(" \t,") for line in statement.splitlines()) for statement in schema.split(";\n"))


def test_the_schema_is_the_one_that_mlflow_makes(made_by_mlflow, tmp_path):
    assert mlflow_schema.expected_revision() == mlflow_schema.known_revision() == _get_latest_schema_revision()
    assert mlflow_schema.create(tmp_path / "mlflow.db")
    with sqlite3.connect(made_by_mlflow) as theirs, sqlite3.connect(tmp_path / "mlflow.db") as ours:
        assert statements(mlflow_schema.dumped(theirs)) == statements(mlflow_schema.dumped(ours))
    assert content(made_by_mlflow) == content(tmp_path / "mlflow.db")


@pytest.mark.parametrize("ends", [("finish",), ("stop", "finish"), ("finish", "finish")])
def test_all_rows_are_those_that_mlflow_writes(made_by_mlflow, tmp_path, ends):
    """Of a study that is sent at once, that was interrupted and goes on, and that is sent twice."""
    found = []
    for name in ("client", "database"):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copyfile(made_by_mlflow, folder / "mlflow.db")
        study = study_in(folder)
        for number, end in enumerate(ends):
            run = client_run(study) if name == "client" else Mlflow().start(study)
            assert isinstance(run._runs, ClientRuns if name == "client" else DatabaseRuns)
            log(run, cells=1 + number, until=end)
        files = {file.relative_to(folder).as_posix() for file in (folder / "mlartifacts").rglob("*") if file.is_file()}
        found.append((content(folder / "mlflow.db"), {file.replace(run.name, "RUN") for file in files}))
    assert found[0] == found[1]
    assert len(found[1][0]["runs"]) == 1 + len(ends)
    assert found[1][1] == {"mlartifacts/RUN/artifacts/record.json", "mlartifacts/RUN/artifacts/maps/a.svg"}


def test_mlflow_reads_what_was_written(tmp_path):
    study = study_in(tmp_path)
    Mlflow().prepare(study.address, study.group)
    log(Mlflow().start(study))
    (kept,) = Mlflow().kept(study)
    assert (kept.status, sorted(kept.cells)) == ("done", ["a/b0", "a/b1"])
    assert kept.values["a/b1.deletion"] == 0.5
    client = client_at(study.address)
    assert {file.path for file in client.list_artifacts(kept.run)} == {"record.json", "maps"}
    client.set_terminated(kept.run, "RUNNING")  # what MLflow changes later is found again
    assert Mlflow().start(study).name == kept.run


def changes(file):
    """How many transactions have changed a database: the counter in its header."""
    return int.from_bytes(file.read_bytes()[24:28], "big")


@pytest.mark.parametrize("cells", [1, 30])
def test_a_study_is_two_transactions_whatever_its_cells(tmp_path, cells):
    study = study_in(tmp_path)
    Mlflow().prepare(study.address, study.group)
    before = changes(tmp_path / "mlflow.db")
    run = Mlflow().start(study)
    assert changes(tmp_path / "mlflow.db") == before + 1
    log(run, cells)
    assert changes(tmp_path / "mlflow.db") == before + 2


def test_a_study_that_cannot_be_written_whole_is_not_written_at_all(tmp_path):
    study = study_in(tmp_path)
    Mlflow().prepare(study.address, study.group)
    run = Mlflow().start(study)
    before = content(tmp_path / "mlflow.db")
    run._runs._add("INSERT INTO no_such_table VALUES (?)", (1,))
    with pytest.raises(sqlite3.OperationalError):
        log(run)
    assert content(tmp_path / "mlflow.db") == before


@pytest.mark.parametrize("case", ["another revision", "no database", "a setting", "deleted", "missing", "a server"])
def test_what_is_not_known_is_left_to_mlflow(tmp_path, monkeypatch, case):
    file, address = tmp_path / "mlflow.db", f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert database_at(address, "mine", new=True) is not None
    with sqlite3.connect(file) as database:
        if case == "another revision":
            database.execute("UPDATE alembic_version SET version_num = 'abc'")
        if case == "deleted":
            database.execute("UPDATE experiments SET lifecycle_stage = 'deleted'")
    if case == "no database":
        file.write_bytes(b"some text" * 1000)
    if case == "missing":
        file.unlink()
    if case == "a setting":
        monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    if case == "a server":
        address = "http://127.0.0.1:1"
    before = file.read_bytes() if file.exists() else None
    assert database_at(address, "mine") is None
    assert (file.read_bytes() if file.exists() else None) == before


def test_another_mlflow_makes_its_own_database(tmp_path, monkeypatch):
    monkeypatch.setattr(mlflow_schema, "expected_revision", lambda: "abc")
    assert mlflow_database.database_at(f"sqlite:///{tmp_path / 'mlflow.db'}", "mine", new=True) is None
    assert not (tmp_path / "mlflow.db").exists()


def test_a_database_that_another_process_made_first_stays(tmp_path):
    file = tmp_path / "mlflow.db"
    file.write_bytes(b"first")
    assert mlflow_schema.create(file)
    assert file.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["mlflow.db"]


def test_an_embedded_database_is_prepared_without_importing_mlflow(tmp_path):
    code = (
        "import sys; from xaiexp.builtin.trackers.mlflow_tracker import Mlflow; "
        f"[Mlflow().prepare('sqlite:///{tmp_path / 'mlflow.db'}', 'mine') for _ in 'ab']; "
        "print(sorted({'mlflow', 'sqlalchemy', 'alembic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
