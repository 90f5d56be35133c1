from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from xaiexp.statistics.intervals import bootstrap_interval, crossed_intervals
from xaiexp.statistics.multiple_comparisons.comparison import compare
from xaiexp.statistics.summary import SUMMARY_COLUMNS, example_means, summarise

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


def test_several_values_of_an_example_are_averaged_to_one_observation():
    first = table([1.0, 2.0, 3.0, NAN, 5.0, 6.0])
    second = table([3.0, NAN, 3.0, NAN, 1.0, 2.0]).assign(target=2)
    out = summarise(pd.concat([first, second], ignore_index=True), {"m": True}, 0)
    assert out["mean"].tolist() == pytest.approx([np.mean([2.0, 2.0, 3.0, 3.0, 4.0])])
    assert out[["n", "undefined"]].to_numpy().tolist() == [[5, 3]]


def test_metrics_without_a_direction_have_no_ranks():
    out = summarise(scores(), {"low": None, "high": True}, 0)
    without = out[out["metric"] == "low"]
    assert without[["rank_low", "rank_high", "n_common", "mean_common", "mean_worst"]].isna().all(axis=None)
    assert (without["letters"] == "").all()
    assert out.loc[out["metric"] == "high", "letters"].tolist() == ["b", "a"]


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
    assert out["letters"].tolist() == ["a", "b", "", "b", "a", ""]  # the last cell is alone
    assert out["rank_low"].tolist() == out["rank_high"].tolist() == [1, 2, pd.NA, 2, 1, pd.NA]
    assert out["n_common"].tolist() == [6, 6, pd.NA, 7, 7, 7]
    np.testing.assert_allclose(out["mean"], [2, 44 / 7, NAN, 0.5, 0.7, 9])


def test_the_summary_contains_the_results_of_the_interval_and_of_the_comparison():
    values = normal(3, 25) + np.array([[0], [0.5], [1]])
    values[1, :4] = NAN
    frame = pd.concat([table(v, method=f"m{k}") for k, v in enumerate(values)], ignore_index=True)
    out = summarise(frame, {"m": True}, 7)
    want = [bootstrap_interval(v, seed=7) for v in values]
    np.testing.assert_allclose(out[["mean", "low", "high"]], want, rtol=1e-12)
    compared = compare(values, True, seed=7)
    assert out["letters"].tolist() == list(compared.letters)
    np.testing.assert_array_equal(out[["rank_low", "rank_high"]].to_numpy(float).T, compared.ranks)
    np.testing.assert_allclose(out["mean_common"], compared.means)


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_undefined_scores_bound_the_mean_by_the_worst_and_the_best_score(higher_is_better):
    values = normal(2, 12)
    values[0, :2] = NAN
    frame = pd.concat([table(v, method=f"m{k}") for k, v in enumerate(values)], ignore_index=True)
    out = summarise(frame, {"m": higher_is_better}, 0)
    ends = [np.where(np.isnan(values[0]), end, values[0]).mean() for end in (np.nanmin(values), np.nanmax(values))]
    assert out.loc[0, ["mean_worst", "mean_best"]].tolist() == pytest.approx(ends if higher_is_better else ends[::-1])
    assert out.loc[1, "mean_worst"] == pytest.approx(out.loc[1, "mean"])


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
