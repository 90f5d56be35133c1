"""KernelSHAP and LIME: comparison with slow implementations over all coalitions."""

from __future__ import annotations

import pytest
import torch
from attributions import same
from builders import bind, draws, make_batch, normal
from feature_games import games, small_network
from reference import methods_slow as slow
from torch import nn

from xaiexp.builtin.methods.shapley.linear_surrogates import KernelShap, Lime
from xaiexp.core.explanations import Estimate
from xaiexp.core.feature_map import FeatureMap

network = pytest.fixture(small_network)


def explained(method, network, batch, reference=None, **options):
    got = method.attribute(bind(network, batch, **options), batch, reference, draws(batch))
    return got.values if isinstance(got, Estimate) else got


@pytest.fixture
def batch():
    return make_batch(normal(3, 6), torch.tensor([0, 1, 2]))


@pytest.fixture
def reference():
    return normal(3, 6, seed=1)


@pytest.fixture
def examples_of_different_sizes():
    """Three examples of 6 elements with 4, 1 and 3 features; elements with index -1 belong to no feature."""
    index = torch.tensor([[0, 0, 1, 2, 3, -1], [-1, 0, 0, 0, -1, -1], [2, 1, 0, -1, 0, 0]])
    features = FeatureMap(index, torch.tensor([4, 1, 3]), (4,))
    batch = make_batch(normal(3, 6), torch.tensor([0, 1, 2]), features=features)
    return batch, torch.where(index >= 0, normal(3, 6, seed=1), batch.inputs)


def test_kernel_shap_over_all_coalitions_equals_the_shapley_values(network, batch, reference):
    want = [slow.shapley_values(game, 6) for game in games(network, batch, reference)]
    same(explained(KernelShap(), network, batch, reference), torch.tensor(want, dtype=torch.float64))


@pytest.mark.parametrize("budget", [2, None])
def test_examples_with_different_numbers_of_features(network, examples_of_different_sizes, budget):
    batch, reference = examples_of_different_sizes
    shap = batch.features.pool(explained(KernelShap(), network, batch, reference, budget=budget))
    lime = batch.features.pool(explained(Lime(kernel_width=0.4), network, batch, reference, budget=budget))
    for i, (game, d) in enumerate(zip(games(network, batch, reference), [4, 1, 3], strict=True)):
        same(shap[i, :d], torch.tensor(slow.shapley_values(game, d), dtype=torch.float64))
        same(lime[i, :d], slow.lime_coefficients(game, d, 0.4))
        assert not shap[i, d:].any()
        assert not lime[i, d:].any()


def test_lime_over_all_coalitions_equals_weighted_least_squares(network, batch, reference):
    want = [slow.lime_coefficients(game, 6, 0.25) for game in games(network, batch, reference)]
    same(explained(Lime(), network, batch, reference), torch.stack(want))


def test_sampled_coalitions_converge_to_all_coalitions(network, batch, reference):
    wide = nn.Sequential(nn.Linear(12, 6).double(), nn.Tanh(), *network)
    batch, reference = make_batch(normal(3, 12), torch.tensor([0, 1, 2])), normal(3, 12, seed=1)
    for method in (KernelShap, Lime):
        exact = explained(method(n_samples=4096), wide, batch, reference)
        errors = [
            float((explained(method(n_samples=n), wide, batch, reference) - exact).norm() / exact.norm())
            for n in (60, 1500)
        ]
        assert errors[1] < 0.1
        assert errors[1] < errors[0] / 2
