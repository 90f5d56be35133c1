"""A preset repeats what was explained, and is written nowhere but into ``conf/experiment``."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from served_studies import CELL, client

from xaiexp.config.build import plain
from xaiexp.config.compose import composed


def body(work, **more):
    return {"cell": CELL, "example": work.studies[0].examples[0], "method": {"n_steps": 77}} | more


def test_the_preset_and_the_command_line_compose_the_same_study(work):
    change = body(work, baseline={"name": "blur", "parameters": {"sigma": 1.5}}, target=2)
    answer = client(work).post("/preset", json=change | {"name": "mine"})
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"file": "conf/experiment/mine.yaml", "command": "xaiexp experiment=mine"}
    line = client(work).post("/command", json=change).json()["command"]
    preset = plain(composed(["experiment=mine"]))
    typed = plain(composed(shlex.split(line)[1:]))
    assert {**preset, "report": None, "tracking": None} == {**typed, "report": None, "tracking": None}
    assert preset["method"] == {
        "integrated_gradients": {"name": "integrated_gradients", "n_steps": 77, "method": "gausslegendre"}
    }
    assert preset["baseline"] == {"blur": {"name": "blur", "sigma": 1.5}}


def test_a_preset_is_never_overwritten(work):
    assert client(work).post("/preset", json=body(work, name="once")).status_code == 201
    before = Path("conf/experiment/once.yaml").read_text()
    answer = client(work).post("/preset", json=body(work, name="once", method={"n_steps": 3}))
    assert answer.status_code == 422
    assert "there is a preset of this name" in answer.json()["error"]
    assert Path("conf/experiment/once.yaml").read_text() == before


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../mine",
        "a/b",
        "/tmp/a",
        "a\\b",
        "a.yaml",
        "-a",
        "a\n",
        "a" * 65,
        "ä",
        "con fig",
        None,
        3,
        ["a"],
        "a\0",
    ],
)
def test_a_name_that_could_lead_elsewhere_is_refused(work, name):
    before = set(Path().rglob("*.yaml"))
    answer = client(work).post("/preset", json=body(work, name=name))
    assert answer.status_code == 422
    assert answer.json()["where"] == "preset"
    assert set(Path().rglob("*.yaml")) == before


def test_a_folder_that_leads_elsewhere_is_refused(work, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "experiment").mkdir(parents=True)
    project = tmp_path / "project"
    project.mkdir()
    (project / "conf").symlink_to(elsewhere, target_is_directory=True)
    folder = Path.cwd()
    monkeypatch.chdir(project)
    answer = client(work).post("/preset", json=body(work, name="mine"))
    monkeypatch.chdir(folder)
    assert answer.status_code == 422
    assert not list(elsewhere.rglob("*.yaml"))


def test_a_hostile_value_stays_a_value(work):
    hostile = "x\n- override /model: mine\n'}, trust=[os]"
    answer = client(work).post("/preset", json=body(work, name="hostile", target=hostile))
    if answer.status_code == 201:
        assert plain(composed(["experiment=hostile"]))["target"] == hostile
        assert plain(composed(["experiment=hostile"]))["trust"] == []
    else:
        assert answer.status_code == 422
        assert not Path("conf/experiment/hostile.yaml").exists()
