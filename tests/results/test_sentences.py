"""Sentences of a verdict beside its tests, and the rules of the study that they follow."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xaiexp.results.sentences import best_mean, first_three, null_warning, null_words
from xaiexp.results.verdict import Rules, comparison_table, verdict_table
from xaiexp.statistics.multiple_comparisons.comparison import compare
from xaiexp.statistics.multiple_comparisons.null_study import NullRate
from xaiexp.statistics.summary import summarise


def frame(values, *, metric="m", methods=None):
    """Rows of scores from ``[cells, N]``."""
    cells, n = np.shape(values)
    return pd.DataFrame(
        {
            "model": "net",
            "dataset": "data",
            "seed": 0,
            "method": np.repeat(methods or [f"m{k}" for k in range(cells)], n),
            "baseline": "none",
            "metric": metric,
            "example": [f"e{i:04d}" for i in range(n)] * cells,
            "target": 0,
            "value": np.ravel(values),
        }
    )


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def levels(*means, n=40):
    return 0.1 * normal(len(means), n) + np.array(means)[:, None]


def row(values, rules, **options):
    table = verdict_table(frame(values, **options), {"m": True}, ["c"], {}, 0, rules=rules)
    (found,) = table.to_dict("records")
    return found


def test_the_interval_of_the_best_mean_holds_although_it_was_chosen():
    rng, count, marginal, corrected = np.random.default_rng(0), 80, 0, 0
    for draw in range(count):
        values = rng.normal(size=(12, 40))
        compared = compare(values, True, seed=draw)
        text = best_mean(values, compared, draw, [f"m{i}" for i in range(12)])
        low, high = map(float, text.partition("[")[2].partition("]")[0].split(", "))
        corrected += not low <= 0 <= high
        best = values[compared.order[0]]
        marginal += abs(best.mean()) > 2.02 * best.std(ddof=1) / 40**0.5
        assert text.startswith(f"mean of m{compared.order[0]}: {best.mean():.3g} [")
        assert text.endswith("corrected for being the best of 12")
    assert marginal > 0.15 * count  # measured: 25 %
    assert corrected <= 0.08 * count


def test_pairs_are_different_equal_or_unknown():
    values = levels(1, 1.001, 2, 2.02, n=60)
    values[3] += normal(60, seed=1)
    scores = frame(values)
    table = comparison_table(scores, {"m": True}, 0, Rules({"m": 0.1}))
    assert table["shown"].tolist() == ["equal", *["different"] * 4, "unknown"]
    assert (comparison_table(scores, {"m": True}, 0)["shown"] != "equal").all()
    words = row(values, Rules({"m": 0.1}))["verdict"]
    assert "; shown equal within 0.1: m0 and m1; neither different nor equal: " in words
    assert "shown equal" not in row(values, Rules({"other": 0.1}))["verdict"]


def test_a_difference_that_is_shown_but_smaller_than_the_margin_is_named():
    words = row(levels(1, 1.1, n=60), Rules({"m": 0.5}))["verdict"]
    assert "; shown equal within 0.5: no pair; different, but by less than 0.5: m0 and m1; " in words
    assert "neither different nor equal" not in words


def test_the_null_study_is_said_and_is_in_the_columns():
    found = row(levels(1, 1, 1, n=30), Rules(null_draws=60), methods=["a", "b", "c"])
    assert 0 <= found["null_low"] <= found["null_rate"] <= found["null_high"] <= 1
    rate = f"two cells are separated in {100 * found['null_rate']:.1f} % ["
    assert f"; on scores like these with equal means {rate}" in found["verdict"]
    assert "] and a cell is better than c in " in found["verdict"]
    assert found["verdict"].endswith(" of 60 samples (promised: at most 5 %)")
    assert "on scores" not in found["brief"]
    assert np.isnan(row(levels(1, 1, 1), Rules())["null_rate"])


def test_a_rate_that_is_surely_above_the_level_is_a_warning_that_names_it():
    within, above = NullRate(0.06, 0.04, 0.09, 200), NullRate(0.1, 0.06, 0.15, 200)
    unknown = NullRate(np.nan, np.nan, np.nan, 0)
    assert null_words(within, [(0, above)], ["a"], 0.05) == [
        "on scores like these with equal means two cells are separated in 6.0 % [4.0, 9.0] and a cell is better than a "
        "in 10.0 % [6.0, 15.0] of 200 samples (promised: at most 5 %)"
    ]
    assert null_warning(within, [], ["a"], 0.05) == []
    warned = "in 10.0 % [6.0, 15.0] of samples, more than the 5 % that are promised"
    assert null_warning(above, [], ["a"], 0.05) == [f"warning: with equal means two cells are separated {warned}"]
    assert null_warning(within, [(0, above)], ["a"], 0.05) == [
        f"warning: with equal means a cell is better than a {warned}"
    ]
    assert null_words(unknown, [], ["a"], 0.05) == null_warning(unknown, [], ["a"], 0.05) == []


def test_the_brief_verdict_is_the_beginning_of_the_whole_one():
    values = np.concatenate([levels(1, 1, 2, n=30), np.full((1, 30), np.nan)])
    found = row(values, Rules({"m": 5.0}, null_draws=20), methods=["a", "b", "c", "d"])
    assert found["verdict"].startswith(found["brief"] + "; mean of c: ")
    for part in ("best: ", "on average ", "shown equal within 5", " than c (2 one-sided tests)", "undefined for d"):
        assert part in found["brief"]
    for part in ("corrected for being the best", "heterogeneity", "80 % power", "family-wise", "on scores like these"):
        assert part in found["verdict"]
        assert part not in found["brief"]
    few = row(values[:, :5], Rules(), methods=["a", "b", "c", "d"])
    assert few["brief"] == few["verdict"]


def test_cells_without_a_rank_and_other_controls_are_no_part_of_what_is_said_of_all():
    values = np.concatenate([levels(1, 1.5, 4, 5, n=30), np.full((1, 30), np.nan)])
    table = verdict_table(frame(values, methods=["r", "s", "a", "b", "u"]), {"m": True}, ["r", "s"], {}, 0)
    words = table["verdict"][0]
    assert words.startswith("best: b, separated from all other ranked cells; ")
    assert "; all tested cells are better than r (2 one-sided tests); " in words


def three_metrics():
    parts = [frame(levels(0, 0.04, 0.09, n=40) + 0.05 * normal(3, 40, seed=k), metric=f"m{k}") for k in range(3)]
    return pd.concat(parts, ignore_index=True), {f"m{k}": True for k in range(3)}


def test_a_family_of_all_metrics_gives_each_its_part_and_says_so():
    scores, directions = three_metrics()
    one, joint = (comparison_table(scores, directions, 0, Rules(families=f)) for f in ("metric", "all"))
    np.testing.assert_allclose(joint["p_adjusted"], np.minimum(1, 3 * one["p_adjusted"]), rtol=0.35)
    assert (joint["high"] - joint["low"] > one["high"] - one["low"]).all()
    excluded = (joint["low"] > 0) | (joint["high"] < 0)
    assert (excluded == (joint["p_adjusted"] <= 0.05)).all()
    assert 0 < excluded.sum() < (one["p_adjusted"] <= 0.05).sum()
    summary = summarise(scores, directions, 0, families="all")
    for metric, part in summary.groupby("metric"):
        letters = dict(zip(part["method"], part["letters"], strict=True))
        pairs = joint[joint["metric"] == metric]
        for _, pair in pairs.iterrows():
            apart = not set(letters[pair["method_a"]]) & set(letters[pair["method_b"]])
            assert apart == (pair["p_adjusted"] <= 0.05)
    words = verdict_table(scores, directions, [], {}, 0, rules=Rules(families="all"))["verdict"]
    assert words.str.contains(
        "95 % family-wise for all 3 pairs of this metric and those of the other metrics (3 metrics)", regex=False
    ).all()


@pytest.mark.parametrize(
    ("count", "want"), [(3, "a; a; a"), (4, "a; a; a (and 1 more pair)"), (6, "a; a; a (and 3 more pairs)")]
)
def test_of_many_pairs_three_are_named(count, want):
    assert first_three(["a"] * count) == want
