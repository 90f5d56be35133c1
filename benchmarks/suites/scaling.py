"""How time and memory of a study grow with its examples and its cells, and with two processes in place of one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

__all__ = ["rows"]

_STUDY = """
import json, resource, sys, time, xaiexp
started = time.process_time()
result = xaiexp.run(["model=digits_mlp", "tracking.uri=off", "report=false", *sys.argv[1:]], quiet=True)
passes = result.record["passes"]
print(json.dumps([time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                  len(result.cells), passes["attributions"]["forward"] + passes["attributions"]["backward"]]))
"""


def _measured(*words: str) -> tuple[float, float, int, int]:
    """Processor seconds, MB, cells and passes of a study in a process of its own."""
    import json

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", _STUDY, *words], cwd=folder, check=True, capture_output=True, text=True
        )
    seconds, memory, cells, passes = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), float(memory), int(cells), int(passes)


def rows(quick: bool) -> list[dict[str, object]]:
    """A row for each size."""
    found: list[dict[str, object]] = []
    many = "dataset=shapes", "model=shapes_cnn", "method=[saliency,random]", "metric=[deletion]", "agreement=[spearman]"
    for examples in (64, 256) if quick else (64, 256, 1024, 4096):
        words = (*many, f"dataset.count={examples}", f"examples={examples}")
        seconds, memory, cells, passes = _measured(*words)
        found.append(_row(f"{examples} examples", seconds, memory, cells, passes))
    for labels in (2, 20) if quick else (2, 20, 100, 200):
        seeds = [f"+method@method.n{i}=random" for i in range(2 * labels - 1)]
        words = ("method=[saliency]", "metric=[sparseness,deletion]", "agreement=[spearman]", "examples=16", *seeds)
        seconds, memory, cells, passes = _measured(*words, "null_draws=0")
        found.append(_row(f"{2 * labels} cells", seconds, memory, cells, passes))
    found += _processes(quick)
    return found


def _row(what: str, seconds: float, memory: float, cells: int, passes: int) -> dict[str, object]:
    return {
        "study": what,
        "processor, s": round(seconds, 2),
        "peak, MB": round(memory),
        "cells": cells,
        "passes": passes,
    }


def _processes(quick: bool) -> list[dict[str, object]]:
    """A sweep of four studies in one process and, by joblib, in two: seconds of the clock."""
    words = ["-m", "seed=0,1,2,3", "examples=64", "tracking.uri=off", "method=[integrated_gradients,occlusion]"]
    found: list[dict[str, object]] = []
    for launcher in ("basic",) if quick else ("basic", "joblib"):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "xaiexp", *words, f"hydra/launcher={launcher}"],
                cwd=folder,
                check=True,
                capture_output=True,
            )
            found.append({"study": f"4 studies, {launcher}", "clock, s": round(time.perf_counter() - started, 2)})
    return found
