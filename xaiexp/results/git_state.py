"""The state of the git repository around the working folder.

Git runs commands that a configuration names (``core.fsmonitor``, hooks, filters). The repository may come from anyone,
so git is found once and is asked with a clean environment and with these settings turned off.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from xaiexp.core.record import GitState

__all__ = ["git_state"]

_FOLDERS = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(folder)]  # noqa: PTH117
_GIT = shutil.which("git", path=os.pathsep.join(_FOLDERS))
_SETTINGS = {"core.fsmonitor": "false", "core.hooksPath": os.devnull, "safe.directory": "*", "core.pager": "cat"}
_COMMANDS = ("clean", "process", "smudge")


def git_state() -> GitState | None:
    """The commit, and whether files differ from it; None outside a repository or without git."""
    commit = _git(_SETTINGS, "rev-parse", "HEAD")
    if commit is None:
        return None
    names = _git(_SETTINGS, "config", "--list", "--name-only", "--includes") or ""
    filters = {name.rpartition(".")[0] for name in names.splitlines() if name.startswith("filter.")}
    off = {f"{each}.{command}": "" for each in filters for command in _COMMANDS}
    settings = {**_SETTINGS, **off, **{f"{each}.required": "false" for each in filters}}
    return GitState(commit, bool(_git(settings, "status", "--porcelain", "--ignore-submodules=all")))


def _git(settings: dict[str, str], *arguments: str) -> str | None:
    if _GIT is None:
        return None
    environment = {
        "PATH": os.pathsep.join(_FOLDERS),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for i, (key, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{i}": key, f"GIT_CONFIG_VALUE_{i}": value}
    try:
        done = subprocess.run(  # noqa: S603  # fixed arguments
            [_GIT, *arguments], capture_output=True, text=True, timeout=10, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
