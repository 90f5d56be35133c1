from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from xaiexp.statistics.variance import corrected_shares, shares


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


# Without sampling noise


def crossed(methods, baselines, n, *, of_method=0.0, of_baseline=0.0, seed=0):
    rng = np.random.default_rng(seed)
    cells = design(method=list(range(methods)), baseline=list(range(baselines)))
    means = of_method * cells["method"] + of_baseline * cells["baseline"]
    return means.to_numpy()[:, None] + rng.normal(size=(1, n)) + rng.normal(size=(len(cells), n)), cells


def test_corrected_shares_are_epsilon_squared_of_the_analysis_of_variance():
    values, cells = crossed(4, 3, 25, of_method=0.3, of_baseline=0.6)
    rows = cells.loc[cells.index.repeat(25)].assign(example=np.tile(np.arange(25), 12), score=values.ravel())
    tested = anova_lm(ols("score ~ C(method) * C(baseline) + C(example)", rows).fit())
    left = {
        name: tested.loc[term, "sum_sq"] - tested.loc[term, "df"] * tested.loc["Residual", "mean_sq"]
        for name, term in (("method", "C(method)"), ("baseline", "C(baseline)"), ("rest", "C(method):C(baseline)"))
    }
    whole = sum(max(0.0, value) for value in left.values())
    got = corrected_shares(values, cells, ["method", "baseline"], seed=0)
    for name, value in left.items():
        assert got[name].share == pytest.approx(max(0.0, value) / whole)
        assert got[name].low <= got[name].share <= got[name].high


def test_a_factor_with_many_levels_collects_no_noise():
    truth = corrected_shares(*crossed(8, 2, 20000, of_baseline=0.5), ["method", "baseline"], seed=0, resamples=2)
    assert truth["baseline"].share == pytest.approx(1.0, abs=0.01)
    draws = [crossed(8, 2, 16, of_baseline=0.5, seed=s) for s in range(30)]
    corrected = [corrected_shares(*draw, ["method", "baseline"], seed=0, resamples=2)["method"].share for draw in draws]
    plain = [shares(c.assign(mean=v.mean(axis=1)), ["method", "baseline"])["method"] for v, c in draws]
    assert np.mean(plain) > 0.2
    assert np.mean(corrected) < 0.5 * np.mean(plain)


def test_the_interval_of_a_share_covers_it():
    truth = corrected_shares(
        *crossed(3, 3, 40000, of_method=0.4, of_baseline=0.4), ["method", "baseline"], seed=0, resamples=2
    )
    covered = 0
    for seed in range(40):
        values, cells = crossed(3, 3, 40, of_method=0.4, of_baseline=0.4, seed=seed + 1)
        got = corrected_shares(values, cells, ["method", "baseline"], seed=seed, resamples=80)
        covered += got["method"].low <= truth["method"].share <= got["method"].high
    assert covered >= 33


def test_without_two_factors_or_examples_there_are_no_corrected_shares():
    values, cells = crossed(3, 2, 10)
    assert corrected_shares(values[:, :1], cells, ["method", "baseline"], seed=0) == {}
    assert corrected_shares(values[::2], cells[::2].reset_index(drop=True), ["method", "baseline"], seed=0) == {}
    assert corrected_shares(np.ones((6, 9)), cells, ["method", "baseline"], seed=0) == {}
