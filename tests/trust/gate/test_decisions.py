from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from xaiexp.trust.gate.decisions import decide, interval
from xaiexp.trust.gate.derived import slack


def shares_of_status(mean, at_least, n, repeats=300, spread=1.0):
    rng = np.random.default_rng(3)
    found = [decide(rng.normal(mean, spread, n), at_least, None).status for _ in range(repeats)]
    return {status: found.count(status) / repeats for status in ("passes", "fails", "undecided")}


def test_a_mean_at_the_threshold_is_decided_as_rarely_as_the_confidence_says():
    found = shares_of_status(0.0, 0.0, n=40)
    assert found["passes"] < 0.06  # 2.5 % each, 300 draws
    assert found["fails"] < 0.06


def test_a_mean_far_beyond_the_threshold_passes_or_fails():
    assert shares_of_status(1.0, 0.0, n=40, repeats=50)["passes"] == 1
    assert shares_of_status(-1.0, 0.0, n=40, repeats=50)["fails"] == 1


def test_the_number_that_would_decide_does_so_in_four_of_five_studies():
    rng = np.random.default_rng(0)
    pilot = rng.normal(0, 1, 60)
    pilot = (pilot - pilot.mean()) / pilot.std(ddof=1) + 0.2
    found = decide(pilot, 0.0, None)
    assert found.status == "undecided"
    needed = found.needed.examples
    assert needed == pytest.approx((scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(0.8)) ** 2 / 0.04, rel=0.02)
    assert 0.72 < shares_of_status(0.2, 0.0, n=needed, repeats=200)["passes"] < 0.88


def test_a_margin_takes_the_place_of_the_observed_distance():
    values = np.tile([0.0, 1.0], 20)
    near, wide = decide(values, 0.5, None, margin=0.1), decide(values, 0.5, None, margin=0.2)
    assert decide(values, 0.5, None).needed is None  # the mean is at the threshold
    assert near.needed.examples == pytest.approx(4 * wide.needed.examples, rel=0.05)


def test_two_thresholds_pass_between_them_alone():
    values = np.random.default_rng(0).normal(0.5, 0.1, 100)
    assert decide(values, 0.4, 0.6).status == "passes"
    assert decide(values, 0.6, 0.7).status == "fails"
    assert decide(values, 0.3, 0.4).status == "fails"
    assert decide(values, 0.5, 0.6).status == "undecided"


@pytest.mark.parametrize(("right", "n"), [(18, 20), (20, 20), (0, 20), (1, 7)])
def test_shares_have_the_interval_of_wilson(right, n):
    values = np.array([1.0] * right + [0.0] * (n - right))
    mean, low, high = interval(values, 0.95, (0.0, 1.0), 0)
    expected = scipy.stats.binomtest(right, n).proportion_ci(method="wilson")
    assert (mean, low, high) == pytest.approx((right / n, expected.low, expected.high), abs=1e-9)


def test_equal_values_at_a_bound_are_no_proof():
    found = decide(np.ones(20), 0.9, None, bounds=(0.0, 1.0))
    assert found.status == "undecided"
    count = found.needed.examples
    assert scipy.stats.binomtest(count, count).proportion_ci(method="wilson").low >= 0.9
    assert scipy.stats.binomtest(count - 1, count - 1).proportion_ci(method="wilson").low < 0.9


def test_too_few_and_undefined_values_decide_nothing():
    found = decide(np.array([1.0, 2.0, math.nan, 3.0, 4.0, 5.0]), 0.0, None)
    assert (found.status, found.n, found.undefined, found.needed) == ("undecided", 5, 1, None)
    assert decide(np.full(8, np.nan), 0.0, None).status == "undecided"


def test_a_threshold_that_was_derived_passes_the_next_study():
    rng, n, passed = np.random.default_rng(1), 30, 0
    for _ in range(200):
        first, second = rng.normal(0, 1, n), rng.normal(0, 1, n)
        mean, low, _ = interval(first, 0.95, (None, None), 0)
        passed += decide(second, mean - slack() * (mean - low), None).status == "passes"
    assert 0.9 <= passed / 200 <= 0.99
