"""Mutation testing: which small changes of the code does no test notice?

    uv run python benchmarks/mutations.py [--rooms ROOM,...] [--sample N] [--seed N] [--jobs N] [--only FILE:LINE]

A seeded sample of mutants (``mutation_operators.py``; about in proportion to the lines of a room, at least 20 a room,
at most one a line) is run against the tests that execute the changed statement, those of the room before others and
quick ones first, until one fails (killed), all pass (survived) or the time is over (killed). Which test executes
which line is measured once and kept until a file changes. A mutant gets ``--budget`` CPU seconds of tests; what does
not fit is not run, nor are the tests of built-in components: a survivor may be noticed by them, so the rate is a
lower bound. Tests that fail without a mutant are named and left out. Copies of the checkout are changed, never
itself. Exit code 1 if a mutant survived.

Of the maintained tools, mutmut 3.8 changes no decorated functions and no fields of classes, and has no seeded sample;
cosmic-ray 8.7 starts Python, and so imports torch, once a mutant. Here a process that has imported torch is forked.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutation_operators import Mutant, mutants

ROOT = Path(__file__).parents[1]
ROOMS = ("plan", "engine", "store", "contract", "config", "tracking", "results", "cli")
TESTS = (*ROOMS, "api", "core", "report", "test_plugin.py")
PRELOADED = (
    "torch",
    "torchvision",
    "transformers",
    "mlflow",
    "pytest",
    "hypothesis",
    "hydra",
    "pandas",
    "sklearn",
    "scipy.stats",
)
LEAST, GRACE = 20, 20  # mutants of a room; CPU seconds beside the tests
SLOWEST = 10  # seconds of the clock a CPU second, for what waits for ever
OPTIONS = ("-q", "-p", "no:xdist", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", "-m", "not heavy")
PRELOADED_ASSERTS = "ignore::pytest.PytestAssertRewriteWarning"  # Hydra's plugin of pytest is imported already
PHASE = re.compile(r"( \((setup|call|teardown)\)|\|(setup|run|teardown))$")
CONTEXTS = "[run]\nsource_pkgs = %s\nparallel = true\ncontext = ${PYTEST_CURRENT_TEST-}\ndata_file = %s\n"


@dataclass(frozen=True)
class Chosen:
    """A mutant of a file, relative to the checkout."""

    file: str
    mutant: Mutant

    @property
    def room(self) -> str:
        return Path(self.file).parts[1]

    def __str__(self) -> str:
        return f"{self.file}:{self.mutant.line}: {self.mutant.mutation}"


@dataclass(frozen=True)
class Measured:
    """What one run of the tests without a mutant showed."""

    seconds: Mapping[str, float]
    """CPU seconds of each test that passed; those of the clock depend on what else the machine does."""
    failed: Sequence[str]
    lines: Mapping[str, Mapping[int, Sequence[str]]]
    """File to line to the tests that execute it."""

    def tests(self, chosen: Chosen, budget: float) -> list[str]:
        """The tests to run, in order, within a budget of seconds."""
        lines = self.lines.get(chosen.file, {})
        inside = [tests for line, tests in lines.items() if chosen.mutant.at_import or line in chosen.mutant.lines]
        own = f"tests/{chosen.room}/"
        every = sorted(
            {test for tests in inside for test in tests if test in self.seconds},
            key=lambda test: (not test.startswith(own), self.seconds[test]),
        )
        used, taken = 0.0, []
        for test in every:
            used += self.seconds[test]
            if used > budget and taken:
                break
            taken.append(test)
        return taken


class Recorder:
    """A pytest plugin that writes the CPU seconds of the tests that passed, and the names of those that failed."""

    def __init__(self, timings: Path) -> None:
        self.timings = timings
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()
        self.passed: set[str] = set()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.seconds[nodeid] -= sum(os.times()[:4])  # of this process and of the ended ones that it started

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] += sum(os.times()[:4])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        seconds = {test: self.seconds[test] for test in sorted(self.passed - self.failed)}
        self.timings.write_text(json.dumps([seconds, sorted(self.failed)]))


class Selection:
    """A pytest plugin that runs the given tests only, in the given order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.places = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted((i for i in items if i.nodeid in self.places), key=lambda i: self.places[i.nodeid])


def sample(rooms: Sequence[str], size: int, seed: int, root: Path) -> list[Chosen]:
    """A sample that changes only where the code changes: mutants are ordered by a hash of themselves and the seed."""
    sources = {
        room: {str(file.relative_to(root)): file.read_text() for file in sorted((root / "xaiexp" / room).rglob("*.py"))}
        for room in rooms
    }
    lines = {room: sum(text.count("\n") for text in files.values()) for room, files in sources.items()}
    taken = []
    for room, files in sources.items():
        drawn = []
        for file, text in files.items():
            statements = text.splitlines()
            for mutant in mutants(text):
                words = (str(seed), file, statements[mutant.line - 1].strip(), mutant.mutation, str(mutant.column))
                drawn.append((hashlib.sha256("\0".join(words).encode()).digest(), Chosen(file, mutant)))
        used: set[tuple[str, int]] = set()
        for _, chosen in sorted(drawn, key=lambda pair: pair[0]):
            if len(used) == max(LEAST, round(size * lines[room] / sum(lines.values()))):
                break
            if (chosen.file, chosen.mutant.line) not in used and compiles(chosen.mutant.source):
                used.add((chosen.file, chosen.mutant.line))
                taken.append(chosen)
    return taken


