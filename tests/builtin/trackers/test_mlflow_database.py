"""An embedded database is written as MLflow itself writes it, in one transaction and without importing MLflow."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.data import get_source as get_dataset_source
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.numpy_dataset import from_numpy
from mlflow.data.schema import TensorDatasetSchema
from mlflow.store.db.utils import _get_latest_schema_revision

from xaiexp.builtin.trackers import mlflow_database, mlflow_schema
from xaiexp.builtin.trackers.mlflow_client import ClientRuns, client_at, experiment_of
from xaiexp.builtin.trackers.mlflow_database import DatabaseRuns, database_at
from xaiexp.builtin.trackers.mlflow_runs import StudyRun
from xaiexp.builtin.trackers.mlflow_tracker import Mlflow
from xaiexp.contract.tracker import TrackedCell, TrackedStudy
from xaiexp.core.ids import CellId
from xaiexp.core.record import (
    ComponentFacts,
    DataFacts,
    MethodFacts,
    PassCount,
    PassCounts,
    PerformanceFacts,
    Record,
    StudyFacts,
)  # fmt: skip
from xaiexp.statistics.frames import mean_agreement
from xaiexp.store.owners import this_process

RECORD = Record(
    status="done",
    started="2026-01-02T03:04:05+00:00",
    study=StudyFacts(model="net", dataset="data", seed=3),
    methods={"a": MethodFacts(name="saliency", parameters={"power": 2})},
    versions={"torch": "9.9"},
    seconds=12.5,
)
DONE = replace(
    RECORD,
    dataset=ComponentFacts(name="data", parameters={"split": "test"}),
    data=DataFacts(count=4, shape=(1, 8, 8), fingerprint="0123456789abcdef" * 3, class_counts={"a": 4}),
    performance=PerformanceFacts(examples=4, accuracy=0.75, chance=0.5),
    passes=PassCounts(PassCount(3, 2), {"deletion": PassCount(4, 0, 0.5)}, PassCount(1, 0)),
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
        maps = {"0_e": run._study.folder / "maps" / "a.svg"}
        run.log_cell(TrackedCell(cell, row, [summary], {"deletion": [1.0, float("nan"), 0.25]}, maps))
    run.log_tables(TABLES)
    run.stop("interrupted") if until == "stop" else run.finish(DONE)


def content(file):
    """All rows of a database: names of runs in place of identifiers, and of times only whether there is one."""
    with sqlite3.connect(file) as database:
        names = dict(database.execute("SELECT run_uuid, name FROM runs"))
        names |= {made: f"data {name}" for made, name in database.execute("SELECT dataset_uuid, name FROM datasets")}
        edges = database.execute("SELECT input_uuid, source_id, destination_id FROM inputs").fetchall()
        names |= {edge: f"{names[source]} of {names[run]}" for edge, source, run in edges}
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
        named = {run.name: "RUN", **{child: label for label, child in run._children.items()}}
        files = {}
        for file in (folder / "mlartifacts").rglob("*"):
            if file.is_file():
                made, *rest = file.relative_to(folder / "mlartifacts").parts
                files["/".join(["mlartifacts", named[made], *rest])] = file.read_bytes()
        found.append((content(folder / "mlflow.db"), files))
    assert found[0] == found[1]
    rows = found[1][0]
    assert len(rows["runs"]) == 1 + len(ends)
    assert (len(rows["datasets"]), len(rows["inputs"]), len(rows["input_tags"])) == (
        1,
        len(rows["runs"]),
        len(rows["runs"]),
    )
    names = {name.removeprefix("mlartifacts/RUN/artifacts/") for name in found[1][1] if "/RUN/" in name}
    assert names == {"record.json", "maps/a.svg", "tables/agreement.json", "tables/verdicts.json"}
    images = [name for name in found[1][1] if "/images/" in name]
    assert len(images) == 2 * len(ends)


def test_mlflow_reads_what_was_written(tmp_path):
    study = study_in(tmp_path)
    Mlflow().prepare(study.address, study.group)
    log(Mlflow().start(study))
    (kept,) = Mlflow().kept(study)
    assert (kept.status, sorted(kept.cells)) == ("done", ["a/b0", "a/b1"])
    client = client_at(study.address)
    assert {file.path for file in client.list_artifacts(kept.run)} == {"record.json", "maps", "tables"}
    client.set_terminated(kept.run, "RUNNING")  # what MLflow changes later is found again
    assert Mlflow().start(study).name == kept.run


@pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes")  # of pandas, in MLflow's log_table
def test_mlflow_reads_data_curves_and_tables_as_it_would_write_them(tmp_path):
    """Compared with ``log_table``, with the schema of an array and with the fingerprint of the record."""
    study = study_in(tmp_path)
    Mlflow().prepare(study.address, study.group)
    log(Mlflow().start(study), cells=1)
    (kept,) = Mlflow().kept(study)
    client = client_at(study.address)
    run = client.get_run(kept.run)
    (found,) = run.inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("data", DONE.data.fingerprint[:36])
    assert {tag.key: tag.value for tag in found.tags} == {"mlflow.data.context": "explanation"}
    schema = TensorDatasetSchema.from_dict(json.loads(found.dataset.schema))
    array = from_numpy(np.zeros((4, 1, 8, 8), np.float32))
    assert schema == array.schema
    assert json.loads(found.dataset.profile)["num_rows"] == len(array.features)
    source = get_dataset_source(found)
    assert isinstance(source, CodeDatasetSource)
    assert source.to_dict()["tags"]["xaiexp.dataset.split"] == "test"

    other = client.create_run(run.info.experiment_id).info.run_id
    client.log_table(other, mean_agreement(TABLES["agreement"]), "tables/agreement.json")
    theirs, ours = (client.download_artifacts(name, "tables/agreement.json") for name in (other, kept.run))
    assert Path(ours).read_bytes() == Path(theirs).read_bytes()
    (tag,) = json.loads(client.get_run(other).data.tags["mlflow.loggedArtifacts"])
    assert tag in json.loads(run.data.tags["mlflow.loggedArtifacts"])
    as_load_table = """tags.mlflow.loggedArtifacts LIKE '%"path"%:%"tables/verdicts.json",%"type"%:%"table"%'"""
    assert [each.info.run_id for each in client.search_runs([run.info.experiment_id], as_load_table)] == [kept.run]

    (child,) = [child for child in client.search_runs([run.info.experiment_id]) if child.info.run_name == "a/b0"]
    points = client.get_metric_history(child.info.run_id, "deletion_curve")
    assert [(point.step, point.value) for point in points] == [(0, 1.0), (100, 0.25)]
    assert [each.dataset.digest for each in child.inputs.dataset_inputs] == [found.dataset.digest]


def test_an_experiment_that_mlflow_makes_is_the_same(made_by_mlflow, tmp_path):
    made = []
    for name in ("client", "database"):
        file = tmp_path / name / "mlflow.db"
        file.parent.mkdir()
        shutil.copyfile(made_by_mlflow, file)
        address = f"sqlite:///{file}"
        if name == "client":
            experiment_of(client_at(address), address, "mine")
        else:
            Mlflow().prepare(address, "mine")
        made.append(content(file))
    assert made[0] == made[1]


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
