from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xaiexp.statistics.intervals import bootstrap_interval, crossed_intervals
from xaiexp.statistics.significance import MIN_EXAMPLES, paired_tests
from xaiexp.statistics.summary import SUMMARY_COLUMNS, example_means, ranks, summarise

NAN = float("nan")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def table(values, *, metric="m", study=0, method="a", baseline="zero"):
    return pd.DataFrame(
        {
            "model": "net",
            "dataset": "data",
            "seed": study,
            "method": method,
            "baseline": baseline,
            "metric": metric,
            "example": [f"e{i}" for i in range(len(values))],
            "target": 1,
            "value": values,
        }
    )


# Ranks


def test_a_rank_is_one_plus_the_number_of_cells_in_better_groups():
    shared = normal(40)
    values = np.stack([shared + gain + 0.1 * normal(40, seed=k) for k, gain in enumerate((0.0, 2.0, 0.0, 1.0))])
    assert ranks(values, True) == [3, 1, 3, 2]
    assert ranks(values, False) == [1, 4, 1, 3]
    assert ranks(-values, False) == [3, 1, 3, 2]


def test_comparisons_are_paired():
    values = np.stack([100 * normal(20), 100 * normal(20) + 0.1])
    assert ranks(values, True) == [2, 1]
    shuffled = np.stack([values[0], np.random.default_rng(1).permutation(values[1])])
    assert ranks(shuffled, True) == [1, 1]


def test_identical_cells_share_a_rank():
    values = np.stack([normal(30)] * 3 + [normal(30) + 9])
    assert ranks(values, True) == [2, 2, 2, 1]


def test_a_group_of_equal_ranks_ends_before_the_first_cell_that_differs_significantly_from_a_member():
    values = normal(8, 60) + np.linspace(0, 2.5, 8)[:, None]
    pairs = [(i, j) for i in range(8) for j in range(i + 1, 8)]
    p = sorted((stats.ttest_rel(values[i], values[j]).pvalue, i, j) for i, j in pairs)
    beaten, worst = {}, 0.0
    for step, (value, i, j) in enumerate(p):
        worst = max(worst, value * (len(p) - step))
        beaten[i, j] = beaten[j, i] = worst <= 0.05
    want, group = [0] * 8, []
    for place, i in enumerate(np.argsort(-values.mean(axis=1)), start=1):
        if any(beaten[i, member] for member in group):
            group = []
        group.append(i)
        want[i] = want[group[0]] if len(group) > 1 else place
    assert ranks(values, True) == want
    assert 2 < len(set(want)) < 8


def test_cells_of_one_rank_do_not_differ_significantly():
    # The second cell is noisy: it differs significantly from none, although the first differs from the third.
    generator = np.random.default_rng(1)
    for _ in range(20):
        values = np.array([[1.0], [0.7], [0.6], [0.5]]) + np.array([[0.1], [2.0], [0.1], [0.1]]) * generator.normal(
            size=(4, 12)
        )
        places, pairs = ranks(values, True), paired_tests(values)
        for i, j, p in zip(pairs.left, pairs.right, pairs.p_holm, strict=True):
            assert p > 0.05 or places[i] != places[j]


def test_cells_are_compared_on_the_examples_where_both_are_defined():
    better, worse = np.full(20, 1.0), np.full(20, 0.0)
    worse[:10] = NAN
    better[16:] = NAN
    assert ranks(np.stack([better, worse]), True) == [1, 2]  # six examples in common
    better[15] = NAN
    assert MIN_EXAMPLES == 6
    assert ranks(np.stack([better, worse]), True) == [1, 1]


def test_a_cell_without_values_has_no_rank_and_is_not_counted():
    assert ranks(np.array([[0.0] * 9, [NAN] * 9, [1.0] * 9]), True) == [2, None, 1]
    assert ranks(np.array([[NAN] * 9]), True) == [None]
    assert ranks(np.array([[1.0] * 9]), True) == [1]


def test_values_within_the_rounding_tolerance_tie():
    values = normal(40) + 3
    rounded = values * (1 + 3e-7)
    assert ranks(np.stack([values, rounded]), True) == [1, 1]
    assert ranks(np.stack([values, values * (1 + 3e-5)]), True) == [2, 1]
    assert paired_tests(np.stack([values, rounded])).p.tolist() == [1.0]


def test_ranks_of_many_equal_cells_control_the_family_wise_error_rate():
    alarms = sum(len(set(ranks(normal(10, 32, seed=s), True))) > 1 for s in range(300))
    assert alarms / 300 < 0.05 + 4 * (0.05 * 0.95 / 300) ** 0.5


def test_several_values_of_an_example_are_averaged_to_one_observation():
    first = table([1.0, 2.0, 3.0, NAN, 5.0, 6.0])
    second = table([3.0, NAN, 3.0, NAN, 1.0, 2.0]).assign(target=2)
    out = summarise(pd.concat([first, second], ignore_index=True), {"m": True}, 0)
    assert out["mean"].tolist() == pytest.approx([np.mean([2.0, 2.0, 3.0, 3.0, 4.0])])
    assert out[["n", "undefined"]].to_numpy().tolist() == [[5, 3]]


def test_metrics_without_a_direction_have_no_ranks():
    out = summarise(scores(), {"low": None, "high": True}, 0)
    assert out.loc[out["metric"] == "low", "rank"].isna().all()
    assert out.loc[out["metric"] == "low", "rank_low"].isna().all()
    assert out.loc[out["metric"] == "high", "rank"].tolist() == [2, 1]


