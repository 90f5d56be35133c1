"""A sweep that is killed at any moment and started again is the undisturbed one, and nothing is computed twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pandas as pd
import psutil
import pytest
from trained_networks import trained_networks

import xaiexp
from xaiexp.builtin.trackers.mlflow_client import client_at
from xaiexp.tracking.addresses import embedded_uri

COST = ["forward_passes", "backward_passes", "seconds", "peak_memory_bytes", "cached"]
TABLES = ("cells", "scores", "agreement", "summary", "verdicts")


def line(seeds, *more):
    methods = ["method=[saliency,integrated_gradients,random]", "metric=[deletion,infidelity]", "baseline=[zero]"]
    studies = ["model=digits_mlp", f"seed={','.join(map(str, range(seeds)))}", "examples=66", "effort=draft"]
    return ["-m", *studies, *methods, "agreement=[rank_correlation]", *more]


def start(folder, words):
    models = folder / "outputs" / "store" / "models"
    if not models.exists():
        models.parent.mkdir(parents=True)
        models.symlink_to(trained_networks(), target_is_directory=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "xaiexp", *words],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )


def finish(folder, words):
    assert start(folder, words).wait(timeout=1200) == 0, (folder / "log").read_text()


def objects(folder):
    """The objects of the store with the times at which they were written."""
    files = (folder / "outputs" / "store" / "objects").rglob("*.safetensors")
    return {str(file): file.stat().st_mtime_ns for file in files}


def only_sweep(folder):
    (sweep,) = (path.parent for path in (folder / "outputs" / "multirun").glob("*/*/sweep.json"))
    return sweep


def require_equal(folder, undisturbed):
    mine, theirs = xaiexp.load(only_sweep(folder)), xaiexp.load(only_sweep(undisturbed))
    for name in TABLES:
        a, b = (getattr(result, name).drop(columns=COST, errors="ignore") for result in (mine, theirs))
        pd.testing.assert_frame_equal(a, b, check_exact=True)
    for study, result in mine.studies.items():
        for method in ("saliency", "integrated_gradients", "random"):
            assert result.attributions(method).equal(theirs.studies[study].attributions(method))


def require_tracked_once(folder, seeds):
    """Every study and every cell has one run, and none is running."""
    assert start(folder, ["repair"]).wait(timeout=120) == 0
    client = client_at(embedded_uri(folder / "outputs"))
    runs = client.search_runs([client.get_experiment_by_name("xaiexp").experiment_id], max_results=5000)
    names = {run.info.run_id: run.info.run_name for run in runs}
    parents = Counter(run.info.run_name for run in runs if "mlflow.parentRunId" not in run.data.tags)
    assert parents == {f"digits_mlp on digits, seed {seed}": 1 for seed in range(seeds)}
    cells = Counter(
        (names[run.data.tags["mlflow.parentRunId"]], run.info.run_name)
        for run in runs
        if "mlflow.parentRunId" in run.data.tags
    )
    assert set(cells.values()) == {1}
    assert len(cells) == 3 * seeds
    assert {run.info.status for run in runs} == {"FINISHED"}


def end(process, number):
    """Send a signal to a process; Ctrl-C reaches all processes of its group."""
    with contextlib.suppress(ProcessLookupError):
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    process.wait(timeout=120)


def kill_a_worker(process):
    """Kill the child that uses most memory: loky's worker, not its resource tracker."""
    with contextlib.suppress(ValueError, psutil.NoSuchProcess):  # no worker yet
        max(psutil.Process(process.pid).children(), key=lambda child: child.memory_info().rss).kill()


@pytest.mark.timeout(900)
def test_a_sweep_that_was_killed_between_two_studies_computes_the_rest_only(tmp_path):
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    words = line(2)
    process = start(killed, words)
    until = time.monotonic() + 200
    while time.monotonic() < until and not list(killed.glob("outputs/multirun/*/*/1/record.json")):
        assert process.poll() is None, (killed / "log").read_text()
        time.sleep(0.02)
    end(process, signal.SIGKILL)
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
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_sweep_that_is_killed_at_any_moment_is_the_undisturbed_one(tmp_path, launcher):
    seeds, kills = int(os.environ.get("XAIEXP_STUDIES", "3")), int(os.environ.get("XAIEXP_KILLS", "6"))
    ways: list[str | signal.Signals] = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
    more = []
    if launcher == "joblib":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
        more = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
        ways.append("worker")
    words, draw = line(seeds, *more), random.Random(7)
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    finish(undisturbed, line(seeds))
    done, before = 0, dict[str, int]()
    for number in range(kills):
        process, way = start(killed, words), ways[number % len(ways)]
        written, until = len(objects(killed)), time.monotonic() + 400
        while len(objects(killed)) == written and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        with contextlib.suppress(subprocess.TimeoutExpired):  # some time after the next chunk
            process.wait(timeout=draw.uniform(0, 0.3))
        if process.poll() is not None:
            break  # it had finished; a further start would be another sweep
        done += 1
        if isinstance(way, str):
            kill_a_worker(process)
            if process.wait(timeout=600) == 0:  # it has launched the rest again
                break
        else:
            end(process, way)
        print(f"kill {done}: {way}, {len(objects(killed))} objects")  # noqa: T201  # figures for benchmarks/README.md
        now = objects(killed)
        assert {name: now.get(name) for name in before} == before  # nothing finished was written again
        before = now
    else:
        finish(killed, words)
    assert done
    print(f"{launcher}: {done} kills of {seeds} studies, {len(before)} objects when killed, none written again")  # noqa: T201  # figures for benchmarks/README.md
    now = objects(killed)
    assert {name: now[name] for name in before} == before
    require_equal(killed, undisturbed)
    require_tracked_once(killed, seeds)
