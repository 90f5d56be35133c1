"""The comparison of two revisions notices a changed number, a changed row order and a changed count of passes."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_studies import run

PLACE = Path(__file__).parents[2] / "benchmarks" / "compare_revisions.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("compare_revisions", PLACE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_differences_between_two_studies_are_found(workplace, tool):
    study = run().path
    other = workplace / "other"
    shutil.copytree(study, other)
    assert list(tool.differences(study, other)) == []

    scores = pd.read_parquet(other / "scores.parquet")
    defined = scores["value"].first_valid_index()
    scores.loc[defined, "value"] = np.nextafter(scores.loc[defined, "value"], np.inf)
    scores.to_parquet(other / "scores.parquet", index=False)
    cells = pd.read_parquet(other / "cells.parquet")
    cells.iloc[::-1].to_parquet(other / "cells.parquet", index=False)
    record = json.loads((other / "record.json").read_text())
    record["passes"]["metrics"]["deletion"]["forward"] += 1
    (other / "record.json").write_text(json.dumps(record))
    found = list(tool.differences(study, other))
    assert [line.partition(":")[0] for line in found] == ["cells.parquet", "scores.parquet", "passes"]