def test_ranks_of_two_equal_cells_control_the_error_rate():
    for n in (8, 64):
        apart = sum(ranks(normal(2, n, seed=s), True) != [1, 1] for s in range(300))
        assert apart / 300 < 0.05 + 4 * (0.05 * 0.95 / 300) ** 0.5


def test_cells_that_differ_significantly_have_different_ranks_even_if_their_means_are_in_reverse_order():
    # The first cell is defined for the easy examples only, and is worse on these.
    easy = np.repeat([0.0, 10.0], 10)
    values = np.stack([easy + 0.1 * normal(20), easy + 1 + 0.1 * normal(20, seed=1)])
    values[0, :10] = NAN
    assert paired_tests(values).p_holm[0] < 0.05
    assert ranks(values, True) == [1, 2]


# The summary


def scores():
    return pd.concat(
        [
            table([1.0, 2.0, 3.0, NAN, 2.0, 2.0, 2.0], metric="low"),
            table([5.0, 6.0, 7.0, 8.0, 6.0, 6.0, 6.0], metric="low", method="b"),
            table([NAN] * 7, metric="low", method="b", baseline="blur"),
            table([0.5] * 7, metric="high"),
            table([0.7] * 7, metric="high", method="b"),
            table([9.0] * 7, metric="low", study=1),
        ],
        ignore_index=True,
    )


def test_the_summary_has_a_row_for_every_cell_and_metric_of_every_study():
    out = summarise(scores(), {"low": False, "high": True}, 0)
    assert tuple(out.columns) == SUMMARY_COLUMNS
    rows = out[["seed", "method", "baseline", "metric", "n", "undefined"]]
    assert rows.to_numpy().tolist() == [
        [0, "a", "zero", "low", 6, 1],
        [0, "b", "zero", "low", 7, 0],
        [0, "b", "blur", "low", 0, 7],
        [0, "a", "zero", "high", 7, 0],
        [0, "b", "zero", "high", 7, 0],
        [1, "a", "zero", "low", 7, 0],
    ]
    assert out["rank"].tolist() == [1, 2, pd.NA, 2, 1, 1]
    np.testing.assert_allclose(out["mean"], [2, 44 / 7, NAN, 0.5, 0.7, 9])


def test_the_summary_contains_the_results_of_the_interval_and_rank_functions():
    values = normal(3, 25) + np.array([[0], [0.5], [1]])
    values[1, :4] = NAN
    frame = pd.concat([table(v, method=f"m{k}") for k, v in enumerate(values)], ignore_index=True)
    out = summarise(frame, {"m": True}, 7)
    want = [bootstrap_interval(v, seed=7) for v in values]
    np.testing.assert_allclose(out[["mean", "low", "high"]], want, rtol=1e-12)
    assert out["rank"].tolist() == ranks(values, True)


def test_the_summary_is_independent_of_the_order_of_rows():
    frame = scores()
    directions = {"low": False, "high": True}
    key = list(SUMMARY_COLUMNS[:6])
    straight = summarise(frame, directions, 0).sort_values(key, ignore_index=True)
    shuffled = summarise(frame.sample(frac=1, random_state=0), directions, 0).sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(straight, shuffled)


def test_the_summary_of_no_scores_is_empty():
    out = summarise(scores().iloc[:0], {}, 0)
    assert tuple(out.columns) == SUMMARY_COLUMNS
    assert len(out) == 0


def test_a_metric_missing_in_directions_raises():
    with pytest.raises(KeyError, match="high"):
        summarise(scores(), {"low": False}, 0)


def test_a_large_study_is_summarised_within_two_seconds():
    values = normal(6, 12, 1024)
    frame = pd.concat(
        [table(values[m, c], metric=f"x{m}", method=f"c{c}") for m in range(6) for c in range(12)], ignore_index=True
    )
    started = time.process_time()
    summarise(frame, {f"x{m}": True for m in range(6)}, 0)
    assert time.process_time() - started < 2  # about 0.3 s on an idle machine


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_ranks_are_monotone_in_the_means(higher_is_better):
    # The second cell is noisy: fewer cells are significantly better than it, although the third has a better mean.
    generator = np.random.default_rng(0)
    for _ in range(10):
        spread = np.array([[0.05], [2.0], [0.05], [0.05]])
        values = np.array([[1.0], [0.6], [0.8], [0.0]]) + spread * generator.normal(size=(4, 12))
        given = ranks(values, higher_is_better)
        order = np.argsort(-values.mean(axis=1) if higher_is_better else values.mean(axis=1))
        assert [given[i] for i in order] == sorted(given)


def test_over_seeds_the_summary_has_the_crossed_interval():
    values = normal(25, 3) + normal(1, 3, seed=1)
    values[:4, 2] = NAN
    frame = pd.concat([table(values[:, j], study=j) for j in range(3)], ignore_index=True)
    twice = pd.concat([frame, frame.assign(target=2, value=frame["value"] + 2)], ignore_index=True)
    (row,) = summarise(twice.sample(frac=1, random_state=0), {"m": True}, 5, over_seeds=True).to_dict("records")
    want = crossed_intervals(values[None] + 1, seed=5)[:, 0]
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(tuple(want), rel=1e-12)
    assert (row["seed"], row["n"], row["undefined"]) == ("all", 25, 8)
    alone = summarise(frame, {"m": True}, 5)
    assert len(alone) == 3
    assert row["high"] - row["low"] > (alone["high"] - alone["low"]).max()


def test_example_means_average_the_finite_values_of_each_example():
    rows = pd.DataFrame({"example": ["b", "a", "b", "a", "c"], "value": [1.0, 5.0, 3.0, np.inf, NAN]})
    np.testing.assert_array_equal(example_means(rows), [5.0, 2.0, NAN])
