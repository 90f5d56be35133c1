from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xaiexp.significance import FEWEST, friedman, holm, more_examples, paired

NAN = float("nan")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_pairs_are_those_of_scipy():
    values = normal(4, 25) + np.arange(4)[:, None] / 4
    values[2, :5] = NAN
    got = paired(values, signed_rank=True)
    for k, (i, j) in enumerate([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]):
        both = np.isfinite(values[i]) & np.isfinite(values[j])
        a, b = values[i, both], values[j, both]
        assert (got.left[k], got.right[k], got.n[k]) == (i, j, both.sum())
        assert got.difference[k] == pytest.approx((a - b).mean())
        assert got.effect[k] == pytest.approx((a - b).mean() / (a - b).std(ddof=1))
        assert got.p[k] == pytest.approx(stats.ttest_rel(a, b).pvalue)
        want = stats.wilcoxon(a, b, method="asymptotic", correction=True).pvalue
        assert got.p_signed_rank[k] == pytest.approx(want)


def test_too_few_examples_in_common_are_not_tested():
    values = normal(2, 10)
    values[0, : 10 - FEWEST + 1] = NAN
    got = paired(values, signed_rank=True)
    assert got.n[0] == FEWEST - 1
    assert np.isnan([got.p[0], got.p_signed_rank[0], got.p_holm[0]]).all()


def test_a_constant_difference_is_certain_and_none_is_none():
    values = np.stack([np.zeros(8), np.ones(8), np.zeros(8)])
    got = paired(values, signed_rank=True)
    assert got.p.tolist() == [0.0, 1.0, 0.0]
    assert got.effect.tolist() == [-np.inf, 0.0, np.inf]
    assert got.p_signed_rank[1] == 1.0


def test_holm_against_its_definition():
    p = np.array([0.001, 0.04, 0.03, NAN, 0.5, 0.012])
    got = holm(p)
    known = [v for v in p if not np.isnan(v)]
    for value, adjusted in zip(p, got, strict=True):
        if np.isnan(value):
            assert np.isnan(adjusted)
            continue
        # The largest, over all smaller p values, of what they are times the number of those not smaller.
        want = max(v * sum(w >= v for w in known) for v in known if v <= value)
        assert adjusted == pytest.approx(min(1.0, want))


def test_more_examples_find_the_difference_as_often_as_they_say():
    effect, n = 0.4, 20
    more = more_examples(effect, n)
    assert more is not None
    count = n + more
    found = stats.ttest_1samp(normal(10000, count) + effect, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.02)
    fewer = stats.ttest_1samp(normal(10000, count - 6) + effect, 0, axis=1).pvalue < 0.05
    assert fewer.mean() < 0.77


@pytest.mark.parametrize(("effect", "count"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_the_number_of_examples_is_the_textbooks(effect, count):
    # The paired t test in the tables of G*Power: two-sided level 0.05, power 0.8.
    assert more_examples(effect, 0) == count


def test_where_enough_examples_are_there_no_more_are_asked_for():
    assert more_examples(2.0, 100) == 0
    assert more_examples(0.0, 100) is None
    assert more_examples(float("inf"), 2) == FEWEST - 2


def test_friedman_against_scipy_and_the_published_critical_values():
    values = normal(5, 30) + np.arange(5)[:, None]
    values[0, 0] = NAN
    got = friedman(values, higher_is_better=True)
    assert got.n == 29
    assert got.p == pytest.approx(stats.friedmanchisquare(*values[:, 1:]).pvalue)
    assert got.mean_ranks.argsort().tolist() == [4, 3, 2, 1, 0]
    # Demsar 2006, table 5: q at 0.05 for 5 and 10 classifiers.
    assert got.critical_difference == pytest.approx(2.728 * (5 * 6 / (6 * 29)) ** 0.5, rel=1e-3)
    ten = friedman(normal(10, 40), higher_is_better=False)
    assert ten.critical_difference == pytest.approx(3.164 * (10 * 11 / (6 * 40)) ** 0.5, rel=1e-3)


def test_friedman_says_nothing_of_two_cells_or_few_examples():
    assert np.isnan(friedman(normal(2, 30), higher_is_better=True).p)
    assert np.isnan(friedman(normal(4, FEWEST - 1), higher_is_better=True).p)
    assert friedman(np.ones((4, 10)), higher_is_better=True).p == 1.0
