"""Measures of the largest magnitudes against their definitions: ties, zeros, signs, chance, depth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from agreement_cases import TOP_K, by_loops, tied_maps
from reference import agreements_loops as loops

from xaiexp.builtin.agreements.top_k_formulas import expected_iou
from xaiexp.builtin.agreements.top_k_measures import (
    FeatureAgreement,
    RankAgreement,
    RankBiasedOverlap,
    SignAgreement,
    SignedRankAgreement,
    TopKIou,
    TopKIouAdjusted,
)


@pytest.mark.parametrize("k", [None, 1, 2, 3, 5, 9])
@pytest.mark.parametrize("d", [2, 3, 5])
@pytest.mark.parametrize("cls", [*TOP_K, TopKIouAdjusted])
def test_top_k_measures_equal_their_definitions_over_all_ways_of_breaking_ties(cls, d, k):
    a, b = tied_maps(2, 12, d, seed=d)
    expected = [by_loops(cls(k=k), *rows) for rows in zip(a, b, strict=True)]
    np.testing.assert_allclose(cls(k=k).compare(a, b), expected, atol=1e-12)


@pytest.mark.parametrize("cls", TOP_K)
def test_k_is_a_tenth_of_the_features_by_default_and_at_most_all(cls):
    a, b = tied_maps(2, 10, 31, high=10**6)
    assert torch.equal(cls().compare(a, b), cls(k=3).compare(a, b))
    assert torch.equal(cls(k=1000).compare(a, b), cls(k=31).compare(a, b))
    assert torch.equal(cls().compare(a[:, :9], b[:, :9]), cls(k=1).compare(a[:, :9], b[:, :9]))


def test_ties_in_one_map_give_the_expectation_over_breaking_them():
    a = torch.tensor([[5.0, 1.0, 1.0, 1.0, 1.0]])  # one certain place, four features for the second
    b = torch.tensor([[4.0, 5.0, 3.0, 2.0, 1.0]])
    assert FeatureAgreement(k=2).compare(a, b).item() == pytest.approx((1 + 1 / 4) / 2)
    assert RankAgreement(k=2).compare(a, b).item() == pytest.approx(0)
    assert RankAgreement(k=3).compare(a, b).item() == pytest.approx((1 / 4) / 3)


def test_the_sign_of_zero_agrees_with_no_sign():
    a, b = torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([[2.0, 0.0, -1.0]])
    assert SignAgreement(k=3).compare(a, b).item() == pytest.approx(1 / 2)
    assert SignedRankAgreement(k=3).compare(a, b).item() == pytest.approx(1 / 2)


@pytest.mark.parametrize(("d", "a", "b"), [(6, 1, 1), (6, 2, 4), (5, 3, 3), (7, 5, 4), (4, 4, 4), (4, 0, 2)])
def test_the_expected_iou_is_the_mean_over_all_sets(d, a, b):
    expected = loops.expected_iou(d, a, b) if a else 0.0
    assert expected_iou(d, a, b) == pytest.approx(expected)


def test_the_adjusted_iou_of_random_maps_is_zero_on_average():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 4000, 50, generator=generator)
    assert TopKIou(k=20).compare(a, b).mean() > 0.2
    assert abs(TopKIouAdjusted(k=20).compare(a, b).mean()) < 0.01


def test_the_adjusted_iou_is_nan_where_the_top_contains_all_features():
    a, b = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    assert TopKIouAdjusted(k=5).compare(a, b).isnan().all()
    assert TopKIouAdjusted(k=99).compare(a, b).isnan().all()


def test_rank_biased_overlap_weighs_each_depth_as_stated():
    a = torch.arange(20.0, 0, -1)[None]
    top, bottom = a.clone(), a.clone()
    top[0, [0, 1]] = top[0, [1, 0]]
    bottom[0, [18, 19]] = bottom[0, [19, 18]]
    measure = RankBiasedOverlap(p=0.8)
    # Only depth 1 (or 19) differs: (1 - p) p^(k - 1) times what is missing there.
    assert measure.compare(a, top).item() == pytest.approx(1 - 0.2)
    assert measure.compare(a, bottom).item() == pytest.approx(1 - 0.2 * 0.8**18 / 19, abs=1e-6)
