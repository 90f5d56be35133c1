from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from xaiexp.statistics.variance import shares


def design(**levels):
    rows = itertools.product(*levels.values())
    return pd.DataFrame(list(rows), columns=list(levels))


def test_shares_of_a_balanced_design_are_the_sums_of_squares_of_main_effects():
    rng = np.random.default_rng(0)
    table = design(method=list("abcd"), baseline=list("xyz"), seed=[0, 1])
    table["mean"] = rng.normal(size=len(table)) + table["baseline"].map({"x": 0, "y": 2, "z": 3})
    got = shares(table, ["method", "baseline", "seed"])
    total = ((table["mean"] - table["mean"].mean()) ** 2).sum()
    for factor in ("method", "baseline", "seed"):
        effect = table.groupby(factor)["mean"].transform("mean") - table["mean"].mean()
        assert got[factor] == pytest.approx((effect**2).sum() / total)
    assert sum(got.values()) == pytest.approx(1)
    assert list(got)[-1] == "rest"


def test_shares_of_an_unbalanced_design_are_averages_over_all_orders():
    rng = np.random.default_rng(1)
    table = design(method=list("abc"), baseline=list("xyz"), seed=[0, 1]).drop([0, 5, 11])
    table["mean"] = rng.normal(size=len(table)) + (table["method"] == "a") + (table["baseline"] == "x")
    factors = ["method", "baseline", "seed"]

    def explained(chosen):
        columns = [np.ones(len(table))]
        columns += [(table[f] == level).to_numpy(float) for f in chosen for level in table[f].unique()]
        matrix = np.stack(columns, axis=1)
        target = table["mean"].to_numpy()
        fitted = matrix @ np.linalg.pinv(matrix) @ target
        return ((fitted - target.mean()) ** 2).sum() / ((target - target.mean()) ** 2).sum()

    got = shares(table, factors)
    for factor in factors:
        gains = []
        for order in itertools.permutations(factors):
            before = list(order[: order.index(factor)])
            gains.append(explained([*before, factor]) - explained(before))
        assert got[factor] == pytest.approx(np.mean(gains), abs=1e-10)
    assert got["rest"] == pytest.approx(1 - explained(factors), abs=1e-10)


def test_interactions_belong_to_the_rest():
    table = design(method=["a", "b"], baseline=["x", "y"])
    table["mean"] = [0.0, 1.0, 1.0, 0.0]
    assert shares(table, ["method", "baseline"]) == {"method": 0.0, "baseline": 0.0, "rest": 1.0}


def test_without_variance_there_are_no_shares():
    table = design(method=["a", "b"], baseline=["x"])
    table["mean"] = [1.0, 1.0]
    assert shares(table, ["method", "baseline"]) == {}
    table["mean"] = [1.0, np.nan]
    assert shares(table, ["method", "baseline"]) == {}
    table["mean"] = [1.0, 2.0]
    assert shares(table, ["method", "baseline"]) == {"method": 1.0, "rest": 0.0}


def test_differences_within_the_rounding_tolerance_are_no_variance():
    table = design(method=["a", "b"], seed=[0, 1])
    table["mean"] = [0.3, 0.1 + 0.2, 0.3 * (1 + 3e-7), 0.3]
    assert shares(table, ["method", "seed"]) == {}
