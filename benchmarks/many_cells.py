"""What cells cost beyond their passes: studies of many cells on 64 examples, at equal work in the network.

A study of ``digits_mlp`` on 64 examples; each cell is SmoothGrad with one noisy copy and a noise level of its own, so
that all maps differ and cost one pass. Metrics and agreements are those of the default study, the page is written,
nothing is tracked. Every size runs in a process of its own, after a study of two cells that pays for imports, training
and start-up.

``seconds``: processor time; ``passes``: of it, inside the network; ``beyond``: the rest. ``memory_mb``: how much the
largest resident size grew.

    uv run python benchmarks/many_cells.py [--quick] [--profile] [CELLS ...]
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SIZES = (25, 100, 200, 400)
EXAMPLES = 64


def overrides(cells: int) -> list[str]:
    """The command line of a study with this many cells."""
    words = ["model=digits_mlp", f"examples={EXAMPLES}", "baseline=[zero]", "method=[]", "tracking.uri=off"]
    for i in range(cells):
        label = f"m{i:03d}"
        words += [f"+method@method.{label}=smooth_grad", f"method.{label}.n_samples=1"]
        words += [f"method.{label}.noise_level={0.001 * (i + 1):.3f}"]
    return words


def one_size(cells: int, profile: bool) -> dict[str, object]:
    """Run one study in this process, in an empty folder."""
    import torch

    from xaiexp.api.run import run
    from xaiexp.inference.pass_engine import PassEngine

    torch.set_num_threads(1)
    inside = 0.0
    original = PassEngine._retried

    def timed(*args: Any, **kwargs: Any) -> Any:
        nonlocal inside
        started = time.process_time()
        try:
            return original(*args, **kwargs)
        finally:
            inside += time.process_time() - started

    PassEngine._retried = timed  # type: ignore[method-assign]
    quiet = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        os.chdir(folder)
        run(overrides(2))
        memory, inside = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0.0
        started = time.process_time()
        if profile:
            import cProfile
            import pstats

            with cProfile.Profile() as profiler:
                run(overrides(cells))
        else:
            run(overrides(cells))
        seconds = time.process_time() - started
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        page = next(p.stat().st_size for p in sorted(Path("outputs").glob("*/*/report.html"))[-1:])
        os.chdir("/")
    if profile:
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("cumtime").print_stats(90)
    return {
        "cells": cells,
        "examples": EXAMPLES,
        "seconds": round(seconds, 2),
        "passes": round(inside, 2),
        "beyond": round(seconds - inside, 2),
        "memory_mb": round(grown / 1024),
        "page_mb": round(page / 1e6, 2),
    }


def rows(quick: bool) -> list[dict[str, object]]:
    """A row for each number of cells."""
    found = []
    for cells in SIZES[:2] if quick else SIZES:
        line = [sys.executable, str(Path(__file__).resolve()), "--one", str(cells)]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return found


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    if "--one" in sys.argv or numbers:
        for number in numbers:
            print(json.dumps(one_size(number, "--profile" in sys.argv)))
    else:
        print(json.dumps(rows("--quick" in sys.argv), indent=1))
