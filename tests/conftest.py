from __future__ import annotations

import logging
import os
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from trained_networks import trained_networks

from xaiexp import hookimpl
from xaiexp.contract.kinds import Component
from xaiexp.contract.registry import installed

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.pop("COLUMNS", None)  # the width of lines that tests read
if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores, and so do the programs that they start: threads that wait for a core cost most.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def kit() -> Path:
    """The folder of real models and data, which is not part of this repository."""
    place = Path(os.environ.get("XAIEXP_KIT", Path(__file__).parents[2] / "shared" / "kit"))
    if not place.is_dir():
        pytest.skip(f"the kit of real models and data is not at {place} (set XAIEXP_KIT)")
    return place.resolve()


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in; the trained networks that ship with the package are trained once a session."""
    monkeypatch.chdir(tmp_path)
    models = tmp_path / "outputs" / "store" / "models"
    models.parent.mkdir(parents=True)
    models.symlink_to(trained_networks(), target_is_directory=True)
    yield tmp_path
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, logging.FileHandler)]:
        root.removeHandler(handler)  # Hydra leaves the log of a job open until the next one
        handler.close()


@pytest.fixture
def bring() -> Iterator[Callable[..., None]]:
    """Installs component classes for one test, as a plugin would."""
    registry = installed()
    plugins, classes = list(registry.plugins), dict(registry._classes)

    def add(*components: type[Component]) -> None:
        module = types.ModuleType("brought")
        module.xaiexp_components = hookimpl(lambda: list(components))  # type: ignore[attr-defined]
        plugin = registry.add("brought", "xaiexp-brought", "1.0", lambda: module)
        assert not plugin.reason, plugin.reason

    yield add
    registry.plugins[:] = plugins
    registry._classes.clear()
    registry._classes.update(classes)
