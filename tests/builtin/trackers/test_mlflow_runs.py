"""What MLflow gets, to the last key; the client writes down what it is asked for."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest

from xaiexp.builtin.trackers import mlflow_dataset, mlflow_system, mlflow_tracker
from xaiexp.builtin.trackers.mlflow_tracker import Mlflow
from xaiexp.contract.tracked_content import curve_points
from xaiexp.contract.tracker import TrackedCell, TrackedStudy
from xaiexp.core.ids import CellId
from xaiexp.core.record import (
    ComponentFacts,
    DataFacts,
    GitState,
    MethodFacts,
    PassCount,
    PassCounts,
    PerformanceFacts,
    Record,
    StudyFacts,
)  # fmt: skip
from xaiexp.errors import ResourceError
from xaiexp.plan.settings import Tracking
from xaiexp.statistics.frames import rows
from xaiexp.store.owners import this_process
from xaiexp.tracking import addresses

NAN = float("nan")


class Client:
    """In place of MLflow's client."""

    experiments: dict[str, str] = {}  # noqa: RUF012  # of the class, as a server keeps them

    def __init__(self, tracking_uri):
        self.uri, self.runs, self.tags, self.params, self.metrics, self.batches = tracking_uri, [], {}, {}, {}, []
        self.ended, self.artifacts, self.written, self.curves, self.inputs = {}, [], {}, {}, {}

    def get_experiment_by_name(self, name):
        return SimpleNamespace(experiment_id=self.experiments[name]) if name in self.experiments else None

    def create_experiment(self, name, artifact_location):
        self.experiments[name] = f"id of {name} at {artifact_location}"
        return self.experiments[name]

    def create_run(self, experiment, run_name, tags):
        self.runs.append((experiment, run_name))
        self.tags[run_name] = dict(tags)
        return SimpleNamespace(info=SimpleNamespace(run_id=run_name))

    def search_runs(self, experiments, condition, page_token=None):
        key, value = re.fullmatch(r"tags\.`(.*)` = '(.*)'", condition).groups()
        return [
            SimpleNamespace(info=SimpleNamespace(run_id=run, run_name=run), data=SimpleNamespace(tags=tags))
            for run, tags in self.tags.items()
            if tags.get(key) == value
        ]

    def update_run(self, run, status):
        self.ended.pop(run, None)

    def log_batch(self, run, metrics, params, tags):
        assert len(metrics) + len(params) + len(tags) <= 1000
        self.batches.append((len(params), len(metrics), len(tags)))
        self.tags[run].update({t.key: t.value for t in tags})
        self.params.setdefault(run, {}).update({p.key: p.value for p in params})
        self.metrics.setdefault(run, {}).update({m.key: m.value for m in metrics if not m.key.endswith("_curve")})
        self.curves.setdefault(run, []).extend((m.key, m.step, m.value) for m in metrics if m.key.endswith("_curve"))

    def log_inputs(self, run, datasets):
        self.inputs.setdefault(run, []).extend(each.dataset.name for each in datasets)

    def get_run(self, run):
        return SimpleNamespace(data=SimpleNamespace(tags=self.tags[run]))

    def delete_tag(self, run, key):
        del self.tags[run][key]

    def set_tag(self, run, key, value):
        self.tags[run][key] = value

    def log_artifacts(self, run, folder):
        self.artifacts.append((run, folder))
        files = [file for file in Path(folder).rglob("*") if file.is_file()]
        self.written.setdefault(run, {}).update({f.relative_to(folder).as_posix(): f.read_bytes() for f in files})

    def set_terminated(self, run, status):
        self.ended[run] = status


@pytest.fixture
def client(monkeypatch):
    made = Client("sqlite:///x.db")
    monkeypatch.setattr(mlflow, "MlflowClient", lambda tracking_uri: made)
    monkeypatch.setattr(Client, "experiments", {"mine": "7"})
    return made


@pytest.fixture
def start(client, tmp_path):
    """Starts the run of a study."""

    def started(name, config, record, identity="abc"):
        folder = tmp_path / "study"
        process = this_process()
        return Mlflow().start(TrackedStudy(identity, name, folder, config, record, "mine", client.uri, process))

    return started


