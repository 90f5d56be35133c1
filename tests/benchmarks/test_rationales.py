"""Attributions find the words that people marked as the reason, and random numbers do not."""

from __future__ import annotations

import importlib
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import xaiexp

ROOT = Path(__file__).parents[2]
METHODS = ("saliency", "chefer", "random")


@pytest.fixture(scope="module")
def rationales():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module("rationales")
        sys.modules.pop("rationales", None)


@pytest.fixture(scope="module")
def rows(rationales, kit, tmp_path_factory):
    """The benchmark on the first 64 word pieces of the reviews."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("rationales"))
        found = rationales.gains(xaiexp.run(rationales.overrides(kit, METHODS, 64, "label", None), quiet=True), METHODS)
    return {(row.method, row.measure, row.evidence): row for row in found}


@pytest.mark.parametrize("evidence", ["positive", "magnitudes"])
@pytest.mark.parametrize("measure", ["average_precision", "precision_at_k", "relevance_mass"])
def test_random_numbers_are_no_better_and_no_worse_than_chance(rows, measure, evidence):
    row = rows["random", measure, evidence]
    width = row.high - row.low  # six intervals of 95 %: one of them may well miss 0, none by its width
    assert row.low - width / 2 < 0 < row.high + width / 2
    assert row.count >= 8


@pytest.mark.parametrize("measure", ["average_precision", "precision_at_k", "relevance_mass"])
@pytest.mark.parametrize("method", ["saliency", "chefer"])
def test_real_methods_find_the_marked_words(rows, method, measure):
    row = rows[method, measure, "positive"]
    assert 0 < row.low < row.gain < row.high


@pytest.mark.parametrize(("count", "marked", "scored"), [(5, 2, 5), (5, 1, 3), (6, 3, 2), (5, 4, 0)])
def test_the_chance_of_average_precision_is_the_mean_over_all_orders(rationales, count, marked, scored):
    truth = np.arange(count) < marked
    # The first `scored` places have an order, the others tie.
    scores = np.maximum(np.arange(count, 0, -1) - (count - scored), 0)
    all_ = [average_precision_score(truth[list(order)], scores) for order in itertools.permutations(range(count))]
    assert rationales.chance_of_average_precision(count, marked, scored) == pytest.approx(np.mean(all_), rel=1e-12)
