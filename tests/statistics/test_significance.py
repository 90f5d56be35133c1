from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from xaiexp.statistics.significance import MIN_EXAMPLES, crossed_tests, friedman, holm, paired_tests

NAN = float("nan")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_paired_tests_equal_those_of_scipy():
    values = normal(4, 25) + np.arange(4)[:, None] / 4
    values[2, :5] = NAN
    got = paired_tests(values, signed_rank=True)
    for k, (i, j) in enumerate([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]):
        both = np.isfinite(values[i]) & np.isfinite(values[j])
        a, b = values[i, both], values[j, both]
        assert (got.left[k], got.right[k], got.n[k]) == (i, j, both.sum())
        assert got.difference[k] == pytest.approx((a - b).mean())
        assert got.effect[k] == pytest.approx((a - b).mean() / (a - b).std(ddof=1))
        assert got.p[k] == pytest.approx(stats.ttest_rel(a, b).pvalue)
        want = stats.wilcoxon(a, b, method="asymptotic", correction=True).pvalue
        assert got.p_signed_rank[k] == pytest.approx(want)


def test_pairs_with_too_few_common_examples_are_not_tested():
    values = normal(2, 10)
    values[0, : 10 - MIN_EXAMPLES + 1] = NAN
    got = paired_tests(values, signed_rank=True)
    assert got.n[0] == MIN_EXAMPLES - 1
    assert np.isnan([got.p[0], got.p_signed_rank[0], got.p_adjusted[0]]).all()


def test_a_constant_difference_has_p_zero_and_no_difference_has_p_one():
    values = np.stack([np.zeros(8), np.ones(8), np.zeros(8)])
    got = paired_tests(values, signed_rank=True)
    assert got.p.tolist() == [0.0, 1.0, 0.0]
    assert got.effect.tolist() == [-np.inf, 0.0, np.inf]
    assert got.p_signed_rank[1] == 1.0


def test_holm_equals_its_definition():
    p = np.array([0.001, 0.04, 0.03, NAN, 0.5, 0.012])
    got = holm(p)
    known = [v for v in p if not np.isnan(v)]
    for value, adjusted in zip(p, got, strict=True):
        if np.isnan(value):
            assert np.isnan(adjusted)
            continue
        # The maximum, over all p values up to this one, of the value times the number of p values not below it.
        want = max(v * sum(w >= v for w in known) for v in known if v <= value)
        assert adjusted == pytest.approx(min(1.0, want))
    np.testing.assert_allclose(got[~np.isnan(p)], multipletests(known, method="holm")[1])


def test_friedman_equals_scipy_and_published_critical_values():
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


def test_friedman_is_nan_for_two_cells_or_few_examples():
    assert np.isnan(friedman(normal(2, 30), higher_is_better=True).p)
    assert np.isnan(friedman(normal(4, MIN_EXAMPLES - 1), higher_is_better=True).p)
    assert friedman(np.ones((4, 10)), higher_is_better=True).p == 1.0


def test_a_copy_within_the_rounding_tolerance_shares_the_rank():
    values = normal(3, 20) + 5
    copied = friedman(np.concatenate([values, values[:1]]), higher_is_better=True)
    rounded = friedman(np.concatenate([values, values[:1] * (1 + 3e-7)]), higher_is_better=True)
    assert rounded.mean_ranks.tolist() == copied.mean_ranks.tolist()
    assert rounded.p == pytest.approx(copied.p)


# Crossed tests


def min_f(of_examples, of_seeds, freedom):
    """Clark 1973, equations of section "min F'": from the F of the examples and the F of the seeds."""
    f1, f2 = of_examples.statistic**2, of_seeds**2
    degrees = (f1 + f2) ** 2 / (f1**2 / freedom + f2**2 / of_examples.df)
    return stats.f.sf(f1 * f2 / (f1 + f2), 1, degrees)


