"""A small version of ``benchmarks/interval_coverage.py``: printed intervals miss what they are of rarely enough."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def coverage():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        spec = importlib.util.spec_from_file_location("coverage_of_intervals", FOLDER / "interval_coverage.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("column", "population", "n", "draws", "most"),
    [
        ("mean", "normal", 32, 1000, 0.075),
        ("mean", "binary", 32, 1000, 0.075),
        ("differences", "normal", 32, 60, 0.15),
        ("alpha", "normal", 32, 60, 0.15),
        ("shares", "normal", 64, 60, 0.12),
        ("needed", "normal", 64, 60, 0.15),
    ],
)
def test_intervals_hold_their_coverage(coverage, column, population, n, draws, most):
    measure, _ = coverage.COLUMNS[column]
    assert measure(coverage.POPULATIONS[population], np.random.default_rng(3), n, draws) <= most


def test_an_interval_misses_where_it_does_not_contain_the_truth(coverage):
    assert coverage.missed(np.array([0.0, 1.0, -2.0, -1.0]), np.array([1.0, 2.0, -1.0, 1.0]), 0.0) == 0.5
