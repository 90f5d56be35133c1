"""All measurements that compare xaiexp with its peers and with its own passes, written to ``benchmarks/RESULTS.md``.

    uv run --group bench python -m benchmarks [--quick] [SUITE ...]

One thread and processor time; ours and peers alternate in one process. ``--quick`` measures a part once. Suites that
are not named keep the results of their last run.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

SUITES = {
    "reference": ("The reference study against Captum and Quantus", "benchmarks.suites.reference"),
    "cheaper": ("Cells with cheaper passes against plain passes", "benchmarks.suites.cheaper"),
    "methods": ("Methods against their passes and Captum", "benchmarks.suites.methods"),
    "shapley": ("Error of Shapley values at equal passes, against shap", "benchmarks.shapley_error"),
    "cells": ("Many cells", "benchmarks.many_cells"),
    "startup": ("Start", "benchmarks.suites.startup"),
    "scaling": ("Growth with examples, cells and processes", "benchmarks.suites.scaling"),
}
REPEATED = ("reference", "cheaper", "methods", "startup")
PACKAGES = ("xaiexp", "torch", "captum", "quantus", "shap", "numpy", "scipy")
HERE = Path(__file__).parent


def machine() -> dict[str, str]:
    """What the figures depend on."""
    import torch

    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
        device = next(
            (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
        )
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} not installed")
    return {
        "device": f"{device}, {os.cpu_count()} cores, {torch.get_num_threads()} thread",
        "load": ", ".join(f"{each:.1f}" for each in os.getloadavg()),
        "versions": ", ".join([f"Python {platform.python_version()}", *versions]),
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [columns, ["---"] * len(columns), *[[str(row.get(column, "")) for column in columns] for row in rows]]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def page(results: dict[str, Any]) -> str:
    """``RESULTS.md``."""
    parts = [
        "# Results",
        "",
        "Written by `uv run --group bench python -m benchmarks`; `benchmarks/README.md` explains the measurements.",
        "",
    ]
    for name, (title, _) in SUITES.items():
        if name in results:
            about = results[name]["machine"]
            where = f"{about['date']}, {about['device']}, load {about['load']}; {about['versions']}."
            took = [f"Median and range of {results[name]['repeats']}."] if name in REPEATED else []
            took += ["A part of the suite."] if results[name]["quick"] else []
            parts += [f"## {title}", "", " ".join([where, *took]), "", table(results[name]["rows"]), ""]
    return "\n".join(parts)


def main() -> None:
    """Run the suites that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", choices=[*SUITES, []], metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--quick", action="store_true", help="a part of each, measured once")
    parser.add_argument("--repeats", type=int, default=5, help="of what is measured several times (5)")
    asked = parser.parse_args()
    kept = HERE / "results.json"
    results: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for name in asked.suites or SUITES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        suite = importlib.import_module(SUITES[name][1])
        repeats = 1 if asked.quick else asked.repeats
        rows = suite.rows(asked.quick, repeats) if name in REPEATED else suite.rows(asked.quick)
        results[name] = {"machine": machine(), "quick": asked.quick, "repeats": repeats, "rows": rows}
        kept.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        (HERE / "RESULTS.md").write_text(page(results), encoding="utf-8")
        print(table(rows))


if __name__ == "__main__":
    main()
