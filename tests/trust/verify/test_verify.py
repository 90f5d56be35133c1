from __future__ import annotations

import hashlib
import json
import os
import subprocess

import numpy as np
import pandas as pd
import pytest
import torch
import trust_studies
from small_studies import run

from xaiexp.cli import app as cli
from xaiexp.trust.finished import finished
from xaiexp.trust.verify.differences import moved

TRUST = ["--trust", "known_network"]


def git(folder, *words):
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@a"}
    done = subprocess.run(
        ["git", *words], cwd=folder, env={**os.environ, **who}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder under git with a finished study of one commit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    weights = trust_studies.write_network(tmp_path)
    table = trust_studies.write_table(tmp_path / "a.csv")
    (tmp_path / ".gitignore").write_text("outputs\n*.pt\n*.csv\n__pycache__\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    result = trust_studies.run(table, weights, "method=[integrated_gradients,random]")
    return tmp_path, result, weights, table


def told(capsys, *words):
    code = cli.main(["verify", *map(str, words), *TRUST])
    lines = capsys.readouterr().out.splitlines()
    return code, lines, [line.removeprefix("changed since: ") for line in lines if line.startswith("changed since: ")]


def test_a_study_of_which_nothing_changed_is_equal_to_the_bit(project, capsys):
    _, result, *_ = project
    code, lines, changed = told(capsys, result.path)
    assert (code, changed) == (0, [])
    assert lines[-1] == (
        "verified: maps, scores, agreement and statistics are equal to the bit (equality to the bit was asked for)"
    )


def test_an_earlier_commit_and_a_changed_weight_are_named_and_nothing_else(project, capsys):
    folder, result, weights, _ = project
    first = git(folder, "rev-parse", "HEAD")
    (folder / "note.txt").write_text("x")
    git(folder, "add", "note.txt")
    git(folder, "commit", "-qm", "second")
    second = git(folder, "rev-parse", "HEAD")
    assert told(capsys, result.path)[2] == [f"commit: {first} -> {second}"]
    state = torch.load(weights)
    state["2.weight"][1, 0] += 0.5
    torch.save(state, weights)
    code, lines, changed = told(capsys, result.path)
    assert code == 1
    assert [line.partition(":")[0] for line in changed] == [
        "commit",
        "file weights.pt of model (content, size or time)",
        "weights",
    ]
    assert any(line.startswith("moved: maps of integrated_gradients / zero: 24 of 24") for line in lines)
    assert not any("random" in line for line in lines if line.startswith("moved: maps"))  # reads no weights
    first_move = next(i for i, line in enumerate(lines) if line.startswith("moved"))
    assert all(i < first_move for i, line in enumerate(lines) if line.startswith("changed since"))


def test_changed_data_a_changed_version_and_an_edited_configuration_are_named(project, capsys):
    _, result, _, table = project
    text = table.read_text().splitlines()
    text[1] = "0,9,9,9,9,1,south"
    table.write_text("\n".join(text) + "\n")
    record = json.loads((result.path / "record.json").read_text())
    record["versions"]["torch"] = "1.0"
    record["versions"]["mlflow"] = "1.0"  # decides no number
    (result.path / "record.json").write_text(json.dumps(record))
    config = (result.path / "config.yaml").read_text()
    (result.path / "config.yaml").write_text(config.replace("seed: 0", "seed: 1", 1))
    code, _, changed = told(capsys, result.path)
    assert code == 1
    kinds = [line.partition(":")[0] for line in changed]
    assert kinds[:3] == [
        "config.yaml (edited since the study ran)",
        "version of torch",
        "file a.csv of dataset (content, size or time)",
    ]
    assert kinds[3:] == ["data (inputs, or their background)"]


def test_a_file_that_was_only_touched_moves_nothing(project, capsys):
    _, result, _, table = project
    os.utime(table, (1, 1))
    code, lines, changed = told(capsys, result.path)
    assert code == 0
    assert [line.partition(":")[0] for line in changed] == ["file a.csv of dataset (content, size or time)"]
    assert lines[-1].startswith("verified: ")


def test_without_a_run_only_what_is_known_is_told(project, capsys):
    _, result, *_ = project
    before = sorted(path for path in result.path.rglob("*"))
    code, lines, _ = told(capsys, result.path, "--record-only")
    assert (code, lines[-1]) == (0, "nothing changed that is known without running the study")
    assert sorted(path for path in result.path.rglob("*")) == before


def test_a_certificate_holds_until_something_changes(project, capsys):
    folder, result, weights, table = project
    assert told(capsys, result.path, "--certify", "c.json")[:2] == (0, ["c.json"])
    stated = json.loads((folder / "c.json").read_text())
    assert stated["_type"] == "https://in-toto.io/Statement/v1"
    digests = {each["name"]: each["digest"]["sha256"] for each in stated["subject"]}
    assert digests["scores.parquet"] == hashlib.sha256((result.path / "scores.parquet").read_bytes()).hexdigest()
    assert str(folder) not in (folder / "c.json").read_text()
    call = (result.path, "--certificate", "c.json", "--record-only")
    assert told(capsys, *call)[0] == 0
    state = torch.load(weights)
    torch.save({name: tensor + 0.01 for name, tensor in state.items()}, weights)
    code, lines, _ = told(capsys, *call)
    assert cli.main(["verify", str(result.path), "--certify", "d.json", *TRUST]) == cli.WRONG
    assert "the weights are others now" in capsys.readouterr().err
    named = [line.split(":")[1].strip() for line in lines if line.startswith("not as certified")]
    assert (code, named) == (1, ["weights tensors", "weights file weights.pt"])
    torch.save(state, weights)
    frame = pd.read_parquet(result.path / "scores.parquet")
    frame.assign(value=frame["value"] + 1e-9).to_parquet(result.path / "scores.parquet")
    named = [line.split(":")[1].strip() for line in told(capsys, *call)[1] if line.startswith("not as certified")]
    assert named[0] == "result scores.parquet"
    lines = table.read_text().splitlines()
    lines[1] = "0,9,9,9,9,1,south"
    table.write_text("\n".join(lines) + "\n")
    named = [line.split(":")[1].strip() for line in told(capsys, *call)[1] if line.startswith("not as certified")]
    assert named == ["result scores.parquet", "data inputs", "data file a.csv"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "verify --certificate: cannot be read"),
        ("{", "is damaged, not valid JSON"),
        ("[]", "is no in-toto statement"),
        ('{"_type": "https://in-toto.io/Statement/v1", "predicateType": "x"}', "is a statement about something else"),
    ],
)
def test_a_file_that_is_no_certificate_is_told(text, message, tabular, tmp_path, capsys):
    if text is not None:
        (tmp_path / "c.json").write_text(text)
    assert cli.main(["verify", str(tabular.path), "--certificate", str(tmp_path / "c.json"), *TRUST]) == cli.WRONG
    assert message in capsys.readouterr().err


