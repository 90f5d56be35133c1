"""`xaiexp plan --power`: the examples that a stated difference needs, from the variance of a pilot study."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_studies import run

from xaiexp.cli import app as cli
from xaiexp.statistics.power import examples_needed


@pytest.fixture
def pilot(workplace):
    words = ["method=[saliency,occlusion,random]", "baseline=[zero]", "metric=[sparseness,infidelity]"]
    return run(*words, "agreement=[]", "examples=16")


def told(capsys, *words):
    assert cli.main(["plan", *words]) == cli.DONE
    return capsys.readouterr().out


def refused(capsys, *words):
    assert cli.main(["plan", *words]) == cli.WRONG
    out = capsys.readouterr()
    assert not out.out
    lines = out.err.strip().splitlines()
    assert len(lines) == 2
    return lines


def test_a_plan_tells_the_examples_that_a_difference_needs(pilot, capsys):
    out = told(capsys, "--power", "0.05", "--pilot", str(pilot.path), "--metric", "sparseness")
    assert all(len(line) <= 80 for line in out.splitlines()[1:])
    assert "sparseness" in out
    assert "infidelity" not in out
    assert "3 pairs, pilot 16" in out
    rows = pilot.scores[pilot.scores["metric"] == "sparseness"]
    values = rows.pivot_table(index="example", columns="method", values="value").to_numpy()
    variances = sorted(np.var(values[:, i] - values[:, j], ddof=1) for i, j in ((0, 1), (0, 2), (1, 2)))
    for variance in variances[1:]:
        want = examples_needed(variance, 0.05, comparisons=3, pilot=16)
        assert f"{variance:.2g}" in out
        assert f" {want.examples}" in out
        assert f"[{want.low}, {want.high}]" in out
    both = told(capsys, "--power", "0.05", "--pilot", str(pilot.path))
    assert "sparseness" in both
    assert "infidelity" in both


def test_what_cannot_be_answered_is_refused_in_two_lines(pilot, capsys, workplace):
    folder = str(pilot.path)
    for wrong in ("x", "0", "-0.1", "nan", "inf"):
        assert refused(capsys, "--power", wrong, "--pilot", folder)[0].startswith(
            "plan --power: must be a number above 0"
        )
    assert refused(capsys, "--power", "0.1")[0] == "plan --power: needs the scores of a pilot study"
    assert refused(capsys, "--power", "0.1", "--pilot", folder, "seed=1")[0].startswith("plan --power: the pilot says")
    unknown = refused(capsys, "--power", "0.1", "--pilot", folder, "--metric", "sparsness")
    assert unknown[0] == "plan --metric: the pilot has no such metric (got 'sparsness')"
    assert "nearest: sparseness" in unknown[1]
    assert refused(capsys, "--pilot", folder)[0] == "plan --pilot: goes with --power DIFFERENCE"
    assert refused(capsys, "--metric", "sparseness")[0] == "plan --metric: goes with --power DIFFERENCE"
    assert refused(capsys, "--power", "0.1", "--pilot", "nowhere")[0].startswith("plan --pilot: contains no study")
    pd.DataFrame(columns=pilot.scores.columns).to_parquet(pilot.path / "scores.parquet")
    assert "the table is empty" in refused(capsys, "--power", "0.1", "--pilot", folder)[0]
    (pilot.path / "scores.parquet").unlink()
    assert "has no scores (missing" in refused(capsys, "--power", "0.1", "--pilot", folder)[0]
