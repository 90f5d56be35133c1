"""Sweeps that were cut off are continued by the same line, and lose nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

import xaiexp
from xaiexp.builtin.trackers.mlflow_client import client_at
from xaiexp.cli import app as cli
from xaiexp.store.owners import this_process
from xaiexp.tracking.addresses import embedded_uri

LINE = [
    "-m", "model=digits_mlp", "seed=0,1,2", "method=[saliency,random]", "metric=[deletion]", "baseline=[zero]",
    "agreement=[rank_correlation]", "examples=8", "tracking.uri=off", "report=false",
]  # fmt: skip
COST = ["forward_passes", "backward_passes", "seconds", "peak_memory_bytes", "cached"]


def sweeps():
    return sorted(path.parent for path in Path("outputs/multirun").glob("*/*/sweep.json"))


def changed(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def cut_off(sweep, job):
    """Leave the folder of a study as a process leaves it that is killed at work."""
    changed(sweep / job / "record.json", status="running")
    for name in ("cells.parquet", "scores.parquet", "summary.csv", "comparisons.csv"):
        (sweep / job / name).unlink()
    changed(sweep / "sweep.json", finished="")


def interrupted(*arguments, **named):
    raise KeyboardInterrupt


def tables(folder):
    result = xaiexp.load(folder)
    return {
        "cells": result.cells.drop(columns=COST),
        "scores": result.scores,
        "agreement": result.agreement,
        "summary": result.summary,
        "verdicts": result.verdicts,
    }


def same(a, b):
    for name, frame in a.items():
        pd.testing.assert_frame_equal(frame, b[name], check_exact=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder to work in where the line has run to its end."""
    from trained_networks import trained_networks

    place = tmp_path_factory.mktemp("finished")
    models = place / "outputs" / "store" / "models"
    models.parent.mkdir(parents=True)
    models.symlink_to(trained_networks(), target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert cli.main(LINE) == cli.DONE
    return place


@pytest.fixture
def sweep(finished, tmp_path, monkeypatch):
    """The sweep of the line, in a folder of its own."""
    shutil.copytree(finished / "outputs", tmp_path / "outputs", symlinks=True)
    monkeypatch.chdir(tmp_path)
    (folder,) = sweeps()
    return folder


@pytest.mark.parametrize("place", ["xaiexp.report.build", "xaiexp.tracking.session.Session.finish"])
def test_a_study_that_was_interrupted_after_its_last_pass_keeps_its_run(place, workplace, monkeypatch):
    line = [word for word in LINE if not word.startswith(("tracking", "report", "seed"))]
    with monkeypatch.context() as patch:
        patch.setattr(place, interrupted)
        assert cli.main(line) == cli.INTERRUPTED
    (sweep,) = sweeps()
    assert json.loads((sweep / "0/record.json").read_text())["status"] == "done"
    assert cli.main(line) == cli.DONE
    assert sweeps() == [sweep]
    client = client_at(embedded_uri())
    runs = client.search_runs([client.get_experiment_by_name("xaiexp").experiment_id], "tags.`xaiexp.id` != ''")
    assert [run.info.status for run in runs] == ["FINISHED"]
    assert not [run for run in runs if "xaiexp.error" in run.data.tags]


def test_a_study_that_was_interrupted_is_cut_off_and_has_not_failed(sweep, monkeypatch, capsys):
    cut_off(sweep, "1")
    with monkeypatch.context() as patch:
        patch.setattr("xaiexp.api.execute._run", interrupted)
        assert cli.main(LINE) == cli.INTERRUPTED
    capsys.readouterr()
    assert cli.main(["plan", *LINE]) == cli.DONE
    assert "3 studies: 2 done, 1 cut off\n" in capsys.readouterr().out


def test_the_same_line_runs_what_is_left_in_the_same_folder_and_the_tables_are_equal(sweep, capfd):
    before = tables(sweep)
    kept = (sweep / "0" / "record.json").read_bytes()
    cut_off(sweep, "1")
    shutil.rmtree(sweep / "2")
    assert cli.main(["plan", *LINE]) == cli.DONE
    said = capfd.readouterr().out
    assert f"continues {sweep.resolve()}, 3 studies: 1 done, 1 cut off, 1 to do" in said.replace("\n", " ")
    assert said.count("passes for attributions") == 2
    assert cli.main(LINE) == cli.DONE
    assert sweeps() == [sweep]
    assert (sweep / "0" / "record.json").read_bytes() == kept
    passes = xaiexp.load(sweep / "1").record["passes"]
    assert passes["attributions"] == {"forward": 0, "backward": 0}  # from the store
    same(tables(sweep), before)
    assert json.loads((sweep / "sweep.json").read_text())["finished"]


def test_a_finished_sweep_starts_anew_and_so_does_one_that_is_not_to_be_resumed(sweep):
    assert cli.main(LINE) == cli.DONE
    assert len(sweeps()) == 2
    cut_off(sweep, "1")
    assert cli.main([*LINE, "resume=false"]) == cli.DONE
    assert len(sweeps()) == 3
    assert json.loads((sweep / "1" / "record.json").read_text())["status"] == "running"
    # What makes no difference to the results makes no difference to the line; the order of the words neither.
    assert cli.main([LINE[0], *reversed(LINE[1:]), "hydra.verbose=false"]) == cli.DONE
    assert len(sweeps()) == 3
    assert json.loads((sweep / "1" / "record.json").read_text())["status"] == "done"


def test_a_sweep_that_is_named_is_continued_and_its_finished_studies_are_kept_under_a_longer_line(sweep):
    kept = [(sweep / job / "record.json").read_bytes() for job in "012"]
    line = [word.replace("0,1,2", "0,1,2,3") for word in LINE]
    assert cli.main([*line, f"hydra.sweep.dir={sweep}"]) == cli.DONE
    assert [(sweep / job / "record.json").read_bytes() for job in "012"] == kept
    assert xaiexp.load(sweep).cells["seed"].unique().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"versions": {"torch": "0.1"}}, "torch 0.1 is "),
        ({"sources": {}}, "code or files of model, dataset, method.saliency"),
    ],
)
def test_studies_of_other_code_are_run_again_and_it_is_said(sweep, capfd, change, reason):
    cut_off(sweep, "2")
    changed(sweep / "0" / "record.json", **change)
    assert cli.main(LINE) == cli.DONE
    assert f"runs 0 again: {reason}" in capfd.readouterr().err
    assert xaiexp.load(sweep / "0").record["sources"]


