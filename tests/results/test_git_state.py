"""Git is asked about a repository of anyone without running a command that its configuration names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from xaiexp.results.git_state import git_state

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")


def git(*words: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    return subprocess.run(["git", *identity, *words], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    Path("a.txt").write_text("a\n")
    Path(".gitattributes").write_text("*.txt filter=theirs\n")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    return tmp_path


@pytest.fixture
def command(repository):
    """A script that leaves the file ``touched``, outside of the working tree."""
    script = repository / ".git" / "theirs"
    script.write_text(f"#!/bin/sh\ntouch {repository / '.git' / 'touched'}\ncat\n")
    script.chmod(0o755)
    yield str(script)
    assert not (repository / ".git" / "touched").exists()


def test_the_commit_and_whether_files_differ(repository):
    state = git_state()
    assert (state.commit, state.dirty) == (git("rev-parse", "HEAD"), False)
    Path("a.txt").write_text("b\n")
    assert git_state().dirty


def test_outside_of_a_repository_there_is_no_state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert git_state() is None


@pytest.mark.parametrize("key", ["core.fsmonitor", "filter.theirs.clean", "filter.theirs.process", "core.sshCommand"])
@pytest.mark.parametrize("included", [False, True])
def test_no_command_of_the_repository_runs(key, included, repository, command):
    if included:
        subprocess.run(["git", "config", "-f", ".git/more", key, command], check=True)
        git("config", "include.path", "more")
    else:
        git("config", key, command)
    os.utime("a.txt", (1, 1))  # git must look into the file again
    state = git_state()
    assert (len(state.commit), state.dirty) == (40, False)


def test_no_hook_of_the_repository_runs(repository, command):
    for hook in ("post-index-change", "reference-transaction", "fsmonitor-watchman"):
        shutil.copy(command, repository / ".git" / "hooks" / hook)
    os.utime("a.txt", (1, 1))
    assert git_state() is not None


def test_no_command_of_the_environment_runs(repository, command, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", command)
    (tmp_path / ".git" / "global").write_text(f"[core]\n\tfsmonitor = {command}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / ".git" / "global"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", command)
    assert git_state() is not None


def test_git_is_the_one_of_the_start_of_the_process(repository, command, monkeypatch):
    shutil.copy(command, repository / ".git" / "git")
    monkeypatch.setenv("PATH", str(repository / ".git"))
    assert git_state() is not None


def test_a_relative_folder_of_the_path_is_not_searched(repository, command):
    shutil.copy(command, repository / "git")
    environment = {**os.environ, "PATH": f".:{os.environ['PATH']}"}
    code = "from xaiexp.results.git_state import git_state; print(len(git_state().commit))"
    out = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert out.strip() == "40"
