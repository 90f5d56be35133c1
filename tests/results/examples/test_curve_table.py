"""Curves of metrics: interpolated as numpy does, kept with the scores that they are summed up by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import xaiexp
from xaiexp.builtin.metrics.removal_curves import at_even_shares

WORDS = [
    *("model=digits_mlp", "examples=12", "method=[saliency,occlusion]", "baseline=[zero]", "agreement=[]"),
    *("tracking.uri=off", "report=false"),
]


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=9), st.integers(2, 30), st.integers(0, 10_000))
def test_curves_are_interpolated_as_numpy_does(gaps, points, draw):
    fractions = np.concatenate([[0.0], np.cumsum(gaps) / np.sum(gaps)])
    fractions[-1] = 1.0
    values = np.random.default_rng(draw).normal(size=(2, 1, len(fractions)))
    found = at_even_shares(torch.tensor(values), torch.tensor(fractions[None]), points)
    shares = np.linspace(0, 1, points)
    for curve, mine in zip(values[:, 0], found[:, 0].numpy(), strict=True):
        np.testing.assert_allclose(mine, np.interp(shares, fractions, curve), atol=1e-9)


def test_points_that_repeat_the_last_one_change_nothing():
    values = torch.tensor([[[1.0, 0.5, 0.0, 0.0]]])
    whole = at_even_shares(values[..., :3], torch.tensor([[0.0, 0.5, 1.0]]), 7)
    padded = at_even_shares(values, torch.tensor([[0.0, 0.5, 1.0, 1.0]]), 7)
    torch.testing.assert_close(whole, padded)


def test_the_area_of_a_kept_curve_is_the_score(workplace):
    # 20 steps of 64 pixels are 3 or 4 pixels each: the even shares lie within a pixel of the steps.
    words = [*WORDS, "metric=[deletion,insertion,sparseness]", "metric.deletion.steps=64", "metric.insertion.steps=64"]
    result = xaiexp.run(words, quiet=True)
    curves = pd.read_parquet(result.path / "curves.parquet")
    assert set(curves["metric"]) == {"deletion", "insertion"}
    scores = result.scores.set_index(["method", "baseline", "metric", "example", "target"])["value"]
    assert len(curves) == 2 * 2 * 12
    for row in curves.itertuples():
        values = np.asarray(row.values)
        assert values.shape == (21,)
        score = scores[row.method, row.baseline, row.metric, row.example, row.target]
        assert np.trapezoid(values, np.linspace(0, 1, 21)) == pytest.approx(score, abs=0.02)
        assert (values[0] > values[-1]) == (row.metric == "deletion")


def test_a_second_run_has_equal_curves_without_passes(workplace):
    words = [*WORDS, "metric=[deletion]"]
    first, second = (xaiexp.run(words, quiet=True) for _ in range(2))
    pd.testing.assert_frame_equal(*(pd.read_parquet(each.path / "curves.parquet") for each in (first, second)))
    assert second.record["passes"]["metrics"]["deletion"]["forward"] == 0


def test_a_study_without_such_metrics_has_no_file_of_curves(workplace):
    result = xaiexp.run([*WORDS, "metric=[sparseness]"], quiet=True)
    assert not (result.path / "curves.parquet").exists()
    assert (result.path / "examples.parquet").is_file()
