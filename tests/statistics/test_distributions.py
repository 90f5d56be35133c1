"""What is computed without ``scipy.stats`` and ``scipy.optimize`` is theirs, bit for bit."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import scipy

from xaiexp.statistics import distributions as ours

theirs = scipy.stats
FUNCTIONS = (
    lambda x, a, b: math.exp(x * a) - b - 1,
    lambda x, a, b: x**3 - a * x - b,
    lambda x, a, b: math.atan(x - a),
)
SHARES = (0.001, 0.025, 0.05, 0.5, 0.9, 0.975)
FREEDOMS = (1, 2, 7, 63, 511, 3.7)


def same(a, b):
    np.testing.assert_array_equal(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64), strict=True)


def test_students_distribution():
    t = np.concatenate([np.linspace(-40, 40, 501), [0.0, -0.0, math.inf, -math.inf, math.nan]])
    for freedom in (*FREEDOMS, 0, -1):
        same(ours.t_sf(t, freedom), theirs.t.sf(t, freedom))
    freedom = np.resize([*FREEDOMS, 0, math.nan, math.inf], t.shape)
    same(ours.t_sf(t, freedom), theirs.t.sf(t, freedom))
    for share in SHARES:
        same(ours.t_ppf(share, freedom), theirs.t.ppf(share, freedom))
        for each in (*FREEDOMS, 0):
            same(ours.t_isf(share, each), theirs.t.isf(share, each))


def test_normal_distribution():
    for share in SHARES:
        same(ours.normal_ppf(share), theirs.norm.ppf(share))
    for x in (-3.2, 0.0, 1.96, -math.inf):
        same(ours.normal_cdf(x), theirs.norm.cdf(x))


@pytest.mark.parametrize("private", [True, False])
def test_the_noncentral_distribution_and_the_roots_of_its_power(monkeypatch, private):
    if not private:  # another version of scipy
        monkeypatch.setattr(ours, "import_module", lambda name: math)
    for critical in (1.7, 2.04, 3.3, 9.0):
        for freedom in (5, 15, 63):
            for shift in (0.0, 0.5, 2.8, 11.0):
                same(ours.nct_sf(critical, freedom, shift), theirs.nct.sf(critical, freedom, shift))

            def power(shift, critical=critical, freedom=freedom):
                return theirs.nct.sf(critical, freedom, shift) - 0.8

            same(ours.root(power, 0.0, critical * 2 + 10), scipy.optimize.brentq(power, 0.0, critical * 2 + 10))


def test_roots_of_other_functions():
    generator = np.random.default_rng(0)
    for a, b in generator.uniform(0.1, 9, (200, 2)):
        for form in FUNCTIONS:
            function = partial(form, a=a, b=b)
            if function(0.0) * function(30.0 + a) < 0:
                same(ours.root(function, 0.0, 30.0 + a), scipy.optimize.brentq(function, 0.0, 30.0 + a))
    assert ours.root(lambda x: x, 0.0, 1.0) == 0.0
    with pytest.raises(ValueError, match="one sign"):
        ours.root(lambda x: x * x + 1, -1.0, 1.0)


def test_wilsons_interval():
    for total in (1, 2, 16, 63):
        for count in range(total + 1):
            interval = theirs.binomtest(count, total).proportion_ci(0.95, method="wilson")
            same(ours.wilson(count, total, 0.95), (interval.low, interval.high))


@pytest.mark.parametrize("private", [True, False])
def test_the_exact_interval_of_a_share(monkeypatch, private):
    if not private:  # another version of scipy
        monkeypatch.setattr(ours, "import_module", lambda name: math)
    for total in (1, 7, 199, 200):
        for count in (0, 1, 3, total // 2, total - 1, total):
            if count <= total:
                interval = theirs.binomtest(count, total).proportion_ci()
                same(ours.clopper_pearson(count, total), (interval.low, interval.high))


def test_the_studentised_range():
    for groups in (2, *range(3, 41), 41):
        same(ours.studentized_range_95(groups), theirs.studentized_range.ppf(0.95, groups, np.inf))


def test_ranks_and_friedmans_test():
    generator = np.random.default_rng(0)
    for cells, n, values in ((3, 6, 50), (5, 40, 3), (12, 64, 9), (4, 64, 10**6)):
        scores = generator.integers(0, values, (cells, n)).astype(np.float64)
        same(ours.average_ranks(scores.T)[0].T, theirs.rankdata(scores, axis=0))
        same(ours.friedman_p(scores), theirs.friedmanchisquare(*scores).pvalue)


def test_verdicts_and_intervals_import_neither():
    code = (
        "import sys, numpy as np\n"
        "from xaiexp.statistics.multiple_comparisons.comparison import compare\n"
        "from xaiexp.statistics.significance import friedman, paired_tests\n"
        "from xaiexp.statistics.intervals import *\n"
        "x = np.random.default_rng(0).normal(size=(4, 32)) + np.arange(4)[:, None]\n"
        "compare(x, True, seed=0, metrics=2); friedman(x, True); paired_tests(x)\n"
        "print(sorted({'scipy.stats', 'scipy.optimize'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
