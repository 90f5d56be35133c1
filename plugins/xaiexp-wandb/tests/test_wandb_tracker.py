"""The tracker passes the kit, and the files of an offline run hold what MLflow holds of the same study."""

from __future__ import annotations

import socket
from pathlib import Path

import mlflow
import pytest

import xaiexp
from xaiexp.plugin import ParameterError
from xaiexp.testing import conformance

pytest.importorskip("wandb", reason="wandb is not installed")
from xaiexp_wandb import Wandb
from xaiexp_wandb.run_files import read_runs

STUDY = [
    "model=digits_mlp", "method=[saliency,occlusion,grad_cam]", "baseline=[zero]", "metric=[deletion,sparseness]",
    "agreement=[rank_correlation]", "tracker=[mlflow,wandb]", "examples=8", "report=false",
]  # fmt: skip


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


test_conformance = conformance(Wandb)


@pytest.fixture
def refused_connections(monkeypatch):
    """Addresses beyond this machine that anything tried to connect to."""
    tried = []
    connect = socket.socket.connect

    def watched(self, address):
        if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1", "localhost")):
            tried.append(address)
            raise OSError("no network in this test")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    return tried


def test_an_offline_run_holds_what_mlflow_holds(refused_connections):
    result = xaiexp.run(STUDY, quiet=True)
    assert refused_connections == []
    assert result.record["tracking"]["wandb"]["status"] == "sent"
    runs = read_runs(Path("outputs/wandb"), result.record["id"])
    own = runs.pop(result.record["id"])
    client = mlflow.MlflowClient(f"sqlite:///{Path('outputs/mlflow.db').resolve()}")
    run = client.get_run(result.record["tracking"]["mlflow"]["run"])
    where = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    children = {each.info.run_name: each for each in client.search_runs([run.info.experiment_id], where)}
    assert own.numbers == pytest.approx(run.data.metrics)
    assert own.config["method"]["occlusion"]["name"] == "occlusion"
    assert own.config["seed"] == 0
    assert own.notes.splitlines() == run.data.tags["mlflow.note.content"].splitlines()
    tables = {key for row in own.history for key in row if key.startswith("tables/")}
    shown = {"means", "summary", "verdicts", "comparisons", "cells", "agreement"}
    assert {key.split(".")[0] for key in tables} == {f"tables/{name}" for name in shown}
    saved = next(Path("outputs/wandb/wandb").glob(f"*-{result.record['id']}/files"))
    files = {f.relative_to(result.path) for f in result.path.rglob("*") if f.is_file()}
    assert all((saved / file).exists() for file in files if file.parts[0] != "record.json")
    cells = {each.name: each for each in runs.values()}
    assert set(cells) == set(children)
    for label, child in children.items():
        numbers = {key: value for key, value in child.data.metrics.items() if not key.endswith("_curve")}
        cell = cells[label]
        for key, value in numbers.items():
            assert cell.summary[key] == pytest.approx(value), key
        for key, value in child.data.params.items():
            assert str(cell.config[key]) == value
        assert cell.summary["status"] == child.data.tags["xaiexp.status"]
        points = [
            (row["features in percent"], row["curves/deletion"]) for row in cell.history if "curves/deletion" in row
        ]
        if child.data.tags["xaiexp.status"] == "done":
            theirs = client.get_metric_history(child.info.run_id, "deletion_curve")
            assert points == [(p.step, pytest.approx(p.value)) for p in sorted(theirs, key=lambda p: p.step)]
            pictures = list(Path("outputs/wandb").glob(f"wandb/*-{label_id(runs, label)}/files/media/images/*.png"))
            assert len(pictures) == 8


def label_id(runs, label):
    return next(identity for identity, run in runs.items() if run.name == label)


@pytest.mark.parametrize("folder", ["/tmp/elsewhere", "../x", "outputs/../x", "mine"])
def test_a_folder_outside_of_outputs_is_refused(folder):
    with pytest.raises(ParameterError, match=r"tracker\.wandb\.folder: must be below outputs/"):
        Wandb(folder=folder)
