"""What the tracker sends to MLflow, to the last key; the client writes down what it is asked for."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest

from xaiexp.core.record import ComponentFacts, GitState, MethodFacts, Record, StudyFacts
from xaiexp.errors import ResourceError
from xaiexp.plan.settings import Tracking
from xaiexp.results.tables import Tables
from xaiexp.tracking import mlflow as tracking

NAN = float("nan")


class Client:
    """In place of MLflow's client."""

    experiments: dict[str, str] = {}  # noqa: RUF012  # of the class, as a server keeps them

    def __init__(self, tracking_uri):
        self.uri, self.runs, self.tags, self.params, self.metrics, self.batches = tracking_uri, [], {}, {}, {}, []
        self.ended, self.artifacts, self.created = {}, [], []

    def get_experiment_by_name(self, name):
        return SimpleNamespace(experiment_id=self.experiments[name]) if name in self.experiments else None

    def create_experiment(self, name, artifact_location):
        self.experiments[name] = f"id of {name} at {artifact_location}"
        return self.experiments[name]

    def create_run(self, experiment, run_name, tags):
        self.runs.append((experiment, run_name))
        self.tags[run_name] = dict(tags)
        return SimpleNamespace(info=SimpleNamespace(run_id=run_name))

    def log_batch(self, run, params=(), metrics=()):
        self.batches.append((len(params), len(metrics)))
        self.params.setdefault(run, {}).update({p.key: p.value for p in params})
        self.metrics.setdefault(run, {}).update({m.key: m.value for m in metrics})

    def set_tag(self, run, key, value):
        self.tags[run][key] = value

    def log_artifacts(self, run, folder):
        self.artifacts.append((run, folder))

    def set_terminated(self, run, status):
        assert run not in self.ended
        self.ended[run] = status


@pytest.fixture
def tracker(monkeypatch, tmp_path):
    monkeypatch.setattr(mlflow, "MlflowClient", Client)
    monkeypatch.setattr(Client, "experiments", {"mine": "7"})
    return tracking.Tracker("sqlite:///x.db", "mine", tmp_path / "study", tmp_path)


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


def results(cells, summary=(), agreement=(), verdicts=()):
    return Tables(
        cells,
        pd.DataFrame(),
        pd.DataFrame(list(agreement), columns=["measure", "method_a", "baseline_a", "method_b", "baseline_b", "value"]),
        pd.DataFrame(
            list(summary), columns=["method", "baseline", "metric", "mean", "low", "high", "undefined", "letters"]
        ),
        pd.DataFrame(list(verdicts), columns=["metric", "verdict", "alpha"]),
        pd.DataFrame(),
    )


def test_the_run_of_a_study_has_its_parameters_and_where_it_ran(tracker, tmp_path):
    tracker.start("net on data", {"seed": 3, "method": {"a": {"power": 2}}}, RECORD)
    assert tracker.open
    client = tracker._client
    assert (client.uri, client.runs) == ("sqlite:///x.db", [("7", "net on data")])
    assert client.params == {"net on data": {"seed": "3", "method.a.power": "2"}}
    assert client.tags["net on data"] == {
        "mlflow.source.name": "xaiexp",
        "xaiexp.folder": str((tmp_path / "study").resolve()),
        "xaiexp.host": socket.gethostname(),
        "xaiexp.pid": str(os.getpid()),
        "xaiexp.git.commit": "abc",
        "xaiexp.git.dirty": "True",
        "mlflow.source.git.commit": "abc",
        "xaiexp.version.torch": "9.9",
    }


@pytest.mark.parametrize("git", [None, GitState()])
def test_a_study_outside_of_a_repository_names_no_commit(tracker, git):
    tracker.start("run", {}, Record(git=git))
    tags = tracker._client.tags["run"]
    assert tags["xaiexp.git.commit"] == ""
    assert tags["xaiexp.git.dirty"] == ("" if git is None else "False")
    assert "mlflow.source.git.commit" not in tags


