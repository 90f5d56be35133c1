"""Reading a large table: ``uv run python benchmarks/large_csv.py [ROWS]``.

Generates a CSV file (500,000 rows: ten columns of numbers, two of words, a label) and measures, in one process that has
run a small study before (so that nothing is left to import): pandas' own reading of the file; opening ``dataset=csv``
and reading 8 examples; and a study of 8 examples, whose network is trained on three quarters of the rows. CPU seconds
of the process, also relative to pandas, and the peak of the resident memory above that before.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

import xaiexp
from xaiexp.builtin.datasets.csv_table import Csv

EXAMPLES = 8


def write_table(path: Path, rows: int) -> None:
    random = np.random.default_rng(0)
    columns: dict[str, object] = {f"x{i}": random.normal(10 * i, 1 + i, rows).round(4) for i in range(10)}
    columns["colour"] = random.choice(["red", "green", "blue", "white"], rows)
    columns["town"] = random.choice([f"town {i}" for i in range(12)], rows)
    columns["label"] = np.where(columns["x0"] + (columns["colour"] == "red") > 0.5, "yes", "no")
    pd.DataFrame(columns).to_csv(path, index=False)


def measured(act: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds, and peak memory in MB above that before."""
    process = psutil.Process()
    before = peak = process.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.process_time()
    try:
        act()
    finally:
        seconds = time.process_time() - started
        done.set()
        watcher.join()
    return seconds, (peak - before) / 1e6


def read_examples(path: Path) -> None:
    dataset = Csv(str(path), "label")
    dataset.outline()
    dataset.open().read(0, EXAMPLES)


def study(path: Path) -> None:
    words = ["model=tabular_mlp", "dataset=csv", f"dataset.path={path}", "dataset.label_column=label"]
    words += [f"examples={EXAMPLES}", "method=[saliency]", "metric=[]", "agreement=[]", "baseline=[zero]"]
    xaiexp.run([*words, "tracking.uri=off", "report=false"], quiet=True)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.csv"), Path(folder, "large.csv")
        write_table(small, 400)
        write_table(large, rows)
        study(small)
        measurements = {
            "pandas.read_csv": measured(lambda: pd.read_csv(large)),
            f"dataset=csv, {EXAMPLES} examples": measured(lambda: read_examples(large)),
            "study with model=tabular_mlp": measured(lambda: study(large)),
        }
        size = large.stat().st_size / 1e6
    by_pandas = measurements["pandas.read_csv"][0]
    print(f"{rows:,} rows, {size:.0f} MB\n{'':34} CPU s  / pandas   peak MB")
    for name, (seconds, memory) in measurements.items():
        print(f"{name:34} {seconds:5.2f} {seconds / by_pandas:9.2f} {memory:9.0f}")


if __name__ == "__main__":
    main()
