from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import torch
from reference import agreements_loops as loops
from scipy import stats

from xaiexp.builtin.agreements import COMPONENTS, blocks
from xaiexp.builtin.agreements.components import (
    FeatureAgreement,
    KendallTau,
    PairwiseRankAgreement,
    RankAgreement,
    RankCorrelation,
    SignAgreement,
    SignedRankAgreement,
    TopKIou,
)
from xaiexp.builtin.agreements.overlap import expected_iou
from xaiexp.builtin.agreements.whole_maps import (
    Cosine,
    KendallW,
    Pearson,
    RankBiasedOverlap,
    Spearman,
    Ssim,
    TopKIouAdjusted,
)
from xaiexp.errors import ParameterError

TOP_K = (FeatureAgreement, RankAgreement, SignAgreement, SignedRankAgreement, TopKIou)
PAIRED = [cls for cls in COMPONENTS if not (cls.needs_grid or cls.joint)]
EVERY = [
    *(cls() for cls in PAIRED),
    KendallTau(of="magnitudes"),
    KendallTau(n_pairs=None),
    RankBiasedOverlap(p=0.7),
    TopKIouAdjusted(k=4),
]
NAN = float("nan")


def by_loops(agreement, a, b):
    a, b = list(map(float, a)), list(map(float, b))
    k = getattr(agreement, "k", None) or max(1, len(a) // 10)
    match agreement:
        case FeatureAgreement():
            return loops.feature_agreement(a, b, k)
        case SignAgreement():
            return loops.feature_agreement(a, b, k, signed=True)
        case RankAgreement():
            return loops.rank_agreement(a, b, k)
        case SignedRankAgreement():
            return loops.rank_agreement(a, b, k, signed=True)
        case TopKIou():
            return loops.top_k_iou(a, b, k)
        case TopKIouAdjusted():
            return loops.top_k_iou_adjusted(a, b, k)
        case RankBiasedOverlap(p=p):
            return loops.rank_biased_overlap(a, b, p)
        case Pearson():
            return loops.pearson(a, b)
        case Spearman():
            return loops.pearson(a, b, ranks_first=True)
        case Cosine():
            return loops.cosine(a, b)
        case RankCorrelation():
            return loops.rank_correlation(a, b)
        case PairwiseRankAgreement():
            return loops.pairwise_rank_agreement(a, b)
        case KendallTau(of="values"):
            return loops.kendall_tau(a, b)
        case _:
            return loops.kendall_tau(list(map(abs, a)), list(map(abs, b)))


def tied_maps(m, n, d, seed=0, high=3):
    """Small integers, so that ties, zeros and both signs are common."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-high, high + 1, (m, n, d), generator=generator).double()


@pytest.mark.parametrize("k", [None, 1, 2, 3, 5, 9])
@pytest.mark.parametrize("d", [2, 3, 5])
@pytest.mark.parametrize("cls", [*TOP_K, TopKIouAdjusted])
def test_the_top_k_measures_are_their_definitions_over_all_ways_of_breaking_ties(cls, d, k):
    a, b = tied_maps(2, 12, d, seed=d)
    want = [by_loops(cls(k=k), *rows) for rows in zip(a, b, strict=True)]
    np.testing.assert_allclose(cls(k=k).compare(a, b), want, atol=1e-12)


@pytest.mark.parametrize("high", [1, 3, 1000])
@pytest.mark.parametrize("d", [2, 3, 5, 16, 17, 40])
@pytest.mark.parametrize("agreement", [a for a in EVERY if not isinstance(a, (*TOP_K, TopKIouAdjusted))], ids=repr)
def test_the_rank_measures_are_their_definitions(agreement, d, high):
    a, b = tied_maps(2, 6, d, seed=d, high=high)
    want = [by_loops(agreement, *rows) for rows in zip(a, b, strict=True)]
    np.testing.assert_allclose(agreement.compare(a, b), want, atol=1e-12)


@pytest.mark.parametrize("high", [2, 10**6])
def test_correlations_equal_scipy(high):
    a, b = tied_maps(2, 8, 300, high=high)
    a[0], b[1] = 1.0, 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        tau = [stats.kendalltau(x, y).statistic for x, y in zip(a.numpy(), b.numpy(), strict=True)]
        rho = [stats.spearmanr(abs(x), abs(y)).statistic for x, y in zip(a.numpy(), b.numpy(), strict=True)]
        r = [stats.pearsonr(x, y).statistic for x, y in zip(a.numpy(), b.numpy(), strict=True)]
        signed = [stats.spearmanr(x, y).statistic for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    np.testing.assert_allclose(KendallTau().compare(a, b), tau, atol=1e-12)
    np.testing.assert_allclose(RankCorrelation().compare(a, b), rho, atol=1e-12)
    np.testing.assert_allclose(Pearson().compare(a, b), r, atol=1e-12)
    np.testing.assert_allclose(Spearman().compare(a, b), signed, atol=1e-12)


def test_wide_maps_in_float32_are_counted_exactly():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 2, 50176, generator=generator)
    b = (a + b).relu()  # half zeros, and the few ties that chance makes among so many
    tau = [stats.kendalltau(x, y).statistic for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    np.testing.assert_allclose(KendallTau(n_pairs=None).compare(a, b), tau, atol=1e-6)


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
def test_the_position_of_a_feature_changes_nothing(agreement):
    a, b = tied_maps(2, 20, 12)
    shuffle = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(agreement.compare(a[:, shuffle], b[:, shuffle]), agreement.compare(a, b))


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_positive_factors_change_nothing(agreement):
    a, b = tied_maps(2, 20, 12)
    assert torch.equal(agreement.compare(8 * a, b / 4), agreement.compare(a, b))


@pytest.mark.parametrize("value", [0.0, 2.0, -2.0])
@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_a_constant_map_agrees_with_nothing(agreement, value):
    constant, other = torch.full((3, 6), value), tied_maps(1, 3, 6)[0].float()
    for a, b in ((constant, other), (other, constant), (constant, constant)):
        assert agreement.compare(a, b).isnan().all()


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_one_feature_ranks_nothing(agreement):
    assert agreement.compare(torch.tensor([[2.0], [0.0]]), torch.tensor([[2.0], [1.0]])).isnan().all()


def test_magnitudes_that_are_all_equal_rank_nothing_though_signed_values_may():
    a, b = torch.tensor([[1.0, -1.0, 1.0]]), torch.tensor([[3.0, 1.0, 2.0]])
    assert RankCorrelation().compare(a, b).isnan()
    assert FeatureAgreement().compare(a, b).isnan()
    assert KendallTau().compare(a, b).item() == pytest.approx(2 / 6**0.5)


@pytest.mark.parametrize("cls", TOP_K)
def test_k_is_a_tenth_by_default_and_at_most_all(cls):
    a, b = tied_maps(2, 10, 31, high=10**6)
    assert torch.equal(cls().compare(a, b), cls(k=3).compare(a, b))
    assert torch.equal(cls(k=1000).compare(a, b), cls(k=31).compare(a, b))
    assert torch.equal(cls().compare(a[:, :9], b[:, :9]), cls(k=1).compare(a[:, :9], b[:, :9]))


def test_maps_that_name_different_features_and_nothing_else_do_not_agree():
    a, b = torch.zeros(2, 1, 100)
    a[0, 3], b[0, 70] = 1.0, 1.0
    for cls in TOP_K:
        assert cls(k=10).compare(a, b).item() == 0
    assert PairwiseRankAgreement().compare(a, b).item() == pytest.approx(0.5, abs=0.01)
    assert KendallTau().compare(a, b).item() == pytest.approx(0, abs=0.02)


def test_ties_in_one_map_count_as_the_expectation_over_breaking_them():
    a = torch.tensor([[5.0, 1.0, 1.0, 1.0, 1.0]])  # one certain place, four features for the second
    b = torch.tensor([[4.0, 5.0, 3.0, 2.0, 1.0]])
    assert FeatureAgreement(k=2).compare(a, b).item() == pytest.approx((1 + 1 / 4) / 2)
    assert RankAgreement(k=2).compare(a, b).item() == pytest.approx(0)
    assert RankAgreement(k=3).compare(a, b).item() == pytest.approx((1 / 4) / 3)


def test_a_sign_of_zero_agrees_with_nothing():
    a, b = torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([[2.0, 0.0, -1.0]])
    assert SignAgreement(k=3).compare(a, b).item() == pytest.approx(1 / 2)
    assert SignedRankAgreement(k=3).compare(a, b).item() == pytest.approx(1 / 2)


def test_reversed_rankings_disagree_completely():
    a = torch.arange(1.0, 65)[None]
    assert KendallTau().compare(a, -a).item() == -1
    assert PairwiseRankAgreement().compare(a, 65 - a).item() == 0
    assert RankCorrelation().compare(a, 65 - a).item() == pytest.approx(-1)


def test_only_measures_of_signs_need_them():
    signs = {"sign_agreement", "signed_rank_agreement", "kendall_tau", "pearson", "spearman", "cosine"}
    assert {a.name for a in EVERY if a.needs_sign} == signs
    assert not KendallTau(of="magnitudes").needs_sign
    a, b = tied_maps(2, 10, 12)
    for agreement in EVERY:
        same = torch.equal(agreement.compare(a.abs(), b.abs()), agreement.compare(a, b))
        assert same is not agreement.needs_sign


@pytest.mark.parametrize("numbers", [1, 40, 1 << 20])
@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_pairs_compared_together_are_what_they_are_alone(agreement, numbers, monkeypatch):
    monkeypatch.setitem(blocks.AT_WORK, "cpu", numbers)
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
def test_half_precision_is_that_of_the_same_numbers_in_full(agreement, dtype):
    maps = tied_maps(3, 4, 300).to(dtype)
    pairs = [(0, 1), (2, 1)]
    found, want = agreement.compare_all(maps, pairs), agreement.compare_all(maps.double(), pairs)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), want, rtol=0, atol=0.01, equal_nan=True)


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_threads_change_no_number(agreement, inference):
    maps = tied_maps(4, 9, 2000)
    maps[:, ::2] += torch.rand(4, 5, 2000, generator=torch.Generator().manual_seed(0)).to(maps)
    pairs, threads = [(0, 1), (2, 3), (0, 3)], torch.get_num_threads()
    found = []
    with torch.inference_mode(inference):
        for several in (1, 3):
            torch.set_num_threads(several)
            try:
                found.append(agreement.compare_all(maps.clone(), pairs))
            finally:
                torch.set_num_threads(threads)
    torch.testing.assert_close(*found, rtol=0, atol=1e-13, equal_nan=True)


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_a_map_that_ranks_nothing_takes_no_other_along(agreement):
    maps = torch.randn(3, 4, 6, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    maps = maps if agreement.needs_grid else maps.flatten(2)
    maps[1, 2], maps[1, 3] = 0, -2
    together = agreement.compare_all(maps, [(0, 2), (0, 1)])
    assert torch.equal(together[0].isnan(), torch.tensor([False] * 4))
    torch.testing.assert_close(together[0], agreement.compare(maps[0], maps[2]), rtol=0, atol=1e-14)


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_ties_of_a_third_map_do_not_count_for_the_others(agreement):
    one = torch.randn(1, 3, 40, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    first = one.abs().argsort(descending=True)[..., :2]
    other = one.scatter(-1, first, one.gather(-1, first.flip(-1)))  # two of the first four places change
    maps = torch.cat([one, other, one.round()])
    together = agreement.compare_all(maps, [(0, 1), (0, 2)])
    torch.testing.assert_close(together[0], agreement.compare(maps[0], maps[1]), rtol=0, atol=1e-14, equal_nan=True)


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_no_pairs_and_no_features_are_answered(agreement):
    assert agreement.compare_all(torch.ones(2, 3, 4), []).shape == (0, 3)
    assert agreement.compare(torch.ones(3, 0), torch.ones(3, 0)).isnan().all()


@pytest.mark.parametrize("agreement", EVERY, ids=repr)
def test_the_maps_keep_their_dtype_and_numbers(agreement):
    maps = tied_maps(2, 4, 30).float()
    before = maps.clone()
    out = agreement.compare_all(maps, [(0, 1)])
    assert out.dtype == torch.float32
    assert torch.equal(maps, before)


@pytest.mark.parametrize("d", [2, 3, 7, 8, 30, 31])
@pytest.mark.parametrize("cls", [KendallTau, PairwiseRankAgreement])
def test_enough_pairs_are_all_pairs_once(cls, d):
    a, b = tied_maps(2, 6, d, seed=d)
    every = cls(n_pairs=None).compare(a, b)
    torch.testing.assert_close(cls(n_pairs=d * (d - 1) // 2).compare(a, b), every, equal_nan=True)
    torch.testing.assert_close(cls().compare(a, b), every, equal_nan=True)


@pytest.mark.parametrize("high", [40, 10**6])
def test_a_sample_of_pairs_is_as_near_as_it_says_and_treats_all_features_alike(high):
    # The standard error of the mean of n numbers 1 and -1 is at most 1 / sqrt(n), and less where few are taken.
    a = tied_maps(1, 200, 301, high=high)[0]
    b = a + tied_maps(1, 200, 301, seed=1, high=2 * high)[0]
    for n_pairs in (301, 3010, 20000):
        off = KendallTau(n_pairs=n_pairs).compare(a, b) - KendallTau(n_pairs=None).compare(a, b)
        assert 0.2 < off.square().mean().sqrt() * n_pairs**0.5 < 1.05
        assert off.mean().abs() < 4 * off.std() / 200**0.5
        share = PairwiseRankAgreement(n_pairs=n_pairs).compare(a, b)
        apart = share - PairwiseRankAgreement(n_pairs=None).compare(a, b)
        assert apart.square().mean().sqrt() * n_pairs**0.5 < 0.55


def test_a_sample_of_pairs_is_no_sample_of_neighbours():
    # Neighbours in a smooth map are in the other order than features far apart.
    x = torch.arange(4000.0, dtype=torch.float64)[None]
    a, b = x, x + 100 * torch.sin(x)
    off = KendallTau(n_pairs=12000).compare(a, b) - KendallTau(n_pairs=None).compare(a, b)
    assert off.abs() < 3 / 12000**0.5


def test_what_was_found_of_maps_is_forgotten_when_they_change():
    maps = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(0))
    before = {agreement: agreement.compare_all(maps, [(0, 1)]) for agreement in EVERY}
    maps[0] = maps[0].flip(-1) + 1
    for agreement, old in before.items():
        now = agreement.compare_all(maps, [(0, 1)])
        torch.testing.assert_close(now, agreement.compare_all(maps.clone(), [(0, 1)]))
        assert agreement.name not in ("spearman", "rank_biased_overlap") or not torch.equal(now, old)


def test_correlations_in_float32_are_those_of_float64_whatever_the_mean():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 4, 5000, generator=generator)
    a, b = (a + b) * torch.tensor([[1e-3], [1e-3], [1e-3], [1e-5]]) + 7.0, b * 1e-30
    a[0], b[1], b[2] = a[0] * 4e37, b[1] * 1e-12, b[2] * 1e33 * 1e33
    for cls in (Pearson, Cosine, Spearman, RankCorrelation):
        torch.testing.assert_close(
            cls().compare(a, b).double(), cls().compare(a.double(), b.double()), rtol=0, atol=3e-7
        )


# Chance, depth, structure, all at once


@pytest.mark.parametrize(("d", "a", "b"), [(6, 1, 1), (6, 2, 4), (5, 3, 3), (7, 5, 4), (4, 4, 4), (4, 0, 2)])
def test_the_overlap_that_chance_gives_is_the_mean_over_all_sets(d, a, b):
    want = loops.expected_iou(d, a, b) if a else 0.0
    assert expected_iou(d, a, b) == pytest.approx(want)


def test_random_maps_agree_beyond_chance_by_nothing():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 4000, 50, generator=generator)
    assert TopKIou(k=20).compare(a, b).mean() > 0.2
    assert abs(TopKIouAdjusted(k=20).compare(a, b).mean()) < 0.01


def test_where_all_features_are_the_top_chance_cannot_be_told_from_agreement():
    a, b = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    assert TopKIouAdjusted(k=5).compare(a, b).isnan().all()
    assert TopKIouAdjusted(k=99).compare(a, b).isnan().all()


def test_overlap_weighs_the_top_more_than_the_bottom():
    a = torch.arange(20.0, 0, -1)[None]
    top, bottom = a.clone(), a.clone()
    top[0, [0, 1]] = top[0, [1, 0]]
    bottom[0, [18, 19]] = bottom[0, [19, 18]]
    measure = RankBiasedOverlap(p=0.8)
    # Only depth 1 (or 19) differs: (1 - p) p^(k - 1) times what is missing there.
    assert measure.compare(a, top).item() == pytest.approx(1 - 0.2)
    assert measure.compare(a, bottom).item() == pytest.approx(1 - 0.2 * 0.8**18 / 19, abs=1e-6)


@pytest.mark.parametrize("side", [(7, 7), (16, 9), (30, 40)])
@pytest.mark.parametrize("of", ["values", "magnitudes"])
def test_structure_is_that_of_scikit_image(side, of):
    from skimage.metrics import structural_similarity

    a, noise = torch.randn(2, 3, *side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    b = a + 0.5 * noise
    got = Ssim(of=of).compare(a, b)
    if of == "magnitudes":
        a, b = a.abs(), b.abs()
    for n in range(3):
        x, y = a[n] / a[n].abs().max(), b[n] / b[n].abs().max()
        want = structural_similarity(x.numpy(), y.numpy(), win_size=7, data_range=2 if of == "values" else 1)
        assert got[n].item() == pytest.approx(want, abs=1e-12)


def test_structure_leaves_the_number_of_threads_as_it_was():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        maps = torch.randn(3, 5, 20, 30, generator=torch.Generator().manual_seed(0))
        several = Ssim().compare_all(maps, [(0, 1), (1, 2)])
        assert torch.get_num_threads() == 3
        torch.set_num_threads(1)
        torch.testing.assert_close(several, Ssim().compare_all(maps, [(0, 1), (1, 2)]), rtol=0, atol=1e-6)
    finally:
        torch.set_num_threads(before)


def test_structure_needs_a_picture():
    a, b = torch.randn(2, 3, 2, 9, generator=torch.Generator().manual_seed(0))
    assert Ssim().compare(a, b).isnan().all()
    assert Ssim().compare(torch.ones(1, 8, 8), torch.rand(1, 8, 8)).isnan().all()
    assert Ssim(window=9).compare(a[:, :, :5].repeat(1, 3, 1), b[:, :, :5].repeat(1, 3, 1)).isfinite().all()
    with pytest.raises(ParameterError, match="must be odd"):
        Ssim(window=4)


@pytest.mark.parametrize("m", [2, 3, 6])
def test_concordance_is_its_definition(m):
    maps = tied_maps(m, 8, 9, seed=m)
    maps[0, 3] = 1.0
    want = [loops.kendall_w(maps[:, n].tolist()) for n in range(8)]
    np.testing.assert_allclose(KendallW().compare_jointly(maps), want, atol=1e-12)


@pytest.mark.parametrize("m", [2, 3, 7])
def test_concordance_follows_from_the_mean_correlation_of_all_pairs(m):
    # Kendall and Gibbons 1990, section 6.4: without ties, mean rho = (m W - 1) / (m - 1).
    maps = torch.rand(m, 12, 20, generator=torch.Generator().manual_seed(m), dtype=torch.float64)
    mean = RankCorrelation().compare_jointly(maps)
    torch.testing.assert_close(KendallW().compare_jointly(maps), (1 + (m - 1) * mean) / m)


def test_concordance_of_two_is_half_of_one_and_their_correlation():
    a, b = torch.rand(2, 10, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(KendallW().compare(a, b), (1 + RankCorrelation().compare(a, b)) / 2)
    torch.testing.assert_close(KendallW().compare_jointly(torch.stack([a] * 5)), torch.ones(10).double())
