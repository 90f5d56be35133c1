"""Sweeps in processes of their own that are killed, and what has to hold of the files that they leave."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
from trained_networks import trained_networks

import xaiexp
from xaiexp.builtin.trackers.mlflow_client import client_at
from xaiexp.store.inventory import LEFTOVERS, damage, inventory
from xaiexp.tracking.addresses import embedded_uri

COST = ["forward_passes", "backward_passes", "seconds", "peak_memory_bytes", "cached"]
TABLES = ("cells", "scores", "agreement", "summary", "verdicts")
METHODS = ("saliency", "integrated_gradients", "random")
READERS = {
    ".json": lambda path: json.loads(path.read_text()),
    ".parquet": pd.read_parquet,
    ".csv": pd.read_csv,
    ".html": lambda path: path.read_text()[-20:].index("</html>"),
}
WORKER = "SIGKILL to a worker"
SIGNALS = {
    "SIGKILL": signal.SIGKILL,
    "SIGTERM": signal.SIGTERM,
    "Ctrl-C": signal.SIGINT,
}
MOMENTS = ("after a further object", "at any moment")


def line(seeds, *more):
    """The words of a sweep of as many studies as seeds, of 66 examples in four chunks."""
    methods = [f"method=[{','.join(METHODS)}]", "metric=[deletion,infidelity]", "baseline=[zero]"]
    studies = ["model=digits_mlp", f"seed={','.join(map(str, range(seeds)))}", "examples=66", "effort=draft"]
    return ["-m", *studies, *methods, "agreement=[rank_correlation]", *more]


def start(folder, words):
    """The program at work in a folder, in a group of processes of its own."""
    models = folder / "outputs" / "store" / "models"
    if not models.exists():
        models.parent.mkdir(parents=True)
        models.symlink_to(trained_networks(), target_is_directory=True)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so in the background of a shell, and inherited
        signal.signal(signal.SIGINT, signal.default_int_handler)
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
    """Run the program to its end, which must be a good one."""
    assert start(folder, words).wait(timeout=3000) == 0, (folder / "log").read_text()[-5000:]


def objects(folder):
    """The objects of the store with the times at which they were written."""
    files = (folder / "outputs" / "store" / "objects").rglob("*.safetensors")
    return {str(file): file.stat().st_mtime_ns for file in files if not file.name.startswith(".")}


def only_sweep(folder):
    """The folder of the one sweep that ran here."""
    (sweep,) = (path.parent for path in (folder / "outputs" / "multirun").glob("*/*/sweep.json"))
    return sweep


def finished(folder):
    """Whether the sweep that ran here says that it is finished."""
    files = list((folder / "outputs" / "multirun").glob("*/*/sweep.json"))
    return bool(files) and bool(json.loads(files[0].read_text())["finished"])


def require_equal(folder, undisturbed):
    """Tables and maps are those of the other sweep, bit for bit."""
    mine, theirs = xaiexp.load(only_sweep(folder)), xaiexp.load(only_sweep(undisturbed))
    for name in TABLES:
        a, b = (getattr(result, name).drop(columns=COST, errors="ignore") for result in (mine, theirs))
        pd.testing.assert_frame_equal(a, b, check_exact=True)
    for study, result in mine.studies.items():
        for method in METHODS:
            assert result.attributions(method).equal(theirs.studies[study].attributions(method))


def require_whole(folder):
    """No file that a reader could find is torn; temporary files, which nothing reads, may be left."""
    outputs = folder / "outputs"
    assert [(f, why) for f in inventory(outputs / "store") if f.kind != LEFTOVERS and (why := damage(f))] == []
    for path in (outputs / "multirun").rglob("*"):
        if not path.name.startswith(".") and path.suffix in READERS:
            with contextlib.suppress(FileNotFoundError):  # an orphaned worker goes on
                READERS[path.suffix](path)


def tracked(folder):
    """The runs of the database, once ``xaiexp repair`` has ended those of dead processes."""
    assert start(folder, ["repair"]).wait(timeout=120) == 0
    client = client_at(embedded_uri(folder / "outputs"))
    return client.search_runs([client.get_experiment_by_name("xaiexp").experiment_id], max_results=5000)


def require_tracked_once(folder, seeds):
    """Every study and every cell has one run, and none is running."""
    runs = tracked(folder)
    names = {run.info.run_id: run.info.run_name for run in runs}
    parents = Counter(run.info.run_name for run in runs if "mlflow.parentRunId" not in run.data.tags)
    assert parents == {f"digits_mlp on digits, seed {seed}": 1 for seed in range(seeds)}
    cells = Counter(
        (names[run.data.tags["mlflow.parentRunId"]], run.info.run_name)
        for run in runs
        if "mlflow.parentRunId" in run.data.tags
    )
    assert set(cells.values()) == {1}
    assert len(cells) == len(METHODS) * seeds
    assert {run.info.status for run in runs} == {"FINISHED"}


def end(process, way):
    """Send the signal of this name to a process; Ctrl-C reaches all processes of its group."""
    with contextlib.suppress(ProcessLookupError):
        if way == "Ctrl-C":
            os.killpg(process.pid, SIGNALS[way])
        else:
            process.send_signal(SIGNALS[way])
    process.wait(timeout=120)


def kill_a_worker(process):
    """Kill the child that uses most memory: loky's worker, not its resource tracker. False where there is none yet."""
    with contextlib.suppress(ValueError, psutil.NoSuchProcess):
        workers = [child for child in psutil.Process(process.pid).children() if child.memory_info().rss > 100e6]
        max(workers, key=lambda child: child.memory_info().rss).kill()
        return True
    return False


