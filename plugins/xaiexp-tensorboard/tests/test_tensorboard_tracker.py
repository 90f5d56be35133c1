"""The tracker passes the kit, and the event files hold what MLflow holds of the same study."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import pytest

import xaiexp
from xaiexp.plugin import ParameterError
from xaiexp.testing import conformance

pytest.importorskip("tensorboard", reason="tensorboard is not installed")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from xaiexp_tensorboard import Tensorboard

STUDY = [
    "model=digits_mlp", "method=[saliency,occlusion,grad_cam]", "baseline=[zero]", "metric=[deletion,sparseness]",
    "agreement=[rank_correlation]", "tracker=[mlflow,tensorboard]", "examples=8", "report=false",
]  # fmt: skip


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


test_conformance = conformance(Tensorboard)


def events(folder):
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    found.Reload()
    return found


def text(found, tag):
    return found.Tensors(f"{tag}/text_summary")[0].tensor_proto.string_val[0].decode()


def of_mlflow(result):
    """The run of the study and its child runs by name."""
    client = mlflow.MlflowClient(f"sqlite:///{Path('outputs/mlflow.db').resolve()}")
    run = client.get_run(result.record["tracking"]["mlflow"]["run"])
    where = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    children = client.search_runs([run.info.experiment_id], where)
    return client, run, {child.info.run_name: child for child in children}


def test_the_event_files_hold_what_mlflow_holds():
    result = xaiexp.run(STUDY, quiet=True)
    (place,) = Path("outputs/tensorboard/xaiexp").iterdir()
    assert json.loads((place / "xaiexp.json").read_text())["status"] == "done"
    client, run, children = of_mlflow(result)
    own = events(place)
    scalars = {tag.removeprefix("study/"): own.Scalars(tag)[-1].value for tag in own.Tags()["scalars"]}
    assert scalars == {key: pytest.approx(value) for key, value in run.data.metrics.items()}
    parameters = text(own, "study/parameters")
    assert "| seed | 0 |" in parameters
    assert "| method.occlusion.name | occlusion |" in parameters
    for name in ("means", "summary", "verdicts", "comparisons", "cells", "agreement"):
        assert "| " in text(own, f"tables/{name}")
    assert f"{result.summary['mean'].iloc[0]:.4g}" in text(own, "tables/summary")
    cells = {json.loads(f.read_text())["cell"]: f.parent for f in place.rglob("cell.json")}
    assert set(cells) == set(children)
    for label, child in children.items():
        cell = events(cells[label])
        known = {tag.partition("/")[2]: cell.Scalars(tag)[-1].value for tag in cell.Tags()["scalars"]
                 if not tag.startswith("curves/")}  # fmt: skip
        numbers = {key: value for key, value in child.data.metrics.items() if not key.endswith("_curve")}
        assert known == {key: pytest.approx(value) for key, value in numbers.items()}
        for tag in (each for each in cell.Tags()["scalars"] if each.startswith("curves/")):
            theirs = client.get_metric_history(child.info.run_id, f"{tag.partition('/')[2]}_curve")
            assert [(p.step, p.value) for p in cell.Scalars(tag)] == [
                (p.step, pytest.approx(p.value)) for p in sorted(theirs, key=lambda p: p.step)
            ]
        if child.data.tags["xaiexp.status"] == "done":
            assert len(cell.Scalars("curves/deletion")) == 21
            assert len(cell.Tags()["images"]) == 8
        facts = text(cell, "cell/facts")
        for key, value in child.data.params.items():
            assert f"| {key.replace('_', chr(92) + '_')} | {value.replace('_', chr(92) + '_')} |" in facts
        assert f"| status | {child.data.tags['xaiexp.status']} |" in facts


def test_hyperparameters_are_those_of_the_cell():
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    xaiexp.run([*STUDY, "tracker=[tensorboard]", "baseline=[]", "method=[saliency]"], quiet=True)
    (place,) = Path("outputs/tensorboard/xaiexp").glob("*/saliency")
    content = events(place).summary_metadata["_hparams_/session_start_info"].plugin_data.content
    start = HParamsPluginData.FromString(content).session_start_info
    assert start.hparams["method"].string_value == "saliency"
    assert start.hparams["model"].string_value == "digits_mlp"


@pytest.mark.parametrize("folder", ["/tmp/elsewhere", "../x", "outputs/../x", "mine"])
def test_a_folder_outside_of_outputs_is_refused(folder):
    with pytest.raises(ParameterError, match=r"tracker\.tensorboard\.folder: must be below outputs/"):
        Tensorboard(folder=folder)


def test_a_link_out_of_outputs_is_refused(tmp_path):
    Path("outputs").mkdir()
    (tmp_path / "outside").mkdir()
    Path("outputs/link").symlink_to(tmp_path / "outside")
    with pytest.raises(ParameterError, match="must be below outputs/"):
        Tensorboard(folder="outputs/link")


def test_runs_of_ended_processes_are_repaired():
    place = Path("outputs/tensorboard/xaiexp/a-study")
    place.mkdir(parents=True)
    gone = {"pid": 2**22 + 1, "host": __import__("socket").gethostname(), "started": "1"}
    facts = {"id": "x", "name": "a", "folder": "b", "status": "running", "error": "", "process": gone}
    (place / "xaiexp.json").write_text(json.dumps(facts))
    assert Tensorboard().repair("") == [str(place)]
    assert json.loads((place / "xaiexp.json").read_text())["status"] == "failed"
    assert Tensorboard().repair("") == []
