"""Verdicts: rankings, ties, controls, refusals, removals and seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xaiexp.results.verdict import COMPARISONS, VERDICTS, comparison_table, removal_groups, verdict_table


def frame(values, *, metric="m", methods=None, baselines=None, seed=0):
    """Rows of scores from ``[cells, N]``."""
    cells, n = np.shape(values)
    methods = methods or [f"m{k}" for k in range(cells)]
    baselines = baselines or ["none"] * cells
    parts = [
        pd.DataFrame(
            {
                "model": "net",
                "dataset": "data",
                "seed": seed,
                "method": methods[k],
                "baseline": baselines[k],
                "metric": metric,
                "example": [f"e{i:04d}" for i in range(n)],
                "target": 0,
                "value": values[k],
            }
        )
        for k in range(cells)
    ]
    return pd.concat(parts, ignore_index=True)


def noise(cells, n, seed=0):
    return np.random.default_rng(seed).normal(size=(cells, n))


def verdicts(scores, directions=None, controls=(), groups=None):
    return verdict_table(scores, directions or {"m": True}, controls, groups or {}, 0)


def sentence(scores, **options):
    return verdicts(scores, **options)["verdict"].iloc[0]


def test_cells_without_significant_difference_are_tied_and_controls_are_named():
    values = noise(4, 60) * 0.5 + np.array([[3.0], [3.02], [1.0], [0.9]])
    words = sentence(frame(values, methods=["a", "b", "c", "random"]), controls=["random"])
    assert words.startswith(("a = b > c = random", "b = a > c = random", "a = b > random = c", "b = a > random = c"))
    assert "not better than random beyond the noise: c" in words
    assert "more examples would tell" in words
    assert "alpha 0." in words


def test_direction_reverses_the_ranking():
    values = noise(3, 40) * 0.1 + np.array([[1.0], [2.0], [3.0]])
    assert sentence(frame(values), directions={"m": True}).startswith("m2 > m1 > m0;")
    assert sentence(frame(values), directions={"m": False}).startswith("m0 > m1 > m2;")


def test_ranking_is_refused_where_examples_do_not_agree():
    # With thousands of examples the means differ significantly, but single examples do not agree about the order.
    values = noise(4, 4000) + np.array([[0.0], [0.1], [0.2], [0.3]])
    table = verdicts(frame(values)).iloc[0]
    assert table["refused"]
    assert table["verdict"].startswith(
        f"alpha {table['alpha']:.2f}: this metric does not rank these methods on these data"
    )
    assert table["alpha"] < 0.2


def test_few_examples_and_equal_cells_are_not_ranked():
    assert sentence(frame(noise(3, 5))) == "5 examples: too few to tell methods apart, at least 6"
    assert sentence(frame(np.ones((3, 10)))) == "all cells have equal values on every example: nothing to rank"
    assert "nothing to rank" in sentence(frame(np.stack([np.full(9, np.nan), np.arange(9.0)])))


def test_verdict_says_that_no_method_is_better_than_the_control():
    shared = np.arange(40.0)
    values = np.stack([shared - 3, shared - 2 + 0.01 * noise(1, 40)[0], shared])
    words = sentence(frame(values, methods=["a", "b", "random"]), controls=["random"])
    assert "no method is better than random beyond the noise" in words


def test_the_number_of_further_examples_follows_from_the_difference():
    values = noise(2, 40, seed=3) + np.array([[3.0], [3.2]])
    values = np.concatenate([values, noise(1, 40, seed=4)])
    table = verdicts(frame(values)).iloc[0]
    difference = values[1] - values[0]
    effect = abs(difference.mean()) / difference.std(ddof=1)
    assert table["more_examples"] == pytest.approx((1.96 + 0.8416) ** 2 / effect**2 - 40, rel=0.1)


def test_metrics_without_direction_have_no_verdict():
    scores = pd.concat([frame(noise(3, 20)), frame(noise(3, 20), metric="m.shift")])
    table = verdicts(scores, directions={"m": True, "m.shift": None})
    assert list(table["metric"]) == ["m"]
    assert list(table.columns) == VERDICTS
    assert set(comparison_table(scores, {"m": True, "m.shift": None})["metric"]) == {"m"}


def test_comparisons_have_a_row_for_each_pair():
    table = comparison_table(frame(noise(4, 20)), {"m": True})
    assert list(table.columns) == COMPARISONS
    assert len(table) == 6
    assert (table["p_holm"] >= table["p"]).all()


def test_metrics_that_differ_only_in_their_removal_are_a_group():
    metrics = {
        "a": ("deletion", {"removal": "blur", "steps": 3}),
        "b": ("deletion", {"removal": "mean", "steps": 3}),
        "c": ("deletion", {"removal": "mean", "steps": 9}),
        "d": ("sparseness", {}),
    }
    assert removal_groups(metrics) == {"deletion": {"blur": "a", "mean": "b"}}


def test_order_that_changes_with_the_removal_is_reported():
    good, bad = noise(2, 30) * 0.1 + 5, noise(2, 30, seed=1) * 0.1
    first = frame(np.stack([good[0], bad[0]]), metric="blurred", methods=["a", "b"])
    second = frame(np.stack([bad[1], good[1]]), metric="meant", methods=["a", "b"])
    scores = pd.concat([first, second])
    groups = {"deletion": {"blur": "blurred", "mean": "meant"}}
    table = verdicts(scores, directions={"blurred": True, "meant": True}, groups=groups)
    words = table.loc[table["metric"] == "deletion (removal)", "verdict"].iloc[0]
    assert "the order of the methods changes with the removal" in words
    assert "a beats b with blur and loses to it with mean" in words
    assert words.endswith("lowest Kendall tau between two orders of the means -1.00")
    same = frame(np.stack([good[1], bad[1]]), metric="meant", methods=["a", "b"])
    table = verdicts(pd.concat([first, same]), directions={"blurred": True, "meant": True}, groups=groups)
    assert "no two methods change places with the removal" in table["verdict"].iloc[-1]


def test_empty_scores_have_no_verdicts():
    empty = frame(noise(2, 6)).iloc[:0]
    assert list(verdicts(empty).columns) == VERDICTS
    assert len(verdicts(empty)) == len(comparison_table(empty, {})) == 0


def test_mean_over_other_examples_does_not_decide_a_pair():
    # The first has values only for easy examples, and is worse on these.
    easy = np.repeat([0.0, 10.0], 10)
    values = np.stack([easy, easy + 1, easy - 5]) + 0.1 * noise(3, 20)
    values[0, :10] = np.nan
    words = sentence(frame(values))
    assert words.startswith("m0 > m1 > m2; but m1 is better than m0 on the examples that both have;")


def test_alpha_is_unknown_where_few_examples_have_all_cells():
    values = noise(3, 20) * 0.1 + np.array([[1.0], [2.0], [3.0]])
    values[0, :9] = values[2, 11:] = np.nan
    words = sentence(frame(values))
    assert "how far examples agree is unknown: 2 have a value of every cell, 6 are needed" in words
    assert words.startswith("m2 > m1 > m0")
    assert "m0 and m1 have 3 examples in common: too few" in sentence(frame(values[:2, 6:12]), directions={"m": False})


def test_controls_without_methods_are_not_compared():
    assert "no method is better" not in sentence(frame(noise(2, 20) + np.array([[0.0], [9.0]])), controls=["m0", "m1"])


def over_seeds(values, **options):
    """The verdict over ``[cells, N, seeds]``."""
    scores = pd.concat([frame(values[:, :, j], seed=j, **options) for j in range(values.shape[2])])
    return verdict_table(scores, {"m": True}, [], {}, 0, over_seeds=True)


def test_order_on_which_seeds_agree_is_expected_of_other_seeds():
    values = noise(3, 40) * 0.1 + np.array([[1.0], [2.0], [3.0]])
    (row,) = over_seeds(values[:, :, None] + 0.01 * np.random.default_rng(0).normal(size=(3, 40, 3))).to_dict("records")
    assert row["seed"] == "all"
    assert row["verdict"].startswith("averaged over these 3 seeds: m2 > m1 > m0; alpha ")
    assert row["verdict"].endswith("; for other seeds: the same")


def test_difference_that_changes_with_the_seed_is_marked_and_not_expected_of_other_seeds():
    moved = np.array([[[0.0, 0.0, 0.0]], [[2.0, 2.0, -0.7]], [[9.0, 9.0, 9.0]]])
    (words,) = over_seeds(noise(3, 40)[:, :, None] * 0.1 + moved)["verdict"]
    assert words.startswith("averaged over these 3 seeds: m2 > m1 > m0;")
    assert "reversed in some seeds: m0 and m1 (1 of 3 seeds);" in words
    assert words.endswith("for other seeds: m2 > m1 = m0")


def test_verdict_over_one_seed_equals_that_of_the_study():
    values = noise(4, 40) + np.arange(4)[:, None]
    assert over_seeds(values[:, :, None])["verdict"].tolist() == [sentence(frame(values))]


# Holm's correction. One pair has p = 0.03; whether it counts depends on how many other pairs are near it.

N = 40
BARELY = stats.t.ppf(1 - 0.03 / 2, N - 1) / np.sqrt(N)
SHARED = noise(1, N, seed=9)[0]


def noisy(mean, deviation=1.0, seed=0):
    """N values with exactly this mean and standard deviation."""
    values = noise(1, N, seed=seed)[0]
    return (values - values.mean()) / values.std(ddof=1) * deviation + mean


# Levels far apart, so that the metric ranks; and ties that add pairs without a difference.
LEVELS = {name: SHARED + noisy(50 * k, seed=20 + k) for k, name in enumerate("cdef", start=1)}
CLOSE = {"method": SHARED + noisy(BARELY), "control": SHARED}
TIES = {"x": SHARED + noisy(-0.1, 3.0, seed=30), "y": SHARED + noisy(-0.2, 3.0, seed=31)}


def of(cells, **options):
    return sentence(frame(np.stack(list(cells.values())), methods=list(cells)), controls=["control"], **options)


def test_ranks_and_controls_follow_the_corrected_p_value():
    few, many = CLOSE | LEVELS, CLOSE | TIES | LEVELS
    for cells, corrected in ((few, 0.03), (many, 6 * 0.03)):
        rows = comparison_table(frame(np.stack(list(cells.values())), methods=list(cells)), {"m": True})
        (row,) = rows.query("method_a == 'method' and method_b == 'control'").itertuples()
        assert (row.p, row.p_holm) == (pytest.approx(0.03), pytest.approx(corrected))
    assert of(few).startswith("f > e > d > c > method > control;")
    assert "not better than control" not in of(few)
    assert of(many).startswith("f > e > d > c > method = control = x = y;")
    assert "not better than control beyond the noise: method, x, y" in of(many)


def test_a_reversal_between_seeds_is_told_by_the_corrected_p_value():
    shift = 5 * np.array([-0.2, 0.1, 0.1])  # of the method, by seed: its mean over seeds stays

    def words(cells):
        values = np.repeat(np.stack(list(cells.values()))[:, :, None], 3, axis=2)
        values[0] += shift
        (told,) = over_seeds(values)["verdict"]
        return told

    assert "reversed in some seeds: m0 and m1 (1 of 3 seeds)" in words(CLOSE | LEVELS)
    assert "reversed" not in words(CLOSE | TIES | LEVELS)