def wait_for_orphans(folder, seconds=120):
    """Wait until no process works in a folder: a worker whose parent was killed ends after its job."""
    until = time.monotonic() + seconds
    while at_work(folder):
        assert time.monotonic() < until, at_work(folder)
        time.sleep(0.2)


def at_work(folder):
    """The command lines of the processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.cmdline())
    return found


@dataclass(frozen=True)
class Kill:
    """A kill: its way and moment, and how many objects lay in the store after it."""

    way: str
    moment: str
    objects: int


class KilledSweep:
    """A sweep that is started, killed and started again, as often as asked, while its files are checked.

    Args:
        folder: of the sweeps; one that finishes before it was killed often enough is followed by another one.
        undisturbed: a folder with the finished sweep to compare with.
        seeds: number of studies.
        more: further words of the line.
        ways: of killing it, which take turns.
    """

    def __init__(self, folder: Path, undisturbed: Path, seeds: int, more: list[str], ways: list[str]) -> None:
        self.root, self.undisturbed, self.seeds, self.words, self.ways = folder, undisturbed, seeds, more, ways
        self.draw, self.kills, self.before, self.sweeps = random.Random(7), list[Kill](), dict[str, int](), 0

    def survive(self, count: int) -> None:
        """Kill it so many times, then let it finish, and require all that has to hold."""
        while len(self.kills) < count:
            self.sweeps += 1
            self.before = {}
            folder = self.root / str(self.sweeps)
            folder.mkdir(parents=True)
            words = line(self.seeds, *self.words)
            process = start(folder, words)
            while len(self.kills) < count and self._reached(folder, process):
                going_on = self._killed(folder, process)
                self._require_kept(folder)
                if not going_on:
                    if finished(folder):  # killed on its way out: the same line would be a new sweep
                        break
                    process = start(folder, words)
            assert process.wait(timeout=3000) == 0 or finished(folder), (folder / "log").read_text()[-5000:]
            self._require_kept(folder)
            require_whole(folder)
            require_equal(folder, self.undisturbed)
            require_tracked_once(folder, self.seeds)
            assert not list(only_sweep(folder).rglob(".*owner*"))

    def _next(self):
        """Way and moment of the next kill."""
        turn, way = divmod(len(self.kills), len(self.ways))
        return self.ways[way], MOMENTS[turn % len(MOMENTS)]

    def _reached(self, folder, process):
        """Wait for the moment of the next kill; False where the sweep finished before."""
        _, moment = self._next()
        if moment == MOMENTS[0]:
            written, until = len(objects(folder)), time.monotonic() + 600
            while len(objects(folder)) == written and process.poll() is None and time.monotonic() < until:
                time.sleep(0.01)
            wait = self.draw.uniform(0, 0.3)
        else:
            wait = self.draw.uniform(0, 25)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=wait)
        return process.poll() is None

    def _killed(self, folder, process):
        """Kill it; returns whether it goes on, since only a worker of it died."""
        way, moment = self._next()
        if way == WORKER:
            while not kill_a_worker(process) and process.poll() is None:
                time.sleep(0.05)
        else:
            end(process, way)
        self.kills.append(Kill(way, moment, len(objects(folder))))
        self._say(self.kills[-1])
        if way == WORKER:
            return True
        require_whole(folder)
        if len(self.kills) % 10 == 0 and (folder / "outputs" / "mlflow.db").exists():
            wait_for_orphans(folder)
            assert "RUNNING" not in {run.info.status for run in tracked(folder)}
        return False

    def _require_kept(self, folder):
        """No object was written again, and none is gone."""
        now = objects(folder)
        assert {name: now.get(name) for name in self.before} == self.before
        self.before = now

    def _say(self, kill):
        number = f"{len(self.kills)} in sweep {self.sweeps}"
        print(f"kill {number}: {kill.way} {kill.moment}, {kill.objects} objects", flush=True)  # noqa: T201  # figures for benchmarks/README.md

    def table(self) -> str:
        """The kills by way and moment, as Markdown."""
        rows = ["| kill | after a further object | at any moment |", "|---|---|---|"]
        for way in self.ways:
            counts = [sum((k.way, k.moment) == (way, moment) for k in self.kills) for moment in MOMENTS]
            rows.append(f"| {way} | {counts[0]} | {counts[1]} |")
        return "\n".join(rows)
