from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import written_studies

import xaiexp
from xaiexp.api.result import table_of
from xaiexp.core.ids import CellId
from xaiexp.core.record import Record
from xaiexp.report.paper.score_table import score_table
from xaiexp.statistics.summary import summarise


def summary_of(values, higher=True, **study):
    """The summary of cells ``{label: [N]}`` of one metric ``m``."""
    where = {"model": "net", "dataset": "data", "seed": 0, **study}
    scores = pd.DataFrame(
        {**where, "method": cell, "baseline": "none", "metric": "m", "example": f"e{i}", "target": 0, "value": value}
        for cell, row in values.items()
        for i, value in enumerate(row)
    )
    return summarise(scores, {"m": higher}, 0)


def record(higher=True, **study):
    return Record.from_json(
        {
            "study": {"model": "net", "dataset": "data", "seed": 0, **study},
            "metrics": {"m": {"higher_is_better": higher}, "m.shift": {"higher_is_better": None}},
        }
    )


NO_VERDICTS = pd.DataFrame(columns=["model", "dataset", "seed", "metric", "verdict", "refused"])


@pytest.mark.parametrize("higher", [True, False])
def test_bold_are_the_cells_that_are_not_shown_to_be_worse_than_the_best(higher):
    noise = np.random.default_rng(0).standard_normal((4, 40))
    noise -= noise.mean(axis=1, keepdims=True)
    values = dict(zip("abcd", noise + np.array([[0.0], [0.1], [3.0], [3.1]]), strict=True))
    table = score_table(summary_of(values, higher), NO_VERDICTS, [record(higher)])
    scores = {cell.method: by_metric["m"] for cell, by_metric in table.blocks[0].rows}
    means = {name: row.mean() for name, row in values.items()}
    best = (max if higher else min)(means, key=means.get)
    for name in "abcd":  # t statistics of the pairs tell the same, far from the critical value
        pairs = values[name] - values[best]
        t = 0.0 if name == best else abs(pairs.mean()) / pairs.std(ddof=1) * math.sqrt(40)
        assert t < 1.5 or t > 6
        assert scores[name].best == (t < 1.5)
    assert scores[best].mean == pytest.approx(means[best])
    assert table.arrow("m") == ("↑" if higher else "↓")


def test_a_refused_ranking_has_no_letters_and_no_bold():
    values = {"a": np.arange(20.0), "b": np.arange(20.0) + 5}
    verdicts = pd.DataFrame([["net", "data", 0, "m", "too few", True]], columns=NO_VERDICTS.columns)
    table = score_table(summary_of(values), verdicts, [record()])
    assert {(s["m"].letters, s["m"].best) for _, s in table.blocks[0].rows} == {("", False)}


def test_letters_after_z_are_one_letter_each():
    frame = summary_of({"a": np.arange(20.0), "b": np.arange(20.0) + 5})
    frame["letters"] = ["a", ".a"]
    frame["mean_common"] = [2.0, 1.0]
    table = score_table(frame, NO_VERDICTS, [record()])
    assert [s["m"].best for _, s in table.blocks[0].rows] == [True, False]


def test_an_undefined_cell_is_no_zero():
    values = {"a": np.arange(20.0), "b": np.full(20, np.nan)}
    table = score_table(summary_of(values), NO_VERDICTS, [record()])
    score = dict(table.blocks[0].rows)[CellId("b")]["m"]
    assert math.isnan(score.mean)
    assert score.n == 0
    assert not score.best


def test_auxiliary_values_are_left_out():
    frame = summary_of({"a": np.arange(20.0), "b": np.arange(20.0) + 5})
    frame = pd.concat([frame, frame.assign(metric="m.shift")])
    assert list(score_table(frame, NO_VERDICTS, [record()]).metrics) == ["m"]


def test_of_a_sweep_the_rows_over_seeds_stand_for_their_studies(tmp_path):
    for job, (model, seed) in enumerate(itertools.product(["one", "two"], [0, 1])):
        written_studies.write_study(tmp_path / str(job), model=model, seed=seed)
    written_studies.write_study(tmp_path / "9", model="alone", seed=5)
    (tmp_path / "sweep.json").write_text("{}")
    result = xaiexp.load(tmp_path)
    table = result.score_table()
    assert [(block.model, block.seed) for block in table.blocks] == [("alone", "5"), ("one", "all"), ("two", "all")]
    pooled = result.summary[(result.summary["model"] == "two") & (result.summary["seed"] == "all")]
    want = pooled.set_index(["method", "baseline", "metric"])["mean"]
    for cell, scores in table.blocks[2].rows:
        for metric, score in scores.items():
            assert score.mean == pytest.approx(want[cell.method, cell.baseline, metric], nan_ok=True)


def test_two_studies_of_one_name_are_two_blocks(tmp_path):
    results = [xaiexp.load(written_studies.write_study(tmp_path / name)) for name in ("x", "y")]
    blocks = table_of(results).blocks
    assert len(blocks) == 2
    assert len(blocks[0].rows) == len(written_studies.CELLS)


def test_the_legend_says_of_how_many_examples_and_how_pairs_were_corrected():
    values = {"a": np.arange(20.0), "b": np.r_[np.arange(18.0) + 5, np.nan, np.nan]}
    table = score_table(summary_of(values), NO_VERDICTS, [record(families="all")])
    assert "n = 18 to 20 examples" in table.legend()
    assert "all pairs of all metrics" in table.legend()