def test_a_repetition_makes_its_passes_as_the_study_measured_them(workplace, monkeypatch, capsys):
    monkeypatch.setattr("xaiexp.engine.checks.speed.WORTHWHILE", 0)
    result = run("method=[saliency]", "metric=[]", "agreement=[]", "examples=4")
    monkeypatch.setattr("xaiexp.engine.checks.speed.measured", lambda *_: pytest.fail("is measured again"))
    assert cli.main(["verify", str(result.path)]) == 0
    assert "equal to the bit" in capsys.readouterr().out.splitlines()[-1]


def changed_copy(study, table, change):
    """The study with one table changed."""
    import dataclasses

    frame = change(getattr(study.result, table).copy())
    return dataclasses.replace(study, result=dataclasses.replace(study.result, **{table: frame}))


def test_a_number_counts_as_moved_beyond_the_tolerance_only(tabular):
    study = finished("verify", tabular.path)
    scores = study.result.scores
    row = int(np.flatnonzero(scores["value"].to_numpy() > 0.1)[0])

    def by(factor):
        return changed_copy(
            study, "scores", lambda t: t.assign(value=t["value"].where(np.arange(len(t)) != row, t["value"] * factor))
        )

    assert moved(study, by(1 + 1e-6), 1e-5) == ([], pytest.approx(1e-6, rel=1e-3))
    (found,), _ = moved(study, by(1 + 1e-3), 1e-5)
    assert (found.count, found.largest) == (1, pytest.approx(1e-3, rel=1e-2))
    assert str(scores["example"].iloc[row]) in found.example
    assert scores["metric"].iloc[row] in found.what


def test_an_undefined_number_moves_when_it_gets_a_value(tabular):
    study = finished("verify", tabular.path)
    gone = changed_copy(study, "scores", lambda t: t.assign(value=t["value"].where(np.arange(len(t)) != 0)))
    (found,), _ = moved(study, gone, 0.5)
    assert np.isinf(found.largest)
    assert moved(gone, gone, 0.0)[0] == []


def test_a_missing_row_and_a_changed_status_move(tabular):
    study = finished("verify", tabular.path)
    (found,), _ = moved(study, changed_copy(study, "scores", lambda t: t.iloc[1:]), 0.5)
    assert found.example == "only the study has it"
    failed = changed_copy(
        study, "cells", lambda t: t.assign(status=t["status"].astype(str).where(t["method"] != "random", "failed"))
    )
    found, _ = moved(study, failed, 0.5)
    assert [each.what for each in found] == ["cells: random"]
    assert "status done -> failed" in found[0].example