def test_a_pair_alone_must_pass_min_f_and_the_test_over_seeds():
    values = normal(2, 20, 3) + normal(2, 1, 3, seed=1) + np.arange(2)[:, None, None]
    over_examples = stats.ttest_rel(values[0].mean(axis=1), values[1].mean(axis=1))
    over_seeds = stats.ttest_rel(values[0].mean(axis=0), values[1].mean(axis=0))
    joint = min_f(over_examples, over_seeds.statistic, 2)
    assert crossed_tests(values).p[0] == pytest.approx(max(joint, over_seeds.pvalue))


def test_variances_over_seeds_are_pooled_over_the_pairs_of_stochastic_cells():
    s = 3
    values = normal(5, 20, s) + normal(5, 1, s, seed=1) + np.arange(5)[:, None, None]
    values[3:] = values[3:, :, :1]  # two cells do not change with the seed
    got = crossed_tests(values)
    means = values.mean(axis=1)
    pairs = list(zip(*np.triu_indices(5, 1), strict=True))
    variance = {(i, j): np.var(means[i] - means[j], ddof=1) for i, j in pairs}
    kinds = {(i, j): int(i < 3) + int(j < 3) for i, j in pairs}
    x = means[:3] - means[:3].mean(axis=1, keepdims=True)
    degrees = {}
    for kind, of_kind in ((1, x), (2, x - x.mean(axis=0))):
        roots = np.linalg.svd(of_kind, compute_uv=False) ** 2  # the eigenvalues of the covariance
        degrees[kind] = (s - 1) * roots.sum() ** 2 / (roots**2).sum()
    for k, (i, j) in enumerate(pairs):
        over_examples = stats.ttest_rel(values[i].mean(axis=1), values[j].mean(axis=1))
        if kinds[i, j] == 0:
            assert got.p[k] == pytest.approx(over_examples.pvalue)
            continue
        pooled = np.mean([variance[pair] for pair in pairs if kinds[pair] == kinds[i, j]])
        of_seeds = (means[i] - means[j]).mean() / (max(pooled, variance[i, j]) / s) ** 0.5
        assert got.p[k] == pytest.approx(min_f(over_examples, of_seeds, degrees[kinds[i, j]]))
        assert got.difference[k] == pytest.approx((values[i] - values[j]).mean())
        assert got.effect[k] == pytest.approx(over_examples.statistic / 20**0.5)
    np.testing.assert_allclose(got.p_adjusted, holm(got.p))


def test_three_seeds_find_large_differences_of_stochastic_cells():
    # Measured: 86 %; 15 % with the variance of each pair alone.
    better = np.arange(8) % 2
    found = []
    for draw in range(40):
        values = normal(8, 32, 1, seed=[draw, 0]) + 2.0 * better[:, None, None]
        values = values + np.append(np.full(6, 0.3), [0, 0])[:, None, None] * normal(8, 1, 3, seed=[draw, 1])
        values = values + np.append(np.full(6, 0.5), [0, 0])[:, None, None] * normal(8, 32, 3, seed=[draw, 2])
        got = crossed_tests(values)
        different = (better[got.left] != better[got.right]) & ((got.left < 6) | (got.right < 6))
        found.append((got.p_adjusted[different] <= 0.05).mean())
    assert np.mean(found) > 0.75


@pytest.mark.parametrize("case", ["one noisy", "from small to large", "a shared effect"])
def test_unequal_variances_over_seeds_do_not_mislead(case):
    spread = {"one noisy": [1, 1, 3], "from small to large": [0.3, 1, 3], "a shared effect": [1, 1, 1]}[case]
    errors = 0
    for draw in range(200):
        values = normal(5, 32, 1, seed=[draw, 0]) + np.zeros((5, 32, 3))
        values[:3] += 0.5 * np.array(spread)[:, None, None] * normal(3, 1, 3, seed=[draw, 1])
        values[:3] += 0.5 * normal(3, 32, 3, seed=[draw, 2])
        if case == "a shared effect":
            values[:3] += normal(1, 1, 3, seed=[draw, 3])
        errors += bool((crossed_tests(values).p_adjusted <= 0.05).any())
    assert errors / 200 < 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5


