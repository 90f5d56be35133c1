"""The checks of callbacks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xaiexp.contract.callback import Callback, FinishedCell, FinishedChunk, FinishedStudy, StartedStudy
from xaiexp.core.ids import CellId
from xaiexp.testing.assertions import require
from xaiexp.testing.definition import CheckSuite

__all__ = ["SUITE"]

SUITE = CheckSuite("callback")

_CELLS = (CellId("saliency"), CellId("occlusion", "zero"))


@contextmanager
def _study() -> Iterator[StartedStudy]:
    """A study in a new working directory, with the files that it would have."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="xaiexp-testing-") as name:
        place = Path(name).resolve()
        folder = place / "outputs" / "study"
        folder.mkdir(parents=True)
        for file in ("record.json", "config.yaml", "report.html"):
            (folder / file).write_text(f"the content of {file}", encoding="utf-8")
        os.chdir(place)
        try:
            yield StartedStudy("0123", "a_model on some_data, seed 0", folder, _CELLS, ("deletion",), 5, 100)
        finally:
            os.chdir(before)


def _tell(callback: Callback, study: StartedStudy, *, failed: bool = False) -> None:
    """Tell a callback of a whole study; of one that fails after its first chunk where ``failed``."""
    callback.on_start(study)
    callback.on_chunk(FinishedChunk(study, 1, ("a", "b", "c"), 3, _CELLS, 1.5))
    if failed:
        callback.on_study(FinishedStudy(study, "failed", "no memory is left", 2.0, None))
        return
    callback.on_chunk(FinishedChunk(study, 2, ("d", "e"), 5, _CELLS, 2.5))
    for cell in _CELLS:
        row = {
            "method": cell.method,
            "baseline": cell.baseline,
            "status": "done",
            "reason": "",
            "examples": 5,
            "forward_passes": 10,
            "backward_passes": 5,
            "seconds": 0.5,
            "peak_memory_bytes": 1024,
            "cached": False,
            "key": "0" * 40,
        }
        callback.on_cell(FinishedCell(study, cell, row, {"deletion": 0.5, "infidelity": float("nan")}))
    callback.on_study(FinishedStudy(study, "done", "", 3.0, study.folder / "report.html"))


def _files(place: Path) -> dict[str, bytes]:
    return {str(each.relative_to(place)): each.read_bytes() for each in place.rglob("*") if each.is_file()}


@SUITE.register()
def told(callback: Callback) -> None:
    """Every method takes what it is told of a study that is done, and of one that fails."""
    for failed in (False, True):
        with _study() as study:
            _tell(callback, study, failed=failed)


@SUITE.register(after=("told",))
def again(callback: Callback) -> None:
    """A study that is started again in the same folder is told from its start."""
    with _study() as study:
        _tell(callback, study, failed=True)
        try:
            _tell(callback, study)
        except Exception as error:
            require(False, f"raised {type(error).__name__} the second time: {error}")


@SUITE.register(after=("told",))
def stays_in_folder(callback: Callback) -> None:
    """Files are written into the folder of the study only."""
    with _study() as study:
        place = study.folder.parents[1]
        before = _files(place)
        _tell(callback, study)
        changed = {name for name, content in _files(place).items() if before.get(name) != content}
        outside = sorted(name for name in changed if not name.startswith("outputs/study/"))
        require(not outside, f"wrote {', '.join(outside)} beside the folder of the study")


@SUITE.register(after=("told",))
def results_unchanged(callback: Callback) -> None:
    """The files of the study are not changed."""
    with _study() as study:
        before = _files(study.folder)
        _tell(callback, study)
        now = _files(study.folder)
        changed = sorted(name for name, content in before.items() if now.get(name) != content)
        require(not changed, f"changed {', '.join(changed)}")
