"""`xaiexp plugins new`: a distribution of any kind that is green, typed strictly, and complete."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from xaiexp.cli.tools.scaffold import new_plugin
from xaiexp.contract.hookspecs import API
from xaiexp.contract.kinds import KINDS
from xaiexp.contract.registry import Registry, installed
from xaiexp.errors import ParameterError, UnknownName, UserError
from xaiexp.testing import check

FILES = {
    ".github/workflows/check.yml",
    ".gitignore",
    "LICENSE",
    "README.md",
    "check.sh",
    "pyproject.toml",
    "tests/test_my_part.py",
    "xaiexp_my_part/__init__.py",
    "xaiexp_my_part/py.typed",
}

# What cannot be checked here or does not apply: every other check must have run.
NOT_APPLICABLE = {
    "dataset": {"training_apart"},
    "method": {"complete", "device", "linear_network", "standard_error", "whole_features"},
    "metric": {"passes"},
    "model": {"pictures"},
}


def module_of(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, f"xaiexp_{name}", raising=False)
    return importlib.import_module(f"xaiexp_{name}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_of_any_kind_passes_every_check(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = new_plugin("new-part", tmp_path, installed(), kind)
    module = module_of(folder, "new_part", monkeypatch)
    registry = Registry()
    plugin = registry.add("new_part", "xaiexp-new-part", "0.1.0", lambda: module)
    assert plugin.reason == ""
    (component,) = plugin.components
    assert (component.kind, component.name) == (kind, "new_part")
    results = check(component)
    assert [str(each) for each in results if each.outcome == "failed"] == []
    assert {each.check for each in results if each.outcome == "skipped"} <= NOT_APPLICABLE.get(kind, set())
    assert module.XAIEXP_API == API


def ran(folder: Path, *words: str) -> str:
    """What a program of this environment prints, which must succeed."""
    command = [str(Path(sys.executable).parent / words[0]), *words[1:]]
    env = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_the_formatter_and_the_linter_are_green(kind, tmp_path):
    folder = new_plugin("my-part", tmp_path, installed(), kind)
    ran(folder, "ruff", "format", "--check", ".")
    ran(folder, "ruff", "check", ".")


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_the_strict_type_checker_is_green(tmp_path):
    folder = new_plugin("my-part", tmp_path, installed(), "method")
    other = new_plugin("other-part", tmp_path, installed(), "tracker")
    (other / "xaiexp_other_part").rename(folder / "xaiexp_other_part")
    assert "no issues found in 2 source files" in ran(folder, "mypy", "xaiexp_my_part", "xaiexp_other_part")


def test_its_own_tests_are_green(tmp_path):
    """One of its checks, and the study; the others run above."""
    folder = new_plugin("my-part", tmp_path, installed(), "method")
    printed = ran(folder, "pytest", "-q", "-p", "no:cacheprovider", "-k", "registrable or study")
    assert "2 passed" in printed


def test_one_command_runs_all_of_them(tmp_path):
    commands = (new_plugin("my-part", tmp_path, installed()) / "check.sh").read_text().splitlines()
    assert commands[-4:] == ["ruff format --check .", "ruff check .", "mypy", "pytest"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_complete_and_agree(kind, tmp_path):
    folder = new_plugin("my-part", tmp_path, Registry(), kind)
    assert {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} == FILES
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["xaiexp"] == {"my_part": "xaiexp_my_part"}
    assert project["project"]["license"] == "MIT"
    assert project["tool"]["mypy"]["strict"] is True
    assert "MIT License" in (folder / "LICENSE").read_text()
    steps = yaml.safe_load((folder / ".github/workflows/check.yml").read_text())["jobs"]["check"]["steps"]
    assert steps[-1] == {"run": "sh check.sh"}
    assert f"The {kind} `my_part`" in (folder / "README.md").read_text()
    assert "Mine" not in (folder / "xaiexp_my_part/__init__.py").read_text()


@pytest.mark.parametrize("name", ["a_b", "x-2", "lrp2"])
def test_the_component_has_the_name_that_was_asked_for(name, tmp_path, monkeypatch):
    folder = new_plugin(name, tmp_path, Registry(), "callback")
    wanted = name.replace("-", "_")
    (component,) = module_of(folder, wanted, monkeypatch).xaiexp_components()
    assert component.name == wanted


@pytest.mark.parametrize(
    ("name", "kind", "error", "message"),
    [
        ("mine", "methods", UnknownName, r"no such kind \(got 'methods'\)\n  nearest: method"),
        ("Mine", "method", ParameterError, "needs a name of lower-case letters"),
        ("saliency", "method", ParameterError, "a method has this name already"),
        ("metric", "metric", ParameterError, "would make a class Metric"),
    ],
)
def test_names_that_cannot_be_are_refused(name, kind, error, message, tmp_path):
    with pytest.raises(error, match=message):
        new_plugin(name, tmp_path, installed(), kind)
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_another_kind_is_free(tmp_path):
    assert new_plugin("saliency", tmp_path, installed(), "metric").is_dir()


def test_a_folder_that_exists_is_left_alone(tmp_path):
    folder = new_plugin("mine", tmp_path, Registry())
    (folder / "README.md").write_text("my own words")
    with pytest.raises(UserError, match="the folder exists already"):
        new_plugin("mine", tmp_path, Registry())
    assert (folder / "README.md").read_text() == "my own words"
