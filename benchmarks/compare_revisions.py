"""Runs the same studies under two revisions of the code and compares their tables bit for bit, and their passes.

    uv run python benchmarks/compare_revisions.py REVISION [--kit DIR]

REVISION is checked out into a temporary folder; the other side is this checkout. Both run with the same interpreter, on
one thread, with stores of their own. Times, memory and the keys of the store are not compared. The text study needs the
kit of real models (``../shared/kit``, or ``--kit``); the table and the series study use bundled and generated data.
Exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
NOT_COMPARED = ("seconds", "peak_memory_bytes", "key", "reason")
TABLES = ("cells.parquet", "scores.parquet", "agreement.parquet", "summary.csv", "verdicts.csv", "comparisons.csv")


def studies(kit: Path, scratch: Path) -> dict[str, list[str]]:
    """Name of a study to its overrides; the examples fill more than one chunk."""
    series = scratch / "series.npz"
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2
    waves = np.sin(np.linspace(0, 6, 64) * (1 + labels[:, None])) + 0.1 * rng.normal(size=(120, 64))
    np.savez(series, x=waves.astype(np.float32), y=labels)
    found = {
        "default": ["examples=80"],
        "table": ["experiment=tabular_decision", "dataset=breast_cancer", "effort=draft", "examples=80"],
        "series": ["experiment=time_series", f"dataset.path={series}", "effort=draft"],
        "targets": ["target=[predicted,label,3]", "examples=70", "method=[occlusion,saliency,random]"],
    }
    if (kit / "models" / "minilm_sst2").is_dir():
        text = [f"model.path={kit / 'models' / 'minilm_sst2'}", f"dataset.path={kit / 'text' / 'sst2_dev.tsv'}"]
        found["text"] = ["experiment=text_sentiment", *text, "effort=draft", "examples=4"]
    else:
        print(f"no text study: there is no kit at {kit}")
    return found


def run(checkout: Path, overrides: list[str], folder: Path) -> None:
    """One study of the code in ``checkout``, its results in ``folder``."""
    own = ["tracking.uri=off", "report=false", f"store={folder / 'store'}", f"hydra.run.dir={folder / 'study'}"]
    env = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    folder.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "xaiexp", *overrides, *own],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(
            f"{checkout}: xaiexp {' '.join(overrides)} ended with {done.returncode}\n{done.stderr[-2000:]}"
        )


def read(folder: Path, table: str) -> pd.DataFrame:
    frame = pd.read_parquet(folder / table) if table.endswith(".parquet") else pd.read_csv(folder / table)
    return frame.drop(columns=[column for column in NOT_COMPARED if column in frame])


def differences(before: Path, after: Path) -> Iterator[str]:
    """What differs between the folders of two studies, one line a table."""
    for table in TABLES:
        first, second = read(before, table), read(after, table)
        try:
            pd.testing.assert_frame_equal(first, second, check_exact=True)
        except AssertionError as error:
            yield f"{table}: {' '.join(str(error).split())[:300]}"
    first, second = (passes(json.loads((folder / "record.json").read_text())) for folder in (before, after))
    if first != second:
        yield f"passes: {first} became {second}"


def passes(record: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Forward and backward passes by what made them."""
    parts = {**record["passes"], **record["passes"]["metrics"]}
    del parts["metrics"]
    return {name: (part["forward"], part["backward"]) for name, part in parts.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", metavar="REVISION")
    parser.add_argument("--kit", type=Path, default=Path(os.environ.get("XAIEXP_KIT", ROOT.parent / "shared" / "kit")))
    arguments = parser.parse_args()
    differing = 0
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        base = scratch / "base"
        base.mkdir()
        archive = subprocess.run(["git", "archive", arguments.revision], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", str(base)], input=archive.stdout, check=True)
        for study, overrides in studies(arguments.kit.resolve(), scratch).items():
            folders = {side: scratch / side / study for side in ("before", "after")}
            run(base, overrides, folders["before"])
            run(ROOT, overrides, folders["after"])
            found = list(differences(folders["before"] / "study", folders["after"] / "study"))
            differing += bool(found)
            print(f"{study}: {'equal' if not found else '; '.join(found)}", flush=True)
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
