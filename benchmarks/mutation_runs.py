"""Tests of a checkout in copies of it: which test executes which line, and whether a test notices a mutant."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutation_operators import Mutant

ROOMS = ("plan", "engine", "store", "contract", "config", "tracking", "results", "cli")
TESTS = (*ROOMS, "api", "core", "report", "test_plugin.py")
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


def tracked(root: Path) -> list[str]:
    """The files of a checkout, new ones included, ignored ones not."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(name for name in set(names) if name and (root / name).is_file())


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
        # A virtual environment of its own whose path starts with the copy: tests start Python with another PYTHONPATH.
        venv.create(folder / "venv", with_pip=False)
        self.python = folder / "venv" / "bin" / "python"
        (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
        ours = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        (packages / "tree.pth").write_text(f"{self.tree}\n{ours}")

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
            sys.executable = str(self.python)
            os.environ["TMPDIR"] = str(self.scratch)
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
        if not Path(file).is_relative_to(tree):
            continue  # a test that starts a process without its environment, which sees no mutant either
        for line, contexts in found.contexts_by_lineno(file).items():
            yield str(Path(file).relative_to(tree)), line, {PHASE.sub("", context) for context in contexts if context}
