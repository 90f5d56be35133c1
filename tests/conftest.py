from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def kit() -> Path:
    """The folder of real models and data, which is not part of this repository."""
    place = Path(os.environ.get("XAIEXP_KIT", Path(__file__).parents[2] / "shared" / "kit"))
    if not place.is_dir():
        pytest.skip(f"the kit of real models and data is not at {place} (set XAIEXP_KIT)")
    return place.resolve()