def test_every_cell_is_a_child_with_its_numbers_and_the_study_has_the_main_ones(tracker, tmp_path):
    tracker.start("run", {}, RECORD)
    tracker.finish(
        RECORD,
        results(
            cells(
                ("a", "zero", "done", "warning: noisy", 10, 4, 0.5),
                ("b", "none", "skipped", "needs maps", 0, 0, 0.0),
                ("c", "none", "failed", "ValueError: no", 1, 0, 0.25),
            ),
            [
                ("a", "zero", "infidelity", 0.5, 0.25, 0.75, 1, "ab"),
                ("a", "zero", "infidelity.shift", 2.0, NAN, NAN, 0, ""),
            ],
            [("rank", "a", "zero", "b", "none", 0.25), ("rank", "a", "zero", "b", "none", 0.75)],
            [("infidelity", "a tie" + "!" * 6000, 0.125), ("other@[x]", "nothing", NAN)],
        ),
    )
    client = tracker._client
    assert client.ended == {"a/zero": "FINISHED", "b": "KILLED", "c": "FAILED", "run": "FINISHED"}
    child = client.tags["a/zero"]
    assert {key: child[key] for key in child if key not in client.tags["run"]} == {
        "mlflow.parentRunId": "run",
        "xaiexp.status": "done",
        "xaiexp.reason": "warning: noisy",
        "xaiexp.key": "k",
        "xaiexp.cached": "False",
        "letters.infidelity": "ab",
    }
    assert {key: client.tags["run"][key] for key in child if key in client.tags["run"]}.items() <= child.items()
    params = client.params["a/zero"]
    assert (params["method.name"], params["method.parameters.power"]) == ("saliency", "2")
    assert (params["baseline.name"], params["model"], params["seed"]) == ("zero", "net", "3")
    assert client.params["b"]["baseline"] == "none"
    assert not any(key.startswith("method.") for key in client.params["b"])
    own = {"forward_passes": 10.0, "backward_passes": 4.0, "seconds": 0.5, "peak_memory_bytes": 1024.0}
    means = {"infidelity": 0.5, "infidelity.low": 0.25, "infidelity.high": 0.75, "infidelity.undefined": 1.0}
    shift = {"infidelity.shift": 2.0, "infidelity.shift.undefined": 0.0}
    assert client.metrics["a/zero"] == own | means | shift
    study = client.metrics["run"]
    assert study["a/zero.infidelity"] == 0.5
    assert study["a/zero.forward_passes"] == 10.0
    assert not any("shift" in key for key in study)
    assert study["agreement.rank.a/zero.b"] == 0.5
    assert (study["alpha.infidelity"], study["seconds"]) == (0.125, 12.5)
    assert not any("other" in key for key in study)  # NaN is not sent
    assert client.tags["run"]["verdict.infidelity"] == ("a tie" + "!" * 6000)[:5000]
    assert client.tags["run"]["verdict.other__x_"] == "nothing"
    assert client.artifacts == [("run", str(tmp_path / "study"))]
    assert not tracker.open


def test_a_failed_study_ends_its_run_with_the_error_once(tracker):
    tracker.start("run", {}, RECORD)
    failed = Record(status="failed", error="infidelity: " + "x" * 6000)
    tracker.finish(failed, results(cells()))
    tracker.close("FINISHED")  # ended already
    assert tracker._client.ended == {"run": "FAILED"}
    assert tracker._client.tags["run"]["xaiexp.error"] == ("infidelity: " + "x" * 6000)[:5000]
    assert "seconds" not in tracker._client.metrics.get("run", {})


def test_a_run_that_ends_well_has_no_error(tracker):
    tracker.start("run", {}, RECORD)
    tracker.close("FINISHED")
    assert "xaiexp.error" not in tracker._client.tags["run"]


def test_what_is_sent_keeps_the_limits_of_mlflow(tracker):
    tracker.start("run", {f"k{n}": n for n in range(201)} | {"long": "x" * 7000, "n" * 300: 1}, RECORD)
    client = tracker._client
    assert client.batches == [(100, 0), (100, 0), (3, 0)]
    assert client.params["run"]["long"] == "x" * 6000
    assert "n" * 250 in client.params["run"]
    client.batches.clear()
    tracker._metrics("run", {f"m{n}": float(n) for n in range(2001)} | {"nan": NAN, "inf": np.inf})
    assert client.batches == [(0, 1000), (0, 1000), (0, 1)]


def test_an_experiment_is_created_once_with_its_artifacts_in_the_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(mlflow, "MlflowClient", Client)
    monkeypatch.setattr(Client, "experiments", {})
    root = tmp_path / "a" / "b"
    for _ in range(2):
        uri = tracking.prepare_store(Tracking(experiment="new"), root)
    assert uri == f"sqlite:///{root.resolve() / 'mlflow.db'}"
    assert Client.experiments == {"new": f"id of new at {(root / 'mlartifacts').resolve().as_uri()}"}
    assert tracking.prepare_store(Tracking(uri="http://server", experiment="other"), root) == "http://server"
    assert Client.experiments["other"] == "id of other at None"


def test_without_tracking_nothing_is_created(tmp_path):
    assert tracking.prepare_store(Tracking(uri="off"), tmp_path / "outputs") is None
    assert not (tmp_path / "outputs").exists()


def test_a_store_that_fails_is_named_in_one_short_line_without_its_password(monkeypatch, tmp_path):
    uri = "http://me:secret@server"

    class Fails(Client):
        def get_experiment_by_name(self, name):
            raise RuntimeError(f"no answer of {uri} " + "x" * 200 + "\nand more")

    monkeypatch.setattr(mlflow, "MlflowClient", Fails)
    with pytest.raises(ResourceError) as caught:
        tracking.prepare_store(Tracking(uri=uri), tmp_path)
    first, hint = str(caught.value).splitlines()
    assert first.startswith(
        "tracking.uri: cannot be reached or used (RuntimeError: no answer of http://me:***@server x"
    )
    assert len(first) < 180
    assert "secret" not in first
    assert hint == "  leave it out for the embedded store, or tracking.uri=off"
