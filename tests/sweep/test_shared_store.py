"""Processes that start at once in an empty folder share one store and one tracking database and lose nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pandas as pd
import pytest

import xaiexp
from xaiexp.builtin.trackers.mlflow_client import client_at
from xaiexp.tracking.addresses import embedded_uri

STUDY = [
    "model=digits_mlp", "method=[saliency,random]", "metric=[sparseness,deletion]", "baseline=[zero]",
    "agreement=[rank_correlation]", "examples=20", "effort=draft", "report=false",
]  # fmt: skip
COMMON = 100
"""The seed of a study that all processes run."""


def start(place, words):
    return subprocess.Popen(
        [sys.executable, "-m", "xaiexp", *words],
        cwd=place,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(place, words):
    with start(place, words) as process:
        said = process.communicate(timeout=600)[0]
    assert process.returncode == 0, said


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_nothing_is_lost_or_doubled(tmp_path):
    count = int(os.environ.get("XAIEXP_PROCESSES", "4"))
    folders = [tmp_path / f"outputs/{i}" for i in range(count)]
    lines = [["-m", f"seed={i},{COMMON}", *STUDY, f"hydra.sweep.dir=outputs/{i}"] for i in range(count)]
    processes = [start(tmp_path, line) for line in lines]
    said = [process.communicate(timeout=1500)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * count, said
    loaded = [xaiexp.load(folder) for folder in folders]
    commons = [result.scores.query(f"seed == {COMMON}").drop(columns="study") for result in loaded]
    for other in commons[1:]:
        pd.testing.assert_frame_equal(commons[0], other, check_exact=True)
    client = client_at(embedded_uri(tmp_path / "outputs"))
    runs = client.search_runs([client.get_experiment_by_name("xaiexp").experiment_id], max_results=5000)
    parents = Counter(run.info.run_name for run in runs if "mlflow.parentRunId" not in run.data.tags)
    expected = {f"digits_mlp on digits, seed {i}": 1 for i in range(count)}
    assert parents == expected | {f"digits_mlp on digits, seed {COMMON}": count}
    assert len(runs) == 2 * count * 3  # a study and its two cells
    assert {run.info.status for run in runs} == {"FINISHED"}
    run(tmp_path, ["-m", f"seed={','.join(map(str, [*range(count), COMMON]))}", *STUDY])
    (sweep,) = (tmp_path / "outputs/multirun").glob("*/*")
    for study in xaiexp.load(sweep).studies.values():
        told = study.record["passes"]
        spent = [told["attributions"], *told["metrics"].values()]
        assert sum(each["forward"] + each["backward"] for each in spent) == 0  # all of it is in the store
    run(tmp_path, ["store", "verify"])
