"""The rows of charts against counts by hand."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import written_studies

from xaiexp.report.charts import frames
from xaiexp.report.charts.figures import agreement_figures, metric_figures, sweep_figures
from xaiexp.report.charts.places import apart, joined, pareto_front
from xaiexp.report.studies import read_study
from xaiexp.statistics.significance import friedman


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return read_study(written_studies.write_study(tmp_path_factory.mktemp("study") / "s"))


@pytest.fixture(scope="module")
def ranking(study):
    return {each.metric: each for each in frames.rankings(study)}


def _score(study, metric, cell):
    method, _, baseline = cell.partition(" / ")
    scores = study.scores
    chosen = (scores["metric"] == metric) & (scores["method"] == method) & (scores["baseline"] == (baseline or "none"))
    return scores[chosen].set_index("example")["value"]


def test_intervals_are_those_of_the_summary_best_mean_first(study, ranking):
    rows = frames.intervals(ranking["insertion"])
    assert rows["mean"].is_monotonic_decreasing
    assert rows["place"].tolist() == list(range(len(written_studies.CELLS)))
    for row in rows.itertuples():
        assert row.mean == pytest.approx(_score(study, "insertion", row.cell).mean())
        assert row.low < row.mean < row.high == row.edge
    assert frames.intervals(ranking["infidelity"])["mean"].is_monotonic_increasing


def test_win_rates_are_counts_of_examples(study, ranking):
    """On the examples where all ranked cells are defined; lower is better."""
    rows = frames.win_rates(ranking["infidelity"]).set_index(["row", "column"])
    names = sorted({name for pair in rows.index for name in pair})
    values = pd.DataFrame({name: _score(study, "infidelity", name) for name in names})
    ranked = {*frames.differences(ranking["infidelity"])["pair"].str.split(" – ").sum()}
    common = values[sorted(ranked)].dropna().index
    assert 0 < len(common) < 16
    for a, b in itertools.permutations(sorted(ranked), 2):
        wins = int((values.loc[common, a] < values.loc[common, b]).sum())
        assert rows.loc[(a, b), ["wins", "n"]].tolist() == [wins, len(common)]
        assert rows.loc[(a, b), "share"] == wins / len(common)


def test_equal_scores_are_no_win(study, ranking):
    table = ranking["insertion"].scores
    equal = frames.Ranking(
        **{
            **vars(ranking["insertion"]),
            "scores": type(table)(**{**vars(table), "by_seed": np.ones_like(table.by_seed)}),
        }
    )
    rows = frames.win_rates(equal)
    assert (rows["share"] == 0).all()
    assert (rows["ties"] == rows["n"]).all()


def test_differences_have_the_better_mean_first(study, ranking):
    rows = frames.differences(ranking["insertion"])
    assert len(rows) == 10
    assert (rows["difference"] >= 0).all()
    assert ((rows["low"] <= rows["difference"]) & (rows["difference"] <= rows["high"])).all()
    for row in rows.itertuples():
        first, second = row.pair.split(" – ")
        means = [_score(study, "insertion", name).mean() for name in (first, second)]
        assert row.difference == pytest.approx(means[0] - means[1])


def test_letters_are_those_of_the_summary_one_a_row(ranking):
    found = frames.letters(ranking["insertion"]).groupby("cell")["letter"].agg("".join)
    expected = frames.intervals(ranking["insertion"]).set_index("cell")["letters"]
    assert found.to_dict() == expected.to_dict()


def test_letters_after_z_have_dots(ranking):
    means = ({**ranking["insertion"].means[0], "letters": "aZ.a..b"},)
    rows = frames.letters(frames.Ranking(**{**vars(ranking["insertion"]), "means": means}))
    assert rows["letter"].tolist() == ["a", "Z", ".a", "..b"]


def test_ranks_are_friedmans_with_the_critical_difference(study, ranking):
    rows = frames.critical_difference(ranking["insertion"])
    names = rows.loc[rows["kind"] == "cell", "cell"].tolist()
    values = np.stack([_score(study, "insertion", name) for name in names])
    expected = scipy.stats.rankdata(-values, axis=0).mean(axis=1)
    assert rows.loc[rows["kind"] == "cell", "rank"].tolist() == pytest.approx(expected)
    critical = rows[rows["kind"] == "critical"].iloc[0]
    assert critical["end"] - critical["start"] == pytest.approx(friedman(values, True).critical_difference)


def test_cost_is_of_an_example_and_the_front_of_explanations(study, ranking):
    cells = study.cells.assign(forward_passes=[16, 1600, 160, 3200, 0], backward_passes=[16, 0, 160, 0, 0])
    rows = frames.cost(ranking["insertion"], cells.assign(cached=False)).set_index("cell")
    assert rows.loc["saliency", ["passes", "forward", "backward"]].tolist() == [2, 1, 1]
    assert rows.loc["random", "passes"] == 0
    assert rows.loc["random", "at"] == frames.FEWEST
    by_hand = {
        name
        for name, row in rows.iterrows()
        if not ((rows["passes"] <= row["passes"]) & (rows["mean"] > row["mean"])).any()
    }
    assert set(rows.index[rows["front"]]) == by_hand


def test_cells_of_the_store_have_no_cost(study, ranking):
    cells = study.cells.assign(forward_passes=0, backward_passes=0, cached=[True, False, False, False, False])
    assert "saliency" not in set(frames.cost(ranking["insertion"], cells)["cell"])


def test_bands_are_those_of_the_normal_distribution():
    values = np.random.default_rng(0).standard_normal((2, 20, 3))
    values[0, :5, 1] = np.nan
    rows = frames.curves(["a", "b"], [0, 0.5, 1], values)
    assert rows["n"].tolist() == [20, 15, 20, 20, 20, 20]
    known = values[0, 5:, 1]
    low, high = scipy.stats.norm.interval(0.95, known.mean(), scipy.stats.sem(known))
    assert rows.loc[1, ["mean", "low", "high"]].tolist() == pytest.approx([known.mean(), low, high])


def test_curves_average_targets_before_examples(study, ranking):
    """Example a has two targets: it counts once, with the mean of both."""
    kept = [("a", 0, [1.0, 0.0]), ("a", 1, [0.0, 0.0]), ("b", 0, [0.9, np.nan])]
    frame = pd.DataFrame(
        [
            {"method": "saliency", "baseline": "none", "metric": "insertion", "example": e, "target": t, "values": v}
            for e, t, v in kept
        ]
    )
    rows = frames.curves_of(dataclasses.replace(study, curves=frame), ranking["insertion"])
    assert rows[["cell", "share", "n"]].to_numpy().tolist() == [["saliency", 0.0, 2], ["saliency", 1.0, 1]]
    assert rows["mean"].tolist() == pytest.approx([0.7, 0.0])
    assert frames.curves_of(study, ranking["insertion"]).empty


def test_a_matrix_of_agreement_has_both_sides_and_no_diagonal(study):
    figure = next(each for each in agreement_figures(study) if each.name == "agreement_rank_correlation")
    assert figure.chart == "signed_agreement"
    assert figure.parameters == {"limit": 1.0}
    values = figure.rows.set_index(["row", "column"])["value"]
    assert len(values) == 5 * 4
    assert all(values[a, b] == values[b, a] for a, b in values.index)
    rows = study.agreement.query("measure == 'rank_correlation' and method_a == 'saliency' and method_b == 'random'")
    assert values["saliency", "random"] == pytest.approx(rows["value"].mean())


def test_a_study_has_its_figures_and_none_of_what_ranks_nothing(study):
    names = [figure.name for figure in metric_figures(study)]
    assert names[0] == "intervals"
    assert {"insertion_win_rates", "insertion_differences", "insertion_letters", "insertion_nemenyi"} <= set(names)
    assert [name for name in names if name.startswith("sparseness")] == ["sparseness_intervals"]


def test_across_studies_every_mean_stands_by_its_study(study, tmp_path):
    other = read_study(written_studies.write_study(tmp_path / "t", model="mlp", seed=1))
    figures = {each.name: each.rows for each in sweep_figures([("one", study), ("two", other)])}
    rows = figures["insertion_across"].set_index(["cell", "group"])
    assert len(rows) == 2 * len(written_studies.CELLS)
    assert rows.loc[("saliency", "two"), "mean"] == pytest.approx(_score(other, "insertion", "saliency").mean())


def test_places_of_charts():
    assert pareto_front([(1, 2), (1, 1), (2, 1)], False) == [False, True, False]
    assert pareto_front([(1, 1), (1, 1)], True) == [True, True]
    assert joined([1, 2, 3], 0.5) == []
    moved = apart([0.5, 1, 0.49, 0.48, 0], 0.1)
    assert moved == pytest.approx([0.5, 1, 0.4, 0.3, 0])
    assert all(math.isfinite(value) for value in apart([1, 1], 0.1))
