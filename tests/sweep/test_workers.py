"""Workers of a launcher that die in the middle of a job end no sweep."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from trained_networks import trained_networks

import xaiexp
from xaiexp.sweep.workers import died

MORTAL = '''
import os, signal
from dataclasses import dataclass
from pathlib import Path
from xaiexp.plugin import Cost, Method, hookimpl

@dataclass(frozen=True)
class Mortal(Method):
    """The gradient; a process that computes it with the fatal seed is killed, as often as the file has letters."""
    name = "mortal"
    summary = "the gradient"
    source = "made up"
    needs = frozenset({"gradients"})
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = False
    fatal: int = 0

    def attribute(self, model, batch, reference, rng):
        file = Path("lives")
        letters = file.read_text()
        if self.fatal == 1 and letters:
            file.write_text(letters[1:])
            os.kill(os.getpid(), signal.SIGKILL)
        return model.gradients()

    def passes(self, shape, d):
        return Cost(1, 1)

@hookimpl
def xaiexp_components():
    return [Mortal]
'''
LINE = [
    "-m", "model=digits_mlp", "+method@method.m=mortal", "metric=[sparseness]", "baseline=[zero]",
    "method=[random]", "method.m.fatal=0,1,2", "examples=4", "tracking.uri=off", "report=false",
]  # fmt: skip


def program(place, words):
    return subprocess.run(
        [sys.executable, "-m", "xaiexp", *words],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


@pytest.fixture
def place(tmp_path):
    """A folder to work in, where a plugin is installed that kills its process."""
    (tmp_path / "xaiexp_mortal.py").write_text(MORTAL)
    info = tmp_path / "xaiexp_mortal-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: xaiexp-mortal\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[xaiexp]\nmortal = xaiexp_mortal\n")
    models = tmp_path / "outputs" / "store" / "models"
    models.parent.mkdir(parents=True)
    models.symlink_to(trained_networks(), target_is_directory=True)
    return tmp_path


def studies(place):
    (sweep,) = Path(place, "outputs/multirun").glob("*/*")
    assert not list(sweep.rglob(".*owner.json"))
    return sweep, {name: study.record["status"] for name, study in xaiexp.load(sweep).studies.items()}


LAUNCHERS = {
    "joblib": ("hydra_plugins.hydra_joblib_launcher", ["hydra/launcher=joblib"]),
    "submitit": ("hydra_plugins.hydra_submitit_launcher", ["hydra/launcher=slurm_local"]),
}


@pytest.mark.heavy
@pytest.mark.timeout(900)
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_worker_that_dies_once_costs_nothing_but_its_chunk(place, launcher):
    package, words = LAUNCHERS[launcher]
    pytest.importorskip(package)
    (place / "lives").write_text("x")
    ran = program(place, [*LINE, *words])
    assert ran.returncode == 0, ran.stderr
    assert "a worker of the launcher died" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "3 of 3 studies done\n" in ran.stdout
    assert studies(place)[1] == dict.fromkeys("012", "done")


@pytest.mark.timeout(900)
def test_a_job_that_ends_its_worker_again_and_again_is_given_up_alone(place):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    (place / "lives").write_text("xxx")
    ran = program(place, [*LINE, "hydra/launcher=joblib"])
    assert ran.returncode == 1
    assert "  1 is given up in this sweep: 2 workers died while they ran it\n" in ran.stderr
    assert ran.stderr.count("is given up") == 1
    assert "Traceback" not in ran.stderr
    assert "2 of 3 studies done; the same line continues it\n" in ran.stdout
    (place / "lives").write_text("")
    ran = program(place, [*LINE, "hydra/launcher=joblib"])
    assert ran.returncode == 0, ran.stderr
    assert "3 studies: 2 done, 1 cut off" in ran.stderr
    assert studies(place)[1] == dict.fromkeys("012", "done")


def test_what_is_no_death_of_a_worker_is_not_tried_again():
    from concurrent.futures.process import BrokenProcessPool

    assert died(BrokenProcessPool())
    assert not died(RuntimeError("no partition of this name"))


ORPHAN = """
import os, sys, time
if "late" in sys.argv:  # its first job begins when the launching process has ended
    print("starts", flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.05)
from xaiexp.sweep.workers import at_work
with at_work():
    if "late" not in sys.argv:
        print("ran", flush=True)
reader, writer = os.pipe()
os.write(writer, bytes(2_000_000))  # as a result that nobody reads
"""
LAUNCHING = """
import subprocess, sys
from xaiexp.sweep.workers import _named_as_launcher
with _named_as_launcher():
    child = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
    child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("begin", ["before", "late"])
def test_a_worker_without_a_job_ends_when_the_process_that_launched_it_ends(begin):
    command = [sys.executable, "-c", LAUNCHING, ORPHAN, begin]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as launching:
        worker = psutil.Process(int(launching.stdout.readline()))
        assert worker.is_running()
        launching.kill()
    assert not psutil.wait_procs([worker], timeout=60)[1]
