"""Plugins are distributions of their own: the tests of one that is not installed are skipped with that reason."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

_HERE = Path(__file__).parent


def _installed(name: str) -> bool:
    try:
        return distribution(name) is not None
    except PackageNotFoundError:
        return False


_MISSING = [folder.name for folder in _HERE.glob("xaiexp-*") if not _installed(folder.name)]

# Doctests of a package that cannot be imported cannot be collected; its test files say why they skip.
collect_ignore_glob = [f"{name}/{name.replace('-', '_')}/*" for name in _MISSING]
collect_ignore_glob.append("xaiexp-lxt/tests/lxt_peer.py")  # a program of a process of its own, which imports lxt


@pytest.fixture(scope="session")
def kit() -> Path:
    """The folder of real models and data, which is not part of this repository."""
    place = Path(os.environ.get("XAIEXP_KIT", _HERE.parents[1] / "shared" / "kit"))
    if not place.is_dir():
        pytest.skip(f"the kit of real models and data is not at {place} (set XAIEXP_KIT)")
    return place.resolve()