def test_two_processes_do_not_run_one_sweep(sweep, capfd):
    cut_off(sweep, "1")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = replace(this_process(), pid=process.pid, started="")
        (sweep / ".owner.json").write_text(json.dumps(asdict(owner)))
        assert cli.main(LINE) == cli.WRONG
        assert f"-m: process {process.pid} on {owner.host} is running this sweep" in capfd.readouterr().err
        process.communicate(b"\n")
    assert cli.main(LINE) == cli.DONE  # it has ended without giving the sweep back
    assert not (sweep / ".owner.json").exists()


def test_a_study_that_failed_is_tried_again(sweep):
    changed(sweep / "sweep.json", finished="")
    changed(sweep / "2" / "record.json", status="failed", error="no memory")
    assert cli.main(LINE) == cli.DONE
    assert xaiexp.load(sweep / "2").record["status"] == "done"


def test_joint_tables_are_those_of_the_studies_and_those_over_the_seeds(sweep):
    whole = xaiexp.load(sweep)
    assert list(whole.studies) == ["0", "1", "2"]
    for name in ("cells", "scores", "agreement", "summary", "verdicts"):
        joint = getattr(whole, name)
        for study, result in whole.studies.items():
            part = joint[joint["study"] == study].drop(columns="study").reset_index(drop=True)
            own = getattr(result, name)  # the seed "all" makes those of the joint CSV files texts
            pd.testing.assert_frame_equal(part.astype({"seed": str}), own.astype({"seed": str}), check_dtype=False)
    over = whole.summary[whole.summary["seed"].astype(str) == "all"].query("metric == 'deletion'").set_index("method")
    assert set(over["study"]) == {"0, 1, 2"}
    means = whole.scores.query("metric == 'deletion'").groupby(["method", "example"])["value"].mean()
    assert over["mean"].to_dict() == pytest.approx(means.groupby("method").mean().to_dict())
    text = dict.fromkeys(["seed", "study"], str)
    pairs = pd.read_csv(sweep / "comparisons.csv", dtype=text).query("seed == 'all'").iloc[0]
    difference = means[pairs["method_a"]].mean() - means[pairs["method_b"]].mean()
    assert pairs["difference"] == pytest.approx(difference)
    assert (sweep / "report.html").is_file()


def test_a_loaded_study_has_the_tables_and_attributions_of_the_run(sweep, monkeypatch):
    words = [word for word in LINE[1:] if not word.startswith("seed")]
    ran = xaiexp.run(words, quiet=True)
    loaded = xaiexp.load(ran.path)
    for name in ("cells", "scores", "agreement", "summary", "verdicts"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(ran, name), check_exact=True, check_dtype=False)
    assert loaded.attributions("saliency").equal(ran.attributions("saliency"))
    assert loaded.record["versions"] == dict(ran.record["versions"])
    with pytest.raises(xaiexp.errors.UserError, match="are those of a study, not of a sweep"):
        xaiexp.load(sweep).attributions("saliency")
