"""A study in 64 shards on a local Ray of two workers is the study in one piece, whatever is killed meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time

import numpy as np
import pandas as pd
import pytest
from killed_sweeps import finish, objects, only_sweep, require_whole, start

from xaiexp.core.record import Record

SHARDS = 64
STUDY = [
    "dataset=csv", "dataset.path=rows.csv", "dataset.label_column=label", "dataset.held_out=0.9", "model=tabular_mlp",
    "examples=4096", "method=[saliency,gradient_shap,random]", "baseline=[zero]", "metric=[infidelity]", "effort=draft",
    "agreement=[rank_correlation]", "tracking.uri=off", "report=false",
]  # fmt: skip
RAY = ["-m", f"shards={SHARDS}", "hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2"]


def write_rows(folder, count=5000):
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(count, 4)).round(3)
    table = pd.DataFrame(rows, columns=list("abcd"))
    table["label"] = np.where(rows[:, 0] + rows[:, 1] * rows[:, 2] > 0, "yes", "no")
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "rows.csv", index=False)


@pytest.fixture(scope="module")
def unsplit(tmp_path_factory):
    """The study in one piece, in a folder of its own."""
    folder = tmp_path_factory.mktemp("unsplit")
    write_rows(folder)
    finish(folder, [*STUDY, "hydra.run.dir=outputs/unsplit"])
    return folder / "outputs" / "unsplit"


def ended(folder):
    """The shards whose records say that they are done, with the time at which that was written."""
    found = {}
    for file in (folder / "outputs" / "multirun").glob("*/*/.shards/*/record.json"):
        with contextlib.suppress(OSError):
            if json.loads(file.read_text())["status"] == "done":
                found[file.parent.name] = file.stat().st_mtime_ns
    return found


def a_worker(folder):
    """The process that a shard says it runs in."""
    for file in sorted((folder / "outputs" / "multirun").glob("*/*/.shards/.*.owner.json")):
        with contextlib.suppress(OSError, ValueError):
            return int(json.loads(file.read_text())["pid"])
    return None


def kill(folder, process, whom):
    """Kill a worker, or the program, once a few shards have ended."""
    until = time.monotonic() + 600
    while len(ended(folder)) < 5 or (whom == "worker" and a_worker(folder) is None):
        assert process.poll() is None, (folder / "log").read_text()[-5000:]
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(process.pid if whom == "program" else a_worker(folder), signal.SIGKILL)


KILLS = {
    "a worker, which Ray replaces": ("worker", []),
    "a worker, which we replace": ("worker", ["hydra.launcher.ray.remote.max_retries=0"]),
    "the program": ("program", []),
}


@pytest.mark.heavy
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("killed", KILLS)
def test_a_study_whose_worker_is_killed_is_complete_after_the_same_line(killed, unsplit, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="pip install 'xaiexp[ray]'")
    write_rows(tmp_path)
    whom, more = KILLS[killed]
    words = [*RAY, *more, *STUDY]
    process = start(tmp_path, words)
    kill(tmp_path, process, whom)
    before = ended(tmp_path), objects(tmp_path)
    code = process.wait(timeout=1800)
    log = (tmp_path / "log").read_text()
    print(f"{killed}: exit code {code}, {len(before[0])} shards had ended")  # noqa: T201  # figures for docs/sweeps.md
    assert "Traceback" not in log
    if code:
        finish(tmp_path, words)
    for was, now in zip(before, (ended(tmp_path), objects(tmp_path)), strict=True):
        assert {name: now.get(name) for name in was} == was  # what had ended was not run again
    sweep = only_sweep(tmp_path)
    for name in ("scores.parquet", "agreement.parquet"):
        ours, theirs = (pd.read_parquet(folder / name) for folder in (sweep / "0", unsplit))
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    for name in ("summary.csv", "verdicts.csv", "comparisons.csv"):
        assert (sweep / "0" / name).read_text() == (unsplit / name).read_text()
    assert len(ended(tmp_path)) == SHARDS
    told = Record.read(sweep / "0" / "record.json").passes
    assert told.attributions.forward + told.attributions.backward == 0  # all came from the shards
    require_whole(tmp_path)
