"""Properties that all agreements share."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from agreement_cases import EVERY, TOP_K, by_loops, tied_maps

from xaiexp.builtin.agreements import ranked_maps
from xaiexp.builtin.agreements.top_k_measures import (
    FeatureAgreement,
    RankAgreement,
    SignAgreement,
    SignedRankAgreement,
    TopKIou,
    TopKIouAdjusted,
)
from xaiexp.builtin.agreements.whole_map_measures import KendallTau, PairwiseRankAgreement, RankCorrelation


@pytest.mark.parametrize("high", [1, 3, 1000])
@pytest.mark.parametrize("d", [2, 3, 5, 16, 17, 40])
@pytest.mark.parametrize("agreement", [a for a in EVERY if not isinstance(a, (*TOP_K, TopKIouAdjusted))], ids=repr)
def test_other_measures_equal_their_definitions(agreement, d, high):
    a, b = tied_maps(2, 6, d, seed=d, high=high)
    expected = [by_loops(agreement, *rows) for rows in zip(a, b, strict=True)]
    np.testing.assert_allclose(agreement.compare(a, b), expected, atol=1e-12)


def test_worked_example_without_ties():
    a = torch.tensor([[9.0, -8.0, 7.0, 1.0, 0.5]])
    b = torch.tensor([[9.0, 7.0, 8.0, 0.1, -0.2]])
    assert FeatureAgreement(k=3).compare(a, b).item() == 1
    assert SignAgreement(k=3).compare(a, b).item() == pytest.approx(2 / 3)
    assert RankAgreement(k=3).compare(a, b).item() == pytest.approx(1 / 3)
    assert SignedRankAgreement(k=3).compare(a, b).item() == pytest.approx(1 / 3)
    assert FeatureAgreement(k=4).compare(a, b).item() == pytest.approx(3 / 4)
    assert TopKIou(k=4).compare(a, b).item() == pytest.approx(3 / 5)
    assert PairwiseRankAgreement().compare(a, b).item() == pytest.approx(8 / 10)  # (1, 2) and (3, 4) are swapped


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_a_map_agrees_with_itself_to_the_upper_bound_and_measures_are_symmetric(agreement):
    a, b = tied_maps(2, 40, 12)
    same = agreement.compare(a, a)
    torch.testing.assert_close(same, torch.full_like(same, agreement.bounds[1]), rtol=0, atol=1e-14)
    assert agreement.symmetric
    torch.testing.assert_close(agreement.compare(a, b), agreement.compare(b, a), rtol=0, atol=1e-14)


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_a_permutation_of_the_features_leaves_the_value_unchanged(agreement):
    a, b = tied_maps(2, 20, 12)
    shuffle = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(agreement.compare(a[:, shuffle], b[:, shuffle]), agreement.compare(a, b))


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_positive_factors_leave_the_value_unchanged(agreement):
    a, b = tied_maps(2, 20, 12)
    assert torch.equal(agreement.compare(8 * a, b / 4), agreement.compare(a, b))


@pytest.mark.parametrize("value", [0.0, 2.0, -2.0])
@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_the_agreement_of_a_constant_map_is_nan(agreement, value):
    constant, other = torch.full((3, 6), value), tied_maps(1, 3, 6)[0].float()
    for a, b in ((constant, other), (other, constant), (constant, constant)):
        assert agreement.compare(a, b).isnan().all()


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_the_agreement_of_maps_of_one_feature_is_nan(agreement):
    assert agreement.compare(torch.tensor([[2.0], [0.0]]), torch.tensor([[2.0], [1.0]])).isnan().all()


def test_equal_magnitudes_are_nan_for_measures_of_magnitudes_only():
    a, b = torch.tensor([[1.0, -1.0, 1.0]]), torch.tensor([[3.0, 1.0, 2.0]])
    assert RankCorrelation().compare(a, b).isnan()
    assert FeatureAgreement().compare(a, b).isnan()
    assert KendallTau().compare(a, b).item() == pytest.approx(2 / 6**0.5)


def test_maps_with_a_single_and_different_nonzero_feature_do_not_agree():
    a, b = torch.zeros(2, 1, 100)
    a[0, 3], b[0, 70] = 1.0, 1.0
    for cls in TOP_K:
        assert cls(k=10).compare(a, b).item() == 0
    assert PairwiseRankAgreement().compare(a, b).item() == pytest.approx(0.5, abs=0.01)
    assert KendallTau().compare(a, b).item() == pytest.approx(0, abs=0.02)


def test_the_value_depends_on_signs_exactly_where_the_measure_needs_them():
    signs = {"sign_agreement", "signed_rank_agreement", "kendall_tau", "pearson", "spearman", "cosine"}
    assert {a.name for a in EVERY if a.needs_sign} == signs
    assert not KendallTau(of="magnitudes").needs_sign
    a, b = tied_maps(2, 10, 12)
    for agreement in EVERY:
        same = torch.equal(agreement.compare(a.abs(), b.abs()), agreement.compare(a, b))
        assert same is not agreement.needs_sign


@pytest.mark.parametrize("numbers", [1, 40, 1 << 20])
@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_many_pairs_and_examples_give_the_same_values_as_single_ones_for_any_block_size(
    agreement, numbers, monkeypatch
):
    monkeypatch.setitem(ranked_maps.BLOCK_NUMBERS, "cpu", numbers)
    maps = tied_maps(4, 5, 11)
    chosen = [*itertools.combinations(range(4), 2), (3, 1), (2, 2)]
    together = agreement.compare_all(maps, chosen)
    monkeypatch.undo()
    for got, (i, j) in zip(together, chosen, strict=True):
        for n in range(5):
            alone = agreement.compare(maps[i, n : n + 1], maps[j, n : n + 1])
            torch.testing.assert_close(got[n : n + 1], alone, rtol=0, atol=1e-14, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_half_precision_gives_the_values_of_the_same_numbers_in_float64(agreement, dtype):
    maps = tied_maps(3, 4, 300).to(dtype)
    pairs = [(0, 1), (2, 1)]
    result, expected = agreement.compare_all(maps, pairs), agreement.compare_all(maps.double(), pairs)
    assert result.dtype == dtype
    torch.testing.assert_close(result.double(), expected, rtol=0, atol=0.01, equal_nan=True)


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_values_do_not_depend_on_the_number_of_threads(agreement, inference):
    maps = tied_maps(4, 9, 2000)
    maps[:, ::2] += torch.rand(4, 5, 2000, generator=torch.Generator().manual_seed(0)).to(maps)
    pairs, threads = [(0, 1), (2, 3), (0, 3)], torch.get_num_threads()
    results = []
    with torch.inference_mode(inference):
        for several in (1, 3):
            torch.set_num_threads(several)
            try:
                results.append(agreement.compare_all(maps.clone(), pairs))
            finally:
                torch.set_num_threads(threads)
    torch.testing.assert_close(*results, rtol=0, atol=1e-13, equal_nan=True)


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_a_constant_map_does_not_affect_other_pairs(agreement):
    maps = torch.randn(3, 4, 6, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    maps = maps if agreement.needs_grid else maps.flatten(2)
    maps[1, 2], maps[1, 3] = 0, -2
    together = agreement.compare_all(maps, [(0, 2), (0, 1)])
    assert torch.equal(together[0].isnan(), torch.tensor([False] * 4))
    torch.testing.assert_close(together[0], agreement.compare(maps[0], maps[2]), rtol=0, atol=1e-14)


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_ties_in_a_third_map_do_not_affect_a_pair(agreement):
    one = torch.randn(1, 3, 40, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    first = one.abs().argsort(descending=True)[..., :2]
    other = one.scatter(-1, first, one.gather(-1, first.flip(-1)))  # two of the first four places change
    maps = torch.cat([one, other, one.round()])
    together = agreement.compare_all(maps, [(0, 1), (0, 2)])
    torch.testing.assert_close(together[0], agreement.compare(maps[0], maps[1]), rtol=0, atol=1e-14, equal_nan=True)


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_no_pairs_give_no_values_and_no_features_give_nan(agreement):
    assert agreement.compare_all(torch.ones(2, 3, 4), []).shape == (0, 3)
    assert agreement.compare(torch.ones(3, 0), torch.ones(3, 0)).isnan().all()


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_the_maps_are_unchanged_and_values_have_their_dtype(agreement):
    maps = tied_maps(2, 4, 30).float()
    before = maps.clone()
    out = agreement.compare_all(maps, [(0, 1)])
    assert out.dtype == torch.float32
    assert torch.equal(maps, before)


def test_maps_changed_in_place_are_computed_again():
    maps = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(0))
    before = {agreement: agreement.compare_all(maps, [(0, 1)]) for agreement in EVERY}
    maps[0] = maps[0].flip(-1) + 1
    for agreement, old in before.items():
        now = agreement.compare_all(maps, [(0, 1)])
        torch.testing.assert_close(now, agreement.compare_all(maps.clone(), [(0, 1)]))
        assert agreement.name not in ("spearman", "rank_biased_overlap") or not torch.equal(now, old)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_adjusted_iou_is_rounded_to_the_dtype_of_the_maps_at_the_end_only(dtype):
    maps = torch.randn(2, 6, 400, generator=torch.Generator().manual_seed(4), dtype=torch.float64).to(dtype)
    measure = TopKIouAdjusted(k=398)  # chance is near 1, so that a rounded IoU would be far off
    want = measure.compare(*maps.double())
    torch.testing.assert_close(measure.compare(*maps), want.to(dtype), rtol=0, atol=0)
