"""The checks of trackers."""

from __future__ import annotations

import functools
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
from PIL import Image

from xaiexp.contract.tracker import KeptRun, TrackedCell, TrackedRun, TrackedStudy, Tracker
from xaiexp.core.ids import CellId
from xaiexp.core.record import Record, StudyFacts
from xaiexp.statistics.frames import rows
from xaiexp.store.owners import this_process
from xaiexp.testing.assertions import require
from xaiexp.testing.definition import CheckSuite

__all__ = ["SUITE"]

SUITE = CheckSuite("tracker")

_GROUP = "conformance"
_CELLS = (("saliency", "none", "done"), ("occlusion", "zero", "done"), ("grad_cam", "none", "skipped"))
_NAMES = ["grad_cam", "occlusion/zero", "saliency"]
_STUDY = {"model": "a_model", "dataset": "some_data", "seed": 0}
_DONE = Record(
    status="done",
    started="2026-01-02T03:04:05+00:00",
    study=StudyFacts(model="a_model", dataset="some_data", seed=0),
    seconds=1.5,
)


@functools.cache
def _place(tracker: Tracker) -> tempfile.TemporaryDirectory[str]:
    """A folder for all checks of a tracker, prepared by it; removed at the end of the process."""
    place = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    tracker.prepare(_address(place), _GROUP)
    return place


def _address(place: tempfile.TemporaryDirectory[str]) -> str:
    return f"sqlite:///{place.name}/tracked.db"


def _study(tracker: Tracker) -> TrackedStudy:
    """A new study, with the files that it would leave."""
    place = _place(tracker)
    folder = Path(tempfile.mkdtemp(dir=place.name))
    (folder / "record.json").write_text(_DONE.to_json())
    (folder / "pictures").mkdir()
    Image.new("L", (2, 2), 127).save(folder / "pictures" / "map.png")
    running = replace(_DONE, status="running", seconds=None)
    config = {"seed": 0, "model": {"name": "a_model"}, "method": {"saliency": {}, "occlusion": {"window": [4, 4]}}}
    name = "a_model on some_data, seed 0"
    return TrackedStudy(uuid.uuid4().hex, name, folder, config, running, _GROUP, _address(place), this_process())


def _tables() -> dict[str, pd.DataFrame]:
    cells = [
        {
            **_STUDY,
            "method": method,
            "baseline": baseline,
            "status": status,
            "reason": "" if status == "done" else "needs maps",
            "examples": 4 if status == "done" else 0,
            "forward_passes": 8,
            "backward_passes": 4,
            "seconds": 0.25,
            "peak_memory_bytes": 1024,
            "cached": False,
            "key": "0" * 40,
        }
        for method, baseline, status in _CELLS
    ]
    done = [(method, baseline) for method, baseline, status in _CELLS if status == "done"]
    scores = [
        {**_STUDY, "method": m, "baseline": b, "metric": "deletion", "example": f"e{i}", "target": 1, "value": 0.5}
        for m, b in done
        for i in range(4)
    ]
    summary = [
        {
            **_STUDY,
            "method": m,
            "baseline": b,
            "metric": metric,
            "mean": mean,
            "low": mean - 0.125,
            "high": mean + 0.125,
            "undefined": 0,
            "letters": letters,
        }
        for m, b in done
        for metric, mean, letters in (("deletion", 0.5, "a"), ("deletion.shift", float("nan"), ""))
    ]
    pair = {"method_a": "saliency", "baseline_a": "none", "method_b": "occlusion", "baseline_b": "zero"}
    verdict = {**_STUDY, "metric": "deletion", "verdict": "best mean: saliency", "refused": False, "alpha": 0.25}
    return {
        "cells": pd.DataFrame(cells),
        "scores": pd.DataFrame(scores),
        "agreement": pd.DataFrame([{**_STUDY, **pair, "measure": "rank", "example": "e0", "value": 0.5}]),
        "summary": pd.DataFrame(summary),
        "verdicts": pd.DataFrame([verdict]),
        "comparisons": pd.DataFrame([{**_STUDY, **pair, "metric": "deletion", "difference": 0.0, "p_adjusted": 1.0}]),
    }


def _log(run: TrackedRun, study: TrackedStudy, tables: Mapping[str, pd.DataFrame]) -> None:
    """Log everything but the end."""
    for row in rows(tables["cells"]):
        cell = CellId(row["method"], row["baseline"])
        own = [s for s in rows(tables["summary"]) if (s["method"], s["baseline"]) == (cell.method, cell.baseline)]
        run.log_cell(TrackedCell(cell, row, own))
    run.log_tables(tables)
    run.log_figures([study.folder / "pictures" / "map.png"])


