"""Correlations, sampled pairs of features, SSIM and concordance against scipy, scikit-image and their definitions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from agreement_cases import tied_maps
from reference import agreements_loops as loops
from scipy import stats

from xaiexp.builtin.agreements.whole_map_measures import (
    Cosine,
    KendallTau,
    KendallW,
    PairwiseRankAgreement,
    Pearson,
    RankCorrelation,
    Spearman,
    Ssim,
)
from xaiexp.errors import ParameterError


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


def test_kendall_tau_over_all_pairs_of_many_float32_features_equals_scipy():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 2, 50176, generator=generator)
    b = (a + b).relu()  # half zeros, and the few ties that chance makes among so many
    tau = [stats.kendalltau(x, y).statistic for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    np.testing.assert_allclose(KendallTau(n_pairs=None).compare(a, b), tau, atol=1e-6)


def test_reversed_rankings_have_the_lowest_agreement():
    a = torch.arange(1.0, 65)[None]
    assert KendallTau().compare(a, -a).item() == -1
    assert PairwiseRankAgreement().compare(a, 65 - a).item() == 0
    assert RankCorrelation().compare(a, 65 - a).item() == pytest.approx(-1)


@pytest.mark.parametrize("d", [2, 3, 7, 8, 30, 31])
@pytest.mark.parametrize("cls", [KendallTau, PairwiseRankAgreement])
def test_a_sample_of_as_many_pairs_as_there_are_contains_each_pair_once(cls, d):
    a, b = tied_maps(2, 6, d, seed=d)
    every = cls(n_pairs=None).compare(a, b)
    torch.testing.assert_close(cls(n_pairs=d * (d - 1) // 2).compare(a, b), every, equal_nan=True)
    torch.testing.assert_close(cls().compare(a, b), every, equal_nan=True)


@pytest.mark.parametrize("high", [40, 10**6])
def test_sampled_pairs_are_unbiased_within_the_stated_standard_error(high):
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


def test_sampled_pairs_are_not_pairs_of_neighbours():
    # Neighbours in a smooth map are in the other order than features far apart.
    x = torch.arange(4000.0, dtype=torch.float64)[None]
    a, b = x, x + 100 * torch.sin(x)
    off = KendallTau(n_pairs=12000).compare(a, b) - KendallTau(n_pairs=None).compare(a, b)
    assert off.abs() < 3 / 12000**0.5


def test_correlations_in_float32_equal_those_in_float64_for_any_mean_and_scale():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 4, 5000, generator=generator)
    a, b = (a + b) * torch.tensor([[1e-3], [1e-3], [1e-3], [1e-5]]) + 7.0, b * 1e-30
    a[0], b[1], b[2] = a[0] * 4e37, b[1] * 1e-12, b[2] * 1e33 * 1e33
    for cls in (Pearson, Cosine, Spearman, RankCorrelation):
        torch.testing.assert_close(
            cls().compare(a, b).double(), cls().compare(a.double(), b.double()), rtol=0, atol=3e-7
        )


@pytest.mark.parametrize("side", [(7, 7), (16, 9), (30, 40)])
@pytest.mark.parametrize("of", ["values", "magnitudes"])
def test_ssim_equals_scikit_image(side, of):
    from skimage.metrics import structural_similarity

    a, noise = torch.randn(2, 3, *side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    b = a + 0.5 * noise
    got = Ssim(of=of).compare(a, b)
    if of == "magnitudes":
        a, b = a.abs(), b.abs()
    for n in range(3):
        x, y = a[n] / a[n].abs().max(), b[n] / b[n].abs().max()
        expected = structural_similarity(x.numpy(), y.numpy(), win_size=7, data_range=2 if of == "values" else 1)
        assert got[n].item() == pytest.approx(expected, abs=1e-12)


def test_ssim_leaves_the_number_of_threads_unchanged_and_does_not_depend_on_it():
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


def test_ssim_needs_an_image_that_is_not_constant():
    a, b = torch.randn(2, 3, 2, 9, generator=torch.Generator().manual_seed(0))
    assert Ssim().compare(a, b).isnan().all()
    assert Ssim().compare(torch.ones(1, 8, 8), torch.rand(1, 8, 8)).isnan().all()
    assert Ssim(window=9).compare(a[:, :, :5].repeat(1, 3, 1), b[:, :, :5].repeat(1, 3, 1)).isfinite().all()
    with pytest.raises(ParameterError, match="must be odd"):
        Ssim(window=4)


@pytest.mark.parametrize("m", [2, 3, 6])
def test_concordance_equals_its_definition(m):
    maps = tied_maps(m, 8, 9, seed=m)
    maps[0, 3] = 1.0
    expected = [loops.kendall_w(maps[:, n].tolist()) for n in range(8)]
    np.testing.assert_allclose(KendallW().compare_jointly(maps), expected, atol=1e-12)


@pytest.mark.parametrize("m", [2, 3, 7])
def test_concordance_follows_from_the_mean_correlation_of_all_pairs(m):
    # Kendall and Gibbons 1990, section 6.4: without ties, mean rho = (m W - 1) / (m - 1).
    maps = torch.rand(m, 12, 20, generator=torch.Generator().manual_seed(m), dtype=torch.float64)
    mean = RankCorrelation().compare_jointly(maps)
    torch.testing.assert_close(KendallW().compare_jointly(maps), (1 + (m - 1) * mean) / m)


def test_concordance_of_two_maps_is_half_of_one_plus_their_correlation():
    a, b = torch.rand(2, 10, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(KendallW().compare(a, b), (1 + RankCorrelation().compare(a, b)) / 2)
    torch.testing.assert_close(KendallW().compare_jointly(torch.stack([a] * 5)), torch.ones(10).double())
