"""Every sentence of a verdict, in full, from numbers that are made for it."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xaiexp.results.removals import removal_groups
from xaiexp.results.verdict import comparison_table, verdict_table
from xaiexp.statistics.multiple_comparisons.comparison import compare
from xaiexp.statistics.significance import crossed_tests, paired_tests


def frame(values, *, metric="m", methods=None, seed=0):
    """Rows of scores from ``[cells, N]``."""
    values = np.asarray(values, dtype=float)
    cells, n = values.shape
    return pd.DataFrame(
        {
            "model": "net",
            "dataset": "data",
            "seed": seed,
            "method": np.repeat(methods or [f"m{k}" for k in range(cells)], n),
            "baseline": "none",
            "metric": metric,
            "example": [f"e{i:04d}" for i in range(n)] * cells,
            "target": 0,
            "value": values.flatten(),
        }
    )


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def row(values, *, higher=True, controls=(), **options):
    table = verdict_table(frame(values, **options), {"m": higher}, controls, {}, 0)
    (found,) = table.to_dict("records")
    return found


def levels(*means, n=40, spread=0.1):
    return spread * normal(len(means), n) + np.array(means)[:, None]


@pytest.mark.parametrize("n", [5, 6])
def test_six_examples_are_enough(n):
    found = row(levels(1, 2, 3, n=n))
    assert found["refused"] is (n == 5)
    assert found["n"] == n
    assert found["verdict"].startswith("5 examples: too few to tell" if n == 5 else "best: m2")


def test_examples_are_counted_that_have_some_value():
    values = levels(1, 2, 3, n=20)
    values[:, :4] = np.nan
    values[0, :9] = np.nan
    assert row(values)["n"] == 16  # m0 is left out


def test_equal_cells_are_refused():
    equal = row(np.ones((3, 10)))
    assert (equal["refused"], equal["verdict"]) == (
        True,
        "all cells have equal values on every example: nothing to rank",
    )


def test_numbers_of_a_verdict_are_those_of_the_tests():
    values = levels(1, 1.05, 3, n=30)
    found = row(values)
    friedman = stats.friedmanchisquare(*values)
    assert found["friedman_p"] == pytest.approx(friedman.pvalue)
    assert found["critical_difference"] > 0
    assert f"alpha {found['alpha']:.2f} [{found['alpha_low']:.2f}, {found['alpha_high']:.2f}]" in found["verdict"]


def test_one_defined_cell_ranks_nothing():
    found = row(np.stack([np.full(9, np.nan), np.arange(9.0)]))
    assert found["verdict"] == (
        "fewer than two cells are defined on 80 % of the examples: there is nothing to rank; undefined for m0"
    )
    assert found["refused"] is True


def test_cells_that_are_not_separated_get_the_difference_to_the_next():
    values = normal(2, 20, seed=5) * 0.2 + np.arange(20)
    assert stats.ttest_rel(*values).pvalue > 0.05
    best, second = ("m0", "m1") if values[0].mean() > values[1].mean() else ("m1", "m0")
    interval = stats.ttest_rel(*(values if best == "m0" else values[::-1])).confidence_interval()
    size = f"{abs(values[0].mean() - values[1].mean()):.3g} [{interval.low:.3g}, {interval.high:.3g}]"
    assert row(values)["verdict"].startswith(
        f"no two cells are separated; best mean: {best}; ahead of {second} by {size}; mean of {best}: "
    )


@pytest.mark.parametrize("higher", [True, False])
def test_cells_that_are_not_better_than_a_control_are_named(higher):
    values = levels(1, 2, 3)
    best, worst = ("m2", "m0") if higher else ("m0", "m2")
    found = row(values, higher=higher, controls=["m1"])["verdict"]
    assert f"; better than m1 (2 one-sided tests): all but {worst}; " in found
    assert (
        f"; no tested cell is shown to be better than {best} (2 one-sided tests); "
        in row(values, higher=higher, controls=[best])["verdict"]
    )
    assert (
        f"; all tested cells are better than {worst} (2 one-sided tests); "
        in row(values, higher=higher, controls=[worst])["verdict"]
    )


def test_scores_of_a_control_that_are_averaged_over_draws_say_so():
    values = levels(1, 2, 3)
    table = verdict_table(frame(values), {"m": True}, ["m0"], {}, 0, draws={"m0": {"m": 20, "other": 4}, "m1": {}})
    assert "; all tested cells are better than m0 (mean of 20 draws, 2 one-sided tests); " in table["verdict"][0]


def test_several_targets_of_an_example_are_averaged_and_the_verdict_says_so():
    values, shift = levels(1, 2, 3), 5 * normal(1, 40, seed=8)
    by_target = [frame(values + shift).assign(target=0), frame(values - shift).assign(target=7)]
    (several,) = verdict_table(pd.concat(by_target), {"m": True}, [], {}, 0)["verdict"]
    plain = row(values)["verdict"]
    assert plain.endswith("3 pairs of this metric, 40 examples")
    assert several.endswith("3 pairs of this metric, 40 examples, each the mean over its targets (up to 2)")
    assert several.startswith(plain.partition("; ")[0])


def over_seeds(values):
    """The verdict over ``[cells, N, seeds]``."""
    scores = pd.concat([frame(values[:, :, j], seed=j) for j in range(values.shape[2])])
    (found,) = verdict_table(scores, {"m": True}, [], {}, 0, over_seeds=True).to_dict("records")
    return found["verdict"]


def test_reversed_pairs_are_counted_by_seed_and_at_most_three_are_named():
    means = np.array([[0.0, 0.0, 0.0], [2.0, 2.0, -0.5], [4.0, 4.0, -1.0], [6.0, 6.0, -1.5]])
    words = over_seeds(0.1 * normal(4, 40)[:, :, None] + means[:, None, :])
    pairs = [f"m{i} and m{j} (1 of 3 seeds)" for i, j in itertools.combinations(range(4), 2)]
    assert f"reversed in some seeds: {'; '.join(pairs[:3])} (and 3 more pairs)" in words
    three = over_seeds(0.1 * normal(3, 40)[:, :, None] + means[:3, None, :])
    named = (
        f"reversed in some seeds: {'; '.join(f'm{i} and m{j} (1 of 3 seeds)' for i, j in [(0, 1), (0, 2), (1, 2)])};"
    )
    assert named in three


def test_a_seed_in_which_two_cells_are_equal_reverses_nothing():
    values = np.stack([normal(30)[:, None] * np.ones(3), normal(30)[:, None] + np.array([[1.0, 1.0, 0.0]])])
    values[1] += 0.01 * normal(30, 1, seed=4) * np.array([[1, 1, 0]])
    assert paired_tests(values.mean(axis=2)).p_adjusted[0] < 0.05
    assert "reversed" not in over_seeds(values)


def test_two_seeds_are_several():
    words = over_seeds(levels(1, 2, 3)[:, :, None] + 0.01 * normal(3, 40, 2, seed=9))
    assert words.startswith("averaged over these 2 seeds: best: m2, separated from all other cells;")


def test_the_order_for_other_seeds_follows_the_crossed_tests():
    values = normal(2, 40)[:, :, None] * 0.1 + np.array([[[0.0, 0.0, 0.0]], [[0.1, 3.0, 0.2]]])
    assert crossed_tests(values).p_adjusted[0] > 0.05
    words = over_seeds(values)
    assert words.startswith("averaged over these 3 seeds: best: m1, separated from all other cells;")
    assert words.endswith("for other seeds not separated: m1 and m0")


def test_every_number_of_a_comparison_is_that_of_its_test():
    values = levels(1, 1.1, 3, n=25)
    scores = pd.concat([frame(values), frame(values[:1], metric="one"), frame(values, metric="down")])
    table = comparison_table(scores, {"m": True, "one": True, "down": False}, 0)
    assert table.index.tolist() == list(range(6))
    assert table["metric"].tolist() == ["m"] * 3 + ["down"] * 3
    pairs = paired_tests(values, signed_rank=True)
    for place, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
        found = table.iloc[place]
        assert (found["method_a"], found["method_b"], found["n"]) == (f"m{i}", f"m{j}", 25)
        assert (found["baseline_a"], found["baseline_b"]) == ("none", "none")
        assert found["difference"] == pytest.approx((values[i] - values[j]).mean())
        assert found["p_uncorrected"] == pytest.approx(stats.ttest_rel(values[i], values[j]).pvalue)
        assert found["p_signed_rank_uncorrected"] == pytest.approx(pairs.p_signed_rank[place])
        compared = compare(values, True, seed=0).pairs
        for column in ("p_adjusted", "low", "high"):
            assert found[column] == getattr(compared, column)[place]
        assert found["detectable_difference"] == compared.detectable[place]
        assert found["effect"] == pytest.approx(pairs.effect[place])
    assert (table["model"] == "net").all()


def by_removal(first, second, **directions):
    scores = pd.concat([frame(first, metric="blurred"), frame(second, metric="meant")])
    groups = {"deletion": {"blur": "blurred", "mean": "meant", "absent": "nothing"}}
    table = verdict_table(scores, {"blurred": True, "meant": True, **directions}, [], groups, 0)
    found = table[table["metric"] == "deletion (removal)"].to_dict("records")
    assert len(found) == 1
    assert not found[0]["refused"]
    return found[0]["verdict"]


def test_the_tau_of_two_orders_is_that_of_their_means():
    first, second = levels(1, 2, 3, 4), levels(2, 1, 3, 4)
    tau = stats.kendalltau([1, 2, 3, 4], [2, 1, 3, 4]).statistic
    words = by_removal(first, second)
    assert words == (
        "the order of the methods changes with the removal: m1 beats m0 with blur and loses to it with mean; "
        f"lowest Kendall tau between two orders of the means {tau:.2f}"
    )
    opposite = by_removal(first, -first, meant=False)
    assert opposite.startswith("no two methods change places with the removal beyond the noise; lowest Kendall tau")
    assert opposite.endswith("means 1.00")


def test_at_most_three_changes_of_places_are_named():
    words = by_removal(levels(1, 2, 3, 4), levels(4, 3, 2, 1))
    assert words.count("beats") == 3
    assert "(and 3 more pairs)" in words
    assert "more pairs" not in by_removal(levels(1, 2, 3), levels(3, 2, 1))


def test_cells_that_only_one_removal_has_are_not_compared():
    second = frame(levels(2, 1), metric="meant", methods=["m1", "other"])
    scores = pd.concat([frame(levels(1, 2), metric="blurred"), second])
    groups = {"deletion": {"blur": "blurred", "mean": "meant"}}
    table = verdict_table(scores, {"blurred": True, "meant": True}, [], groups, 0)
    assert table["verdict"].iloc[-1] == "no two methods change places with the removal beyond the noise"


def test_a_group_without_a_second_tested_removal_has_no_verdict():
    groups = {"deletion": {"blur": "m", "mean": "nothing"}}
    assert verdict_table(frame(levels(1, 2)), {"m": True}, [], groups, 0)["metric"].tolist() == ["m"]


def test_groups_of_one_name_are_told_apart_by_their_other_parameters():
    metrics = {
        f"{steps}{removal}": ("deletion", {"steps": steps, "removal": removal})
        for steps in (3, 9)
        for removal in ("blur", "mean")
    }
    assert removal_groups(metrics) == {
        'deletion {"steps": 3}': {"blur": "3blur", "mean": "3mean"},
        'deletion {"steps": 9}': {"blur": "9blur", "mean": "9mean"},
    }
