"""A small version of ``benchmarks/claims.py``: error rates of what is printed, for scores with a known population."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from scipy import stats

SPEC = importlib.util.spec_from_file_location("claims", Path(__file__).parents[2] / "benchmarks" / "claims.py")
claims = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(claims)

DRAWS = 60


@pytest.mark.parametrize(
    ("shape", "cells", "examples", "unequal"),
    [("normal", 6, 32, False), ("skewed", 3, 32, True), ("tied", 3, 16, False), ("half-zero", 6, 32, True)],
)
def test_printed_separations_and_intervals_hold_their_level(shape, cells, examples, unequal):
    got = claims.measure(shape, cells, examples, unequal, DRAWS)
    most = stats.binom.ppf(0.999, DRAWS, 0.05) / DRAWS
    for name in ("letters", "random", "differences", "ranks"):
        assert got[name] <= most, name
    assert got["means"] <= 0.09
    assert got["power"] > 0.02


def test_the_bound_of_a_rate_is_that_of_clopper_and_pearson():
    assert claims.bound(0.05, 200) == pytest.approx(stats.beta.ppf(0.95, 11, 190))
