"""Verdicts: rankings, ties, controls, refusals, removals and seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xaiexp.results.removals import removal_groups
from xaiexp.results.verdict import COMPARISONS, VERDICTS, comparison_table, verdict_table
from xaiexp.statistics.multiple_comparisons.comparison import compare


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


def test_the_verdict_names_the_best_what_is_not_separated_from_it_and_what_is_above_the_control():
    values = noise(4, 60) * 0.5 + np.array([[3.0], [3.02], [1.0], [0.9]])
    words = sentence(frame(values, methods=["a", "b", "c", "random"]), controls=["random"])
    first, second = ("a", "b") if values[0].mean() > values[1].mean() else ("b", "a")
    assert words.startswith(f"best mean: {first}, not separated from {second}; on average {first} is better than c by ")
    assert "; better than random (3 one-sided tests): all but c; " in words
    assert "; heterogeneity of the examples without controls: alpha 0." in words
    assert words.endswith("; 95 % family-wise for all 6 pairs of this metric, 60 examples")


def test_no_order_of_cells_is_printed_that_no_test_supports():
    # Means in groups that end at the first significant pair put ">" between two of three equal cells in half of these.
    for draw in range(20):
        means = np.array([[0.4], [0.4], [0.4], [0.0], [0.0], [0.0]])
        words = sentence(frame(noise(6, 32, seed=draw) + means))
        assert " > " not in words
        assert " = " not in words


@pytest.mark.parametrize("higher", [True, False])
def test_the_difference_is_printed_with_its_simultaneous_interval_and_the_share_of_examples(higher):
    values = noise(3, 40) + np.array([[0.0], [1.5], [0.2]])
    scores = frame(values if higher else -values)
    words = sentence(scores, directions={"m": higher})
    rows = comparison_table(scores, {"m": higher}, 0).set_index(["method_a", "method_b"])
    row = rows.loc[("m1", "m2")]
    ends = sorted(abs(row[side]) for side in ("low", "high"))
    size = f"{abs(row['difference']):.3g} [{ends[0]:.3g}, {ends[1]:.3g}]"
    share = (values[1] > values[2]).mean()
    assert f"on average m1 is better than m2 by {size}, and on {share * 100:.0f} % of the examples" in words


def test_a_difference_on_which_the_examples_do_not_agree_is_reported_with_both():
    # A small alpha is heterogeneity of the examples, and no reason to withhold a difference of the means.
    values = noise(4, 4000) + np.array([[0.0], [0.1], [0.2], [0.3]])
    table = verdicts(frame(values)).iloc[0]
    assert not table["refused"]
    assert table["alpha"] < 0.2
    assert table["verdict"].startswith(
        "best: m3, separated from all other cells; on average m3 is better than m2 by 0."
    )
    assert "of the examples; mean of m3: " in table["verdict"]


def test_noise_on_which_a_control_differs_is_no_agreement():
    # All but the control are copies with noise: alpha of all of them is high, that of the explanations is not.
    values = noise(4, 60) + np.array([[5.0], [5.0], [5.0], [0.0]])
    (row,) = verdicts(frame(values, methods=["a", "b", "c", "random"]), controls=["random"]).to_dict("records")
    assert abs(row["alpha"]) < 0.1
    assert "no two cells" not in row["verdict"]
    assert "best mean: " in row["verdict"]


def test_few_examples_and_equal_cells_are_not_ranked():
    assert sentence(frame(noise(3, 5))) == "5 examples: too few to tell methods apart, at least 6"
    assert sentence(frame(np.ones((3, 10)))) == "all cells have equal values on every example: nothing to rank"
    assert "nothing to rank" in sentence(frame(np.stack([np.full(9, np.nan), np.arange(9.0)])))


def test_the_verdict_never_contradicts_itself_about_a_control():
    for draw in range(20):
        values = noise(4, 20, seed=draw) + np.array([[0.9], [0.5], [0.3], [0.0]])
        scores = frame(values, methods=["a", "b", "c", "random"])
        (row,) = verdicts(scores, controls=["random"]).to_dict("records")
        (part,) = [part for part in row["verdict"].split("; ") if "one-sided" in part]
        not_above = ["a", "b", "c"] if part.startswith("no tested cell") else part.partition("all but ")[2].split(", ")
        pairs = comparison_table(scores, {"m": True}, 0).set_index(["method_a", "method_b"])
        for name in not_above:
            assert not name or pairs.loc[(name, "random"), "low"] <= 0


def test_verdict_says_that_no_cell_is_better_than_the_control():
    shared = np.arange(40.0)
    values = np.stack([shared - 3, shared - 2 + 0.01 * noise(1, 40)[0], shared])
    words = sentence(frame(values, methods=["a", "b", "random"]), controls=["random"])
    assert "no tested cell is shown to be better than random (2 one-sided tests)" in words


def test_cells_that_are_not_separated_get_the_difference_that_would_be_found():
    values = noise(3, 40, seed=3) + 3
    table = verdicts(frame(values)).iloc[0]
    assert table["verdict"].startswith("no two cells are separated; best mean: ")
    assert (
        f"a difference of {table['detectable_difference']:.2g} between the two best would be found" in table["verdict"]
    )
    first, second = np.argsort(-values.mean(axis=1))[:2]
    spread = (values[first] - values[second]).std(ddof=1)
    # About (critical value + normal quantile of the power) standard errors; Tukey's value for three cells is 2.44.
    assert table["detectable_difference"] == pytest.approx((2.44 + 0.84) * spread / 40**0.5, rel=0.06)


def test_metrics_without_direction_have_no_verdict():
    scores = pd.concat([frame(noise(3, 20)), frame(noise(3, 20), metric="m.shift")])
    table = verdicts(scores, directions={"m": True, "m.shift": None})
    assert list(table["metric"]) == ["m"]
    assert list(table.columns) == VERDICTS
    assert set(comparison_table(scores, {"m": True, "m.shift": None}, 0)["metric"]) == {"m"}


def test_comparisons_have_a_row_for_each_pair_with_a_simultaneous_interval():
    values = noise(4, 20) + np.arange(4)[:, None]
    table = comparison_table(frame(values), {"m": True}, 3)
    assert list(table.columns) == COMPARISONS
    assert len(table) == 6
    assert (table["p_adjusted"] >= table["p_uncorrected"]).all()
    pairs = compare(values, True, seed=3).pairs
    np.testing.assert_allclose(table[["low", "high"]].to_numpy().T, [pairs.low, pairs.high])
    np.testing.assert_array_equal(table["p_adjusted"] <= 0.05, (table["low"] > 0) | (table["high"] < 0))


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
    assert len(verdicts(empty)) == len(comparison_table(empty, {}, 0)) == 0


def test_cells_are_compared_on_their_common_examples_and_the_verdict_says_so():
    # The first lacks some hard examples, and is worse on the others.
    easy = np.repeat([0.0, 10.0], 10)
    values = np.stack([easy, easy + 1, easy - 5]) + 0.1 * noise(3, 20)
    values[0, :4] = np.nan
    words = sentence(frame(values))
    assert words.startswith("best: m1, separated from all other cells; on average m1 is better than m0 by ")
    assert "; compared on the 16 of 20 examples where all ranked cells are defined; " in words


def test_a_cell_that_is_undefined_too_often_has_no_rank_and_is_named():
    values = noise(4, 20) * 0.1 + np.array([[1.0], [2.0], [3.0], [4.0]])
    values[0, :9] = np.nan
    values[1] = np.nan
    words = sentence(frame(values))
    assert "; no rank, since defined on too few examples: m0 (11 of 20 examples); undefined for m1; " in words
    assert words.endswith("95 % family-wise for the one pair of this metric, 20 examples")
    few = sentence(frame(values[:2]))
    assert few.startswith("fewer than two cells are defined on 80 % of the examples")


def test_controls_without_methods_are_not_compared():
    assert "one-sided" not in sentence(frame(noise(2, 20) + np.array([[0.0], [9.0]])), controls=["m0", "m1"])


def over_seeds(values, **options):
    """The verdict over ``[cells, N, seeds]``."""
    scores = pd.concat([frame(values[:, :, j], seed=j, **options) for j in range(values.shape[2])])
    return verdict_table(scores, {"m": True}, [], {}, 0, over_seeds=True)


def test_order_on_which_seeds_agree_is_expected_of_other_seeds():
    values = noise(3, 40) * 0.1 + np.array([[1.0], [2.0], [3.0]])
    (row,) = over_seeds(values[:, :, None] + 0.01 * np.random.default_rng(0).normal(size=(3, 40, 3))).to_dict("records")
    assert row["seed"] == "all"
    assert row["verdict"].startswith("averaged over these 3 seeds: best: m2, separated from all other cells; ")
    assert row["verdict"].endswith("; for other seeds: the same")


@pytest.mark.parametrize("seeds", [2, 3])
def test_difference_that_changes_with_the_seed_is_marked_and_not_expected_of_other_seeds(seeds):
    moved = np.array([[[0.0, 0.0, 0.0]], [[2.0, -0.7, 2.0]], [[9.0, 9.0, 9.0]]])[..., :seeds]
    (words,) = over_seeds(noise(3, 40)[:, :, None] * 0.1 + moved)["verdict"]
    assert words.startswith(f"averaged over these {seeds} seeds: best: m2, separated from all other cells;")
    assert f"reversed in some seeds: m0 and m1 (1 of {seeds} seeds);" in words
    if seeds == 2:
        assert words.endswith("for other seeds it cannot be told from 2 seeds what differs: m2 and m1; m1 and m0")
    else:
        assert words.endswith("for other seeds not separated: m1 and m0")


def test_verdict_over_one_seed_equals_that_of_the_study():
    values = noise(4, 40) + np.arange(4)[:, None]
    assert over_seeds(values[:, :, None])["verdict"].tolist() == [sentence(frame(values))]
