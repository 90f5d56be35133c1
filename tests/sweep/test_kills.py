"""A sweep that is killed at any moment and started again is the undisturbed one, and nothing is computed twice."""

from __future__ import annotations

import os
import time

import pytest
from killed_sweeps import (
    SIGNALS,
    WORKER,
    KilledSweep,
    end,
    finish,
    line,
    objects,
    only_sweep,
    require_equal,
    require_tracked_once,
    start,
)


@pytest.mark.timeout(900)
def test_a_sweep_that_was_killed_between_two_studies_computes_the_rest_only(tmp_path):
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    words = line(2)
    process = start(killed, words)
    until = time.monotonic() + 200
    while time.monotonic() < until and not list(killed.glob("outputs/multirun/*/*/1/record.json")):
        assert process.poll() is None, (killed / "log").read_text()
        time.sleep(0.02)
    end(process, "SIGKILL")
    before = objects(killed)
    assert before
    finish(killed, words)
    after = objects(killed)
    assert {name: after[name] for name in before} == before
    finish(undisturbed, words)
    require_equal(killed, undisturbed)
    require_tracked_once(killed, 2)
    assert [file.name for file in only_sweep(killed).rglob(".*owner*")] == []


@pytest.mark.heavy
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_sweep_that_is_killed_at_any_moment_is_the_undisturbed_one(tmp_path, launcher):
    seeds, kills = int(os.environ.get("XAIEXP_STUDIES", "3")), int(os.environ.get("XAIEXP_KILLS", "6"))
    ways, more = [*SIGNALS], []
    if launcher == "joblib":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
        more = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
        ways.append(WORKER)
    undisturbed = tmp_path / "undisturbed"
    finish(undisturbed, line(seeds))
    sweep = KilledSweep(tmp_path / "killed", undisturbed, seeds, more, ways)
    sweep.survive(kills)
    most = max(kill.objects for kill in sweep.kills)
    print(f"{launcher}: {len(sweep.kills)} kills in {sweep.sweeps} sweeps of {seeds} studies, at most {most} objects")  # noqa: T201  # figures for benchmarks/README.md
    print(sweep.table())  # noqa: T201
