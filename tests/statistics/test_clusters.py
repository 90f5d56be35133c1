"""Clusters in place of examples: what is averaged, and what the tests then promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xaiexp.statistics.multiple_comparisons.comparison import compare
from xaiexp.statistics.summary import by_cluster, example_means, summarise, tables

CELLS = ("a", "b", "c")


def frame(values, clusters=None):
    """Scores of ``values [cells, N]``; example i is named ``e i``."""
    rows = [
        {"model": "m", "dataset": "d", "seed": 0, "method": cell, "baseline": "none", "metric": "s"}
        | {"example": f"e{i}", "target": 0, "value": value}
        for cell, of_cell in zip(CELLS, values, strict=False)
        for i, value in enumerate(of_cell)
    ]
    return by_cluster(pd.DataFrame(rows), clusters or {})


def test_the_value_of_a_cluster_is_the_mean_of_its_defined_scores():
    values = np.array([[1.0, 2.0, 6.0, np.nan, 4.0], [1.0, 1.0, 1.0, np.nan, 3.0]])
    clusters = {"e0": "y", "e1": "y", "e2": "y", "e3": "x", "e4": "x"}
    scores = frame(values, clusters)
    (table,) = tables(scores)
    assert table.values.tolist() == [[4.0, 3.0], [3.0, 1.0]]  # x before y
    assert table.undefined.tolist() == [1, 1]
    assert summarise(scores, {"s": True}, 0)["n"].tolist() == [2, 2]
    assert example_means(scores[scores["method"] == "a"]).tolist() == [4.0, 3.0]
    assert frame(values).equals(frame(values, {}))


def test_an_example_without_a_cluster_is_one_of_its_own():
    assert frame([[1.0, 2.0, 3.0]], {"e0": "x", "e1": "x"})["example"].tolist() == ["x", "x", "e2"]


def test_equal_clusters_of_one_example_change_nothing():
    values = np.random.default_rng(0).normal(size=(3, 20))
    plain, single = (next(iter(tables(frame(values, c)))) for c in ({}, {f"e{i}": f"e{i}" for i in range(20)}))
    np.testing.assert_array_equal(plain.values, single.values)


def test_the_mean_difference_of_clusters_is_tested_as_a_t_test_of_cluster_means_does():
    random = np.random.default_rng(1)
    member = random.integers(0, 15, 90)
    values = random.normal(size=(2, 90)) + random.normal(size=(2, 15))[:, member]
    clusters = {f"e{i}": f"c{m}" for i, m in enumerate(member)}
    (table,) = tables(frame(values, clusters))
    means = [pd.Series(row).groupby(member).mean() for row in values]
    pairs = compare(table.values, True, seed=0).pairs
    assert pairs.n.tolist() == [15]
    assert pairs.p[0] == pytest.approx(stats.ttest_rel(*means).pvalue, rel=1e-9)


@pytest.mark.parametrize("clusters", [12, 30])
def test_correlated_examples_are_separated_falsely_by_example_and_not_by_cluster(clusters):
    """Equal population means; half of the variance of a score is shared by the six examples of a cluster."""
    draws, false = 100, {"examples": 0, "clusters": 0}
    of_example = {f"e{i}": f"c{i // 6}" for i in range(6 * clusters)}
    for draw in range(draws):
        random = np.random.default_rng([clusters, draw])
        shared = random.normal(size=(3, clusters)).repeat(6, axis=1)
        values = shared + random.normal(size=(3, 6 * clusters))
        for unit, mapping in (("examples", {}), ("clusters", of_example)):
            (table,) = tables(frame(values, mapping))
            false[unit] += bool(compare(table.values, True, seed=draw).better.any())
    assert stats.binomtest(false["clusters"], draws, 0.05, alternative="greater").pvalue > 0.01
    assert false["examples"] > 0.2 * draws
