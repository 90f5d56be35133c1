"""The program in an empty folder: ``--help``, the default study, the same again. Seconds of the clock."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time

from benchmarks.suites.measuring import spread

__all__ = ["rows"]


def rows(quick: bool, repeats: int = 5) -> list[dict[str, object]]:
    """A row for each command."""
    commands = {"xaiexp --help": ["--help"], "xaiexp, in an empty folder": [], "the same again": []}
    clock: dict[str, list[float]] = {name: [] for name in commands}
    processor: dict[str, list[float]] = {name: [] for name in commands}
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(1 if quick else repeats):
        with tempfile.TemporaryDirectory() as folder:
            for name, words in commands.items():
                before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
                subprocess.run(
                    [sys.executable, "-m", "xaiexp", *words],
                    cwd=folder,
                    env=environment,
                    check=True,
                    capture_output=True,
                )
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                clock[name].append(time.perf_counter() - started)
                processor[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return [
        {"command": name, "clock, s": spread(clock[name]), "processor, s": spread(processor[name])} for name in commands
    ]