def _kept(tracker: Tracker, study: TrackedStudy) -> KeptRun:
    """The one run of a study."""
    found = tracker.kept(study)
    require(len(found) == 1, f"kept {len(found)} runs of one study")
    return found[0]


@SUITE.register()
def one_run(tracker: Tracker) -> None:
    """A study that has started has one run, by the name of the returned object, and it is running."""
    study = _study(tracker)
    require(tracker.kept(study) == [], "kept a run of a study before it started")
    run = tracker.start(study)
    kept = _kept(tracker, study)
    require(kept.run == run.name, f"the run is {kept.run!r}, the returned object says {run.name!r}")
    require(kept.status == "running", f"its status is {kept.status!r}")


@SUITE.register(after=("one_run",))
def cells(tracker: Tracker) -> None:
    """Every cell that was logged is kept by its name when the study has finished."""
    study = _study(tracker)
    run = tracker.start(study)
    _log(run, study, _tables())
    run.finish(_DONE)
    kept = sorted(_kept(tracker, study).cells)
    require(kept == _NAMES, f"kept {kept} of {_NAMES}")


@SUITE.register(after=("one_run",))
def status(tracker: Tracker) -> None:
    """A run that is finished has the status of the record."""
    for record in (_DONE, replace(_DONE, status="failed", error="one cell")):
        study = _study(tracker)
        tracker.start(study).finish(record)
        found = _kept(tracker, study).status
        require(found == record.status, f"its status is {found!r} after a study that is {record.status!r}")


@SUITE.register(after=("one_run",))
def stopped(tracker: Tracker) -> None:
    """A run that is stopped does not stay running."""
    study = _study(tracker)
    tracker.start(study).stop("interrupted")
    found = _kept(tracker, study).status
    require(found == "failed", f"its status is {found!r}")


@SUITE.register(after=("one_run", "cells", "status", "stopped"))
def resumed(tracker: Tracker) -> None:
    """A study that was interrupted goes on with its run when it starts again, in another object."""
    study, tables = _study(tracker), _tables()
    first = tracker.start(study)
    first.log_cell(TrackedCell(CellId("saliency"), rows(tables["cells"])[0], []))
    first.stop("interrupted")
    again = tracker.start(study)
    require(again.name == first.name, f"started another run: {again.name!r} after {first.name!r}")
    found = _kept(tracker, study).status
    require(found == "running", f"its status is {found!r} when it goes on")
    _log(again, study, tables)
    again.finish(_DONE)
    kept = _kept(tracker, study)
    require(kept.status == "done", f"its status is {kept.status!r} at the end")
    require(sorted(kept.cells) == _NAMES, f"kept {sorted(kept.cells)} of {_NAMES}")


@SUITE.register(after=("one_run", "cells", "status", "stopped", "resumed"))
def sent_again(tracker: Tracker) -> None:
    """A study that is sent a second time leaves what the first time left."""
    study, tables = _study(tracker), _tables()
    seen = []
    for _ in range(2):
        run = tracker.start(study)
        _log(run, study, tables)
        run.finish(_DONE)
        kept = _kept(tracker, study)
        seen.append((kept.run, kept.status, sorted(kept.cells), sorted(kept.values.items())))
    require(seen[0] == seen[1], "kept other runs, cells or values after the second time")


@SUITE.register(after=("one_run", "cells", "status", "stopped"))
def apart(tracker: Tracker) -> None:
    """Two studies at the same time have a run each, and their cells do not mix."""
    a, b = _study(tracker), _study(tracker)
    first, second = tracker.start(a), tracker.start(b)
    require(first.name != second.name, f"both runs are {first.name!r}")
    _log(first, a, _tables())
    first.finish(_DONE)
    require(not _kept(tracker, b).cells, f"the other study has the cells {list(_kept(tracker, b).cells)}")
    found = _kept(tracker, b).status
    require(found == "running", f"the other study is {found!r}")


@SUITE.register(after=("one_run", "cells", "status", "stopped"))
def results_unchanged(tracker: Tracker) -> None:
    """The tables and the files of the study are not changed."""
    study, tables = _study(tracker), _tables()
    files = {file: file.read_bytes() for file in study.folder.rglob("*") if file.is_file()}
    run = tracker.start(study)
    _log(run, study, tables)
    run.finish(_DONE)
    for name, frame in _tables().items():
        require(tables[name].equals(frame), f"changed the table {name}")
    now = {file: file.read_bytes() for file in study.folder.rglob("*") if file.is_file()}
    changed = sorted(str(f.relative_to(study.folder)) for f in files.keys() | now.keys() if files.get(f) != now.get(f))
    require(not changed, f"changed {', '.join(changed)} in the folder of the study")