def tracked(root: Path) -> list[str]:
    """The files of a checkout, new ones included, ignored ones not."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(name for name in set(names) if name and (root / name).is_file())


def compiles(source: str) -> bool:
    try:
        compile(source, "<mutant>", "exec")
    except SyntaxError:
        return False
    return True


class Slot:
    """A copy of the checkout in which one process at a time runs tests."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        self.tree, self.scratch, self.log = folder / "tree", folder / "scratch", folder / "log"
        self.timings = folder / "timings.json"
        shutil.rmtree(folder, ignore_errors=True)
        for name in tracked(root):
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, self.tree / name)

    def write(self, chosen: Chosen) -> None:
        (self.tree / chosen.file).write_text(chosen.mutant.source)
        self._forget(chosen)

    def restore(self, chosen: Chosen) -> None:
        shutil.copy2(self.root / chosen.file, self.tree / chosen.file)
        self._forget(chosen)

    def _forget(self, chosen: Chosen) -> None:
        """A changed file of the same size and second would be taken for the compiled one."""
        file = self.tree / chosen.file
        for compiled in file.parent.glob(f"__pycache__/{file.stem}.*.pyc"):
            compiled.unlink()

    def measure(self, files: Sequence[str]) -> int:
        """The id of a process that runs files of tests without a mutant and writes ``timings`` and coverage."""
        rooms = ",".join(f"xaiexp.{room}" for room in ROOMS if (self.tree / "xaiexp" / room).is_dir())
        configuration = self.folder / "coveragerc"
        configuration.write_text(CONTEXTS % (rooms, self.folder / "coverage"))
        coverage = ("--cov", "--cov-context=test", "--cov-report=", f"--cov-config={configuration}")
        environment = {"COVERAGE_PROCESS_START": str(configuration)}  # for subprocesses of tests
        return self.start(files, *coverage, plugin=Recorder(self.timings), environment=environment)

    def start(
        self,
        tests: Sequence[str],
        *options: str,
        plugin: object,
        environment: Mapping[str, str] = {},
        limit: int | None = None,
    ) -> int:
        """The id of a forked process that runs pytest and exits with its exit code."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        if (models := self.folder.parent / "models").is_dir():
            shutil.copytree(models, self.scratch)  # networks that tests/conftest.py would train
        self.scratch.mkdir(exist_ok=True)
        sys.stdout.flush()
        if pid := os.fork():
            return pid
        code = 70
        try:
            os.setsid()  # so that what the tests started ends with them
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 9))
            with self.log.open("w") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            os.chdir(self.tree)
            sys.path.insert(0, str(self.tree))
            os.environ.update(PYTHONPATH=str(self.tree), TMPDIR=str(self.scratch))
            os.environ.setdefault("XAIEXP_KIT", str(self.root.parent / "shared" / "kit"))
            os.environ.update(environment)
            tempfile.tempdir = None
            pytest = importlib.import_module("pytest")
            code = int(
                pytest.main(
                    [*OPTIONS, "-W", PRELOADED_ASSERTS, f"--rootdir={self.tree}", *options, *tests], plugins=[plugin]
                )
            )
        except BaseException as error:  # what a mutant raises must not unwind into the parent's code
            print(repr(error), flush=True)
        finally:
            sys.stdout.flush()
            os._exit(code)


def measure(work: Path, root: Path, jobs: int) -> Measured:
    """Runs all tests once, unless that was done with the same files."""
    digest = hashlib.sha256()
    for name in tracked(root):
        if name.startswith(("xaiexp/", "tests/", "conf/", "pyproject.toml")):
            digest.update(f"{name}\0".encode() + (root / name).read_bytes())
    kept = work / f"measured-{digest.hexdigest()[:16]}.json"
    if not kept.is_file():
        seconds: dict[str, float] = {}
        failed: list[str] = []
        lines: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        files = [name for name in tracked(root) if re.match(rf"tests/({'|'.join(TESTS)})", name)]
        files = [name for name in files if Path(name).name.startswith("test_")]
        slots = [Slot(work / f"measure{number}", root) for number in range(jobs)]
        running = [slot.measure(files[number::jobs]) for number, slot in enumerate(slots)]
        for pid, slot in zip(running, slots, strict=True):
            os.waitpid(pid, 0)
            if not slot.timings.is_file():
                raise SystemExit(f"the tests could not be run:\n{slot.log.read_text()[-3000:]}")
            own = json.loads(slot.timings.read_text())
            seconds.update(own[0])
            failed.extend(own[1])
            for file, line, tests in executed(slot.folder / "coverage", slot.tree):
                lines[file][line].extend(tests)
            for trained in slot.scratch.glob("xaiexp-tests-*-models"):
                shutil.copytree(trained, work / "models" / trained.name, dirs_exist_ok=True)
        kept.write_text(json.dumps([seconds, failed, lines]))
    seconds, failed, read = json.loads(kept.read_text())
    return Measured(
        seconds, failed, {file: {int(line): tests for line, tests in of.items()} for file, of in read.items()}
    )


def executed(data: Path, tree: Path) -> Iterator[tuple[str, int, set[str]]]:
    """File, line and the tests that execute it, those in subprocesses of tests included."""
    from coverage import CoverageData

    found = CoverageData(str(data))
    found.read()
    for file in found.measured_files():
        for line, contexts in found.contexts_by_lineno(file).items():
            yield str(Path(file).relative_to(tree)), line, {PHASE.sub("", context) for context in contexts if context}


def outcomes(
    every: Sequence[Chosen], measured: Measured, jobs: int, budget: float, work: Path, root: Path
) -> list[str]:
    """``killed``, ``timed out``, ``survived`` or ``no test``, for each mutant."""
    found = ["no test"] * len(every)
    free = [Slot(work / f"slot{number}", root) for number in range(jobs)]
    waiting = [place for place, chosen in enumerate(every) if measured.tests(chosen, budget)]
    running: dict[int, tuple[int, Slot, float]] = {}
    done = 0
    while waiting or running:
        while waiting and free:
            place, slot = waiting.pop(0), free.pop()
            chosen = every[place]
            tests = measured.tests(chosen, budget)
            slot.write(chosen)
            limit = GRACE + 4 * math.ceil(sum(measured.seconds[test] for test in tests))
            files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
            pid = slot.start(files, "-x", plugin=Selection(tests), limit=limit)
            running[pid] = (place, slot, time.monotonic() + SLOWEST * limit)
        time.sleep(0.05)
        for pid, (place, slot, deadline) in list(running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            late = time.monotonic() > deadline
            if not ended and not late:
                continue
            if late and not ended:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                found[place] = "timed out"
            else:
                code = os.waitstatus_to_exitcode(status)  # 5: its tests were not collected, none failed
                found[place] = {0: "survived", 5: "survived", -signal.SIGXCPU: "timed out"}.get(code, "killed")
            slot.restore(every[place])
            free.append(slot)
            del running[pid]
            done += 1
            print(f"{done}/{len(every)} {found[place]}: {every[place]}", file=sys.stderr, flush=True)
    return found


def table(every: Sequence[Chosen], found: Sequence[str]) -> str:
    """One row a room, and all."""
    counts: dict[str, list[str]] = defaultdict(list)
    for chosen, outcome in zip(every, found, strict=True):
        counts[chosen.room].append(outcome)
    rows = ["| room | mutants | killed | of these timed out | survived | kill rate |", "|---|---|---|---|---|---|"]
    for room, own in (*counts.items(), ("all", list(found))):
        late, killed = own.count("timed out"), own.count("timed out") + own.count("killed")
        rows.append(f"| {room} | {len(own)} | {killed} | {late} | {len(own) - killed} | {killed / len(own):.0%} |")
    return "\n".join(rows)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", default=",".join(ROOMS), help="folders of the package, separated by commas")
    parser.add_argument("--sample", type=int, default=320, help="number of mutants (default: 320)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    parser.add_argument("--only", metavar="FILE:LINE", help="all mutants of one line in place of a sample")
    parser.add_argument("--budget", type=float, default=20.0, help="CPU seconds of tests a mutant (default: 20)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time (default: 1)")
    default = Path(tempfile.gettempdir()) / f"xaiexp-mutations-{os.getuid()}"
    parser.add_argument("--work", type=Path, default=default, help="folder of copies, timings and results")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout (default: this one)")
    asked = parser.parse_args(words)
    root, work = asked.root.resolve(), asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if asked.only:
        file, _, line = asked.only.rpartition(":")
        every = [Chosen(file, mutant) for mutant in mutants((root / file).read_text()) if mutant.line == int(line)]
    else:
        every = sample(asked.rooms.split(","), asked.sample, asked.seed, root)
    if not every:
        raise SystemExit(f"{asked.only or asked.rooms}: there is nothing to change")
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in PRELOADED:
        importlib.import_module(name)
    began = time.monotonic()
    measured = measure(work, root, asked.jobs)
    print(f"{len(measured.seconds)} tests, measured in {time.monotonic() - began:.0f} s")
    for test in measured.failed:
        print(f"left out, fails without a mutant: {test}")
    began = time.monotonic()
    found = outcomes(every, measured, asked.jobs, asked.budget, work, root)
    survivors = [f"- {chosen} ({outcome})" for chosen, outcome in zip(every, found, strict=True) if outcome[0] in "sn"]
    text = "\n".join((table(every, found), "", *survivors))
    print(f"{text}\n{len(every)} mutants in {time.monotonic() - began:.0f} s, {asked.jobs} at a time")
    (work / "survivors.md").write_text(text + "\n")
    return int(bool(survivors))


if __name__ == "__main__":
    sys.exit(main())