def test_with_one_seed_or_equal_seeds_crossed_tests_equal_paired_tests():
    values = normal(4, 12) + np.arange(4)[:, None]
    values[3] = values[2] + 1
    values[1, :3] = NAN
    want = paired_tests(values)
    for seeds in (1, 4):
        got = crossed_tests(np.repeat(values[:, :, None], seeds, axis=2))
        for name in ("n", "difference", "effect", "p", "p_adjusted"):
            np.testing.assert_allclose(getattr(got, name), getattr(want, name), rtol=1e-9)


def test_missing_values_are_left_out_of_the_mean_of_an_example():
    values = normal(2, 15, 4) + normal(2, 1, 4, seed=1) + np.array([[[0.0]], [[1.5]]])
    values[0, :6, 1] = values[1, 4:8, 2] = values[1, 0] = NAN
    differences = values[0] - values[1]
    rows = [row[np.isfinite(row)] for row in differences[1:]]
    n, s = len(rows), 4
    mean = sum(row.mean() for row in rows) / n
    of_examples = sum((row.mean() - mean) ** 2 for row in rows) / n / (n - 1)
    of_seeds = 0.0
    for j in range(s):
        rest = sum(
            (row[j] - mean) / np.isfinite(row).sum() / n for row in differences[1:] if np.isfinite(row[j])
        )  # the effect of this seed on the mean
        of_seeds += s / (s - 1) * rest**2
    freedom = (of_examples + of_seeds) ** 2 / (of_examples**2 / (n - 1) + of_seeds**2 / (s - 1))
    joint = 2 * stats.t.sf(abs(mean) / (of_examples + of_seeds) ** 0.5, freedom)
    over_seeds = 2 * stats.t.sf(abs(mean) / of_seeds**0.5, s - 1)
    got = crossed_tests(values)
    assert got.n.tolist() == [14]
    assert got.difference[0] == pytest.approx(mean)
    assert got.p[0] == pytest.approx(max(joint, over_seeds))


def test_pairs_with_one_common_seed_of_several_are_not_tested():
    values = normal(3, 10, 3)
    values[0, :, 1:] = NAN
    got = crossed_tests(values)
    assert np.isnan(got.p).tolist() == [True, True, False]
    assert got.n.tolist() == [10, 10, 10]
    assert np.isnan(crossed_tests(np.full((2, 10, 3), NAN)).p).all()


def test_a_difference_that_varies_over_seeds_is_tested_over_seeds():
    values = np.zeros((3, 10, 2))
    values[1] = 1.0
    values[2] = [0.9, 1.0]
    got = crossed_tests(values)
    assert got.p[0] == 0.0
    assert got.p[1] == pytest.approx(stats.ttest_1samp([0.9, 1.0], 0).pvalue)
    assert got.p[2] == pytest.approx(stats.ttest_1samp([0.1, 0.0], 0).pvalue)


@pytest.mark.parametrize(("seeds", "of_seed"), [(2, 1.0), (3, 1.0), (5, 1.0), (3, 0.25)])
def test_crossed_tests_of_equal_cells_control_the_family_wise_error_rate(seeds, of_seed):
    # With an effect of the seed, paired tests hold for the given seeds only.
    crossed_errors = paired_errors = 0
    for draw in range(300):
        values = normal(8, 32, seeds, seed=[draw, 0]) + normal(8, 32, 1, seed=[draw, 1])
        values += of_seed * normal(8, 1, seeds, seed=[draw, 2])
        crossed_errors += bool((crossed_tests(values).p_adjusted <= 0.05).any())
        paired_errors += bool((paired_tests(values.mean(axis=2)).p_adjusted <= 0.05).any())
    assert crossed_errors / 300 < 0.05 + 4 * (0.05 * 0.95 / 300) ** 0.5
    assert paired_errors > 2 * crossed_errors