RECORD = Record(
    status="done",
    study=StudyFacts(model="net", dataset="data", seed=3),
    methods={"a": MethodFacts(name="saliency", parameters={"power": 2})},
    baselines={"zero": ComponentFacts(name="zero")},
    versions={"torch": "9.9"},
    git=GitState("abc", dirty=True),
    seconds=12.5,
)


def cells(*rows):
    columns = ["method", "baseline", "status", "reason", "forward_passes", "backward_passes", "seconds"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(peak_memory_bytes=1024, key="k", cached=False)


def log(run, cells, summary=(), agreement=(), verdicts=(), curves=None, maps=None):
    """Log cells and tables, as the program does."""
    columns = ["method", "baseline", "metric", "mean", "low", "high", "undefined", "letters"]
    means = rows(pd.DataFrame(list(summary), columns=columns))
    for row in rows(cells):
        own = [each for each in means if (each["method"], each["baseline"]) == (row["method"], row["baseline"])]
        run.log_cell(TrackedCell(CellId(row["method"], row["baseline"]), row, own, curves or {}, maps or {}))
    pair = ["measure", "method_a", "baseline_a", "method_b", "baseline_b", "value"]
    run.log_tables(
        {
            "agreement": pd.DataFrame(list(agreement), columns=pair),
            "summary": pd.DataFrame(list(summary), columns=columns),
            "verdicts": pd.DataFrame(list(verdicts), columns=["metric", "verdict", "alpha"]),
        }
    )


def test_the_run_of_a_study_has_its_parameters_and_where_it_ran(start, client, tmp_path):
    run = start("net on data", {"seed": 3, "method": {"a": {"power": 2}}}, RECORD)
    assert run.name == "net on data"
    assert (client.uri, client.runs) == ("sqlite:///x.db", [("7", "net on data")])
    assert client.params == {"net on data": {"seed": "3", "method.a.power": "2"}}
    assert client.tags["net on data"] == {
        "mlflow.source.name": "xaiexp",
        "mlflow.source.type": "LOCAL",
        "xaiexp.id": "abc",
        "xaiexp.folder": str((tmp_path / "study").resolve()),
        "xaiexp.host": socket.gethostname(),
        "xaiexp.pid": str(os.getpid()),
        "xaiexp.process": this_process().started,
        "xaiexp.git.commit": "abc",
        "xaiexp.git.dirty": "True",
        "mlflow.source.git.commit": "abc",
        "xaiexp.version.torch": "9.9",
    }


@pytest.mark.parametrize("git", [None, GitState()])
def test_a_study_outside_of_a_repository_names_no_commit(start, client, git):
    start("run", {}, Record(git=git))
    tags = client.tags["run"]
    assert tags["xaiexp.git.commit"] == ""
    assert tags["xaiexp.git.dirty"] == ("" if git is None else "False")
    assert "mlflow.source.git.commit" not in tags


CELLS = (
    ("a", "zero", "done", "warning: noisy", 10, 4, 0.5),
    ("b", "none", "skipped", "needs maps", 0, 0, 0.0),
    ("c", "none", "failed", "ValueError: no", 1, 0, 0.25),
)


def test_every_cell_is_a_child_with_its_means_curves_and_maps(start, client, tmp_path):
    run = start("run", {}, RECORD)
    (tmp_path / "map.png").write_bytes(b"png")
    log(
        run,
        cells(*CELLS),
        [
            ("a", "zero", "infidelity", 0.5, 0.25, 0.75, 1, "ab"),
            ("a", "zero", "infidelity.shift", 2.0, NAN, NAN, 0, ""),
            ("a", "zero", "log_odds/top", NAN, NAN, NAN, 4, ""),
        ],
        curves={"deletion": [1.0, NAN, 0.5, 0.25, 0.125]},
        maps={"0_dog": tmp_path / "map.png"},
    )
    run.finish(RECORD)
    assert client.ended == {"a/zero": "FINISHED", "b": "KILLED", "c": "FAILED", "run": "FINISHED"}
    child = client.tags["a/zero"]
    assert {key: child[key] for key in child if key not in client.tags["run"]} == {
        "mlflow.parentRunId": "run",
        "mlflow.loggedImages": "True",
        "xaiexp.status": "done",
        "xaiexp.reason": "warning: noisy",
        "xaiexp.key": "k",
        "xaiexp.cached": "False",
        "letters.infidelity": "ab",
    }
    params = client.params["a/zero"]
    assert {key: params[key] for key in ("method", "method.name", "method.power", "baseline", "baseline.name")} == {
        "method": "a",
        "method.name": "saliency",
        "method.power": "2",
        "baseline": "zero",
        "baseline.name": "zero",
    }
    assert (params["model"], params["seed"]) == ("net", "3")
    assert (client.params["b"]["method"], client.params["b"]["baseline"]) == ("b", "none")
    costs = {"forward_passes": 10.0, "backward_passes": 4.0, "seconds": 0.5, "peak_memory_bytes": 1024.0}
    assert client.metrics["a/zero"] == costs | {"infidelity": 0.5}  # neither parts of metrics nor NaN
    points = [(0, 1.0), (50, 0.5), (75, 0.25), (100, 0.125)]
    assert client.curves["a/zero"] == [("deletion_curve", step, value) for step, value in points]
    names = ("images/map+step+0+timestamp+0+0_dog.png", "images/map+step+0+timestamp+0+0_dog+compressed.png")
    assert client.written["a/zero"] == dict.fromkeys(names, b"png")


def test_a_study_has_few_numbers_its_verdicts_as_description_and_the_rest_as_tables(start, client, tmp_path):
    passes = PassCounts(PassCount(30, 20), {"infidelity": PassCount(4, 1, 0.5)}, None)
    performance = PerformanceFacts(examples=4, accuracy=0.75, chance=0.5, p_value=0.25)
    data = DataFacts(count=4, shape=(3,), fingerprint="f" * 40)
    run = start("run", {}, RECORD)
    log(
        run,
        cells(*CELLS),
        [("a", "zero", "infidelity", 0.5, 0.25, 0.75, 1, "ab")],
        [("rank", "a", "zero", "b", "none", 0.25), ("rank", "a", "zero", "b", "none", 0.75)],
        [("infidelity", "a < b by all tests", 0.125), ("deletion", "nothing" + "!" * 6000, NAN)],
    )
    run.finish(replace(RECORD, passes=passes, performance=performance, data=data))
    assert client.metrics["run"] == {
        "accuracy": 0.75,
        "chance": 0.5,
        "forward_passes": 34.0,
        "backward_passes": 21.0,
        "seconds": 12.5,
        "cells_done": 1.0,
        "cells_failed": 1.0,
        "cells_skipped": 1.0,
    }
    note = client.tags["run"]["mlflow.note.content"]
    assert note.startswith("- **infidelity**: a &lt; b by all tests\n- **deletion**: nothing!!!")
    assert len(note) == 5000
    tables = {Path(name).stem: json.loads(content) for name, content in client.written["run"].items()}
    assert tables["agreement"]["data"] == [["rank", "a", "zero", "b", "none", 0.5]]
    assert dict(zip(tables["means"]["columns"], tables["means"]["data"][0], strict=True)) == {
        "method": "a",
        "baseline": "zero",
        "infidelity": 0.5,
    }
    assert tables["verdicts"]["data"][0] == ["infidelity", "a < b by all tests", 0.125]
    assert {each["path"] for each in json.loads(client.tags["run"]["mlflow.loggedArtifacts"])} == set(
        client.written["run"]
    )
    assert client.artifacts[-1] == ("run", str(tmp_path / "study"))
    assert client.inputs == {"run": ["data"], "a/zero": ["data"], "b": ["data"], "c": ["data"]}


@pytest.mark.parametrize(("count", "steps"), [(1, [0]), (5, [0, 25, 50, 75, 100]), (1001, list(range(101)))])
def test_the_steps_of_a_curve_are_percent_and_none_has_two_values(count, steps):
    found = curve_points(list(range(count)))
    assert [step for step, _ in found] == steps
    assert all(abs(value - step * (count - 1) / 100) <= (count - 1) / 200 for step, value in found)


def test_a_file_as_source_of_the_data_is_named(tmp_path):
    record = replace(RECORD, data=DataFacts(fingerprint="f"), dataset=ComponentFacts(name="csv"))
    file = tmp_path / "data.csv"
    file.write_text("a,b")
    with_file = replace(record, dataset=ComponentFacts(name="csv", parameters={"label": "b", "path": str(file)}))
    found = mlflow_dataset.dataset_of(with_file)
    assert (found.source_type, json.loads(found.source)) == ("local", {"uri": str(file.resolve())})
    assert mlflow_dataset.dataset_of(record).source_type == "code"
    assert mlflow_dataset.dataset_of(RECORD) is None


def test_the_load_of_the_machine_is_watched_on_demand_and_until_the_first_cell(client, tmp_path, monkeypatch):
    said = []

    def watch(run, address):
        said.append((run, address))
        return lambda: said.append("ended")

    monkeypatch.setattr(mlflow_system, "watch", watch)
    study = TrackedStudy("abc", "run", tmp_path, {}, RECORD, "mine", client.uri, this_process())
    Mlflow(system_metrics=True).start(study)  # a study that is over
    Mlflow().start(replace(study, record=replace(RECORD, status="running")))
    assert said == []
    run = Mlflow(system_metrics=True).start(replace(study, record=replace(RECORD, status="running")))
    assert said == [("run", client.uri)]
    log(run, cells(*CELLS))
    run.finish(RECORD)
    assert said == [("run", client.uri), "ended"]
    Mlflow(system_metrics=True).start(replace(study, record=replace(RECORD, status="running"))).stop("interrupted")
    assert said[2:] == [("run", client.uri), "ended"]


def test_system_metrics_without_psutil_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(mlflow_tracker, "find_spec", lambda name: None)
    with pytest.raises(ResourceError, match=r"tracker.mlflow.system_metrics: needs psutil\n  pip install psutil"):
        Mlflow(system_metrics=True).prepare(f"sqlite:///{tmp_path / 'mlflow.db'}", "mine")
    assert not (tmp_path / "mlflow.db").exists()


def test_a_failed_study_ends_its_run_with_the_error(start, client):
    run = start("run", {}, RECORD)
    run.finish(Record(status="failed", error="infidelity: " + "x" * 6000))
    assert client.ended == {"run": "FAILED"}
    assert client.tags["run"]["xaiexp.error"] == ("infidelity: " + "x" * 6000)[:5000]
    assert "seconds" not in client.metrics.get("run", {})


def test_a_study_that_was_interrupted_ends_its_run_and_goes_on_with_it_later(start, client):
    run = start("run", {}, RECORD)
    log(run, cells(CELLS[0]))
    run.stop("interrupted")
    assert (client.ended["run"], client.tags["run"]["xaiexp.error"]) == ("FAILED", "interrupted")
    again = start("run", {}, RECORD)
    assert "run" not in client.ended
    log(again, cells(*CELLS))
    again.finish(RECORD)
    assert client.runs == [("7", "run"), ("7", "a/zero"), ("7", "b"), ("7", "c")]
    assert client.ended["run"] == "FINISHED"
    start("other", {}, RECORD, identity="def")
    assert client.runs[-1] == ("7", "other")


def test_a_run_that_ends_well_has_no_error(start, client):
    start("run", {}, RECORD).finish(RECORD)
    assert client.tags["run"].get("xaiexp.error", "") == ""


def test_what_is_sent_keeps_the_limits_of_mlflow(start, client):
    run = start("run", {f"k{n}": n for n in range(201)} | {"long": "x" * 7000, "n" * 300: 1}, RECORD)
    assert client.batches == [(100, 0, 0), (100, 0, 0), (3, 0, 0)]
    assert client.params["run"]["long"] == "x" * 6000
    assert "n" * 250 in client.params["run"]
    client.batches.clear()
    numbers = {f"m{n}": float(n) for n in range(2001)} | {"nan": NAN, "inf": np.inf}
    run._log("run", {"p": "1"}, run._numbers(numbers), {"t": "2"})
    assert client.batches == [(1, 998, 1), (0, 1000, 0), (0, 3, 0)]


def test_an_experiment_is_created_once_with_its_artifacts_in_the_folder(client, tmp_path):
    root = tmp_path / "a" / "b"
    trackers = {"mlflow": Mlflow()}
    address = addresses.embedded_uri(root)
    assert address == f"sqlite:///{root.resolve() / 'mlflow.db'}"
    for uri in (None, f"{address}?timeout=9"):  # the second is for MLflow's client
        for _ in range(2):
            assert addresses.prepare(trackers, Tracking(uri=uri, experiment="new"), root) == []
    artifacts = (root / "mlartifacts").resolve().as_uri()
    with sqlite3.connect(root / "mlflow.db") as database:
        known = database.execute("SELECT name, artifact_location FROM experiments WHERE experiment_id > 0").fetchall()
    assert known == [("new", artifacts)]
    assert client.experiments["new"] == f"id of new at {artifacts}"
    addresses.prepare(trackers, Tracking(uri="http://server", experiment="other"), root)
    assert client.experiments["other"] == "id of other at None"


def test_without_tracking_nothing_is_created(tmp_path):
    assert addresses.prepare({"mlflow": Mlflow()}, Tracking(uri="off"), tmp_path / "outputs") == []
    assert addresses.prepare({}, Tracking(), tmp_path / "outputs") == []
    assert not (tmp_path / "outputs").exists()


def failing(monkeypatch, error):
    def raises(name):
        raise error

    monkeypatch.setattr(mlflow, "MlflowClient", lambda tracking_uri: SimpleNamespace(get_experiment_by_name=raises))


def test_a_database_that_fails_is_named_in_one_short_line_without_its_password(monkeypatch, tmp_path):
    uri = "postgresql://me:secret@server/db"
    failing(monkeypatch, RuntimeError(f"no answer of {uri} " + "x" * 200 + "\nand more"))
    with pytest.raises(ResourceError) as caught:
        addresses.prepare({"mlflow": Mlflow()}, Tracking(uri=uri), tmp_path)
    first, hint = str(caught.value).splitlines()
    assert first.startswith("tracking.uri: cannot be reached or used (RuntimeError: no answer of postgresql://me:***@")
    assert len(first) < 190
    assert "secret" not in first
    assert hint == "  leave it out for the embedded store, or tracking.uri=off"


def test_a_database_whose_driver_is_missing_names_the_extra(monkeypatch, tmp_path):
    failing(monkeypatch, ModuleNotFoundError("No module named 'psycopg'", name="psycopg"))
    with pytest.raises(ResourceError, match=r"No module named 'psycopg'.*\n  pip install 'xaiexp\[postgres\]'"):
        addresses.prepare({"mlflow": Mlflow()}, Tracking(uri="postgresql://server/db"), tmp_path)


class RestException(Exception):
    """As MLflow's: the answer of a server."""

    def __init__(self, status):
        super().__init__(f"answered {status}")
        self.get_http_status_code = lambda: status


@pytest.mark.parametrize("error", [OSError("no route to http://me:secret@server"), RestException(503)])
def test_a_server_that_is_away_is_said_and_no_error(monkeypatch, tmp_path, error):
    failing(monkeypatch, error)
    (line,) = addresses.prepare({"mlflow": Mlflow()}, Tracking(uri="http://me:secret@server"), tmp_path)
    assert line.startswith("tracker.mlflow: cannot be reached now (ConnectionError: ")
    assert "secret" not in line


def test_a_server_that_refuses_is_a_wrong_address(monkeypatch, tmp_path):
    failing(monkeypatch, RestException(403))
    with pytest.raises(ResourceError, match="answered 403"):
        addresses.prepare({"mlflow": Mlflow()}, Tracking(uri="http://server"), tmp_path)


def test_a_registered_model_is_linked_in_the_description(start, client):
    run = start("run", {}, RECORD)
    log(run, cells(*CELLS), [], [], [("infidelity", "a best", 0.125)])
    run.finish(replace(RECORD, model_facts={"registered_model": "models:/digits of all/3"}))
    note = client.tags["run"]["mlflow.note.content"]
    link = "Model: [digits of all, version 3](#/models/digits%20of%20all/versions/3)"
    assert note == f"{link}\n\n- **infidelity**: a best"
