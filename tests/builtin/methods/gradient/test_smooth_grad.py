"""SmoothGrad, SmoothGrad-Squared and VarGrad: comparison with their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from attributions import explained, same
from builders import draws, make_batch, normal
from feature_games import small_network
from reference import methods_slow as slow

from xaiexp.builtin.methods import COMPONENTS
from xaiexp.core.batches import Background
from xaiexp.core.feature_map import FeatureMap

CLASSES = {c.name: c for c in COMPONENTS}

network = pytest.fixture(small_network)


@pytest.fixture
def batch():
    return make_batch(normal(3, 6), torch.tensor([0, 1, 2]))


@pytest.mark.parametrize("kind", ["smooth_grad", "smooth_grad_squared", "var_grad"])
def test_moments_of_gradients_over_noise_scaled_by_the_data_range(network, batch, kind):
    low, high = normal(6, seed=4), normal(6, seed=4) + torch.arange(1, 7)
    index = torch.tensor([[0, 1, 1, 0, 0, -1]])
    batch = make_batch(
        batch.inputs,
        batch.targets,
        background=Background("table", low=low, high=high),
        features=FeatureMap(index, torch.tensor([2]), (2,)),
    )
    got = explained(CLASSES[kind](n_samples=7, noise_level=0.2), network, batch, budget=4)
    noise = draws(batch).normal("noise", (6,), samples=range(7)).double() * 0.2 * (high - low) * (index >= 0)
    slopes = torch.stack(
        [
            torch.stack(
                [
                    slow.gradient(lambda v, i=i: network(v[None])[0, batch.targets[i]], batch.inputs[i] + noise[i, s])
                    for s in range(7)
                ]
            )
            for i in range(3)
        ]
    )
    want = {
        "smooth_grad": slopes.mean(1),
        "smooth_grad_squared": (slopes**2).mean(1),
        "var_grad": slopes.var(1, correction=0),
    }[kind]
    same(got.values, want, 1e-6)
    if kind == "var_grad":  # pairs of samples, as there are too few for groups of five
        groups = slopes[:, :6].view(3, 3, 2, 6).var(2, correction=1)
    else:
        groups = slopes if kind == "smooth_grad" else slopes**2
    pooled = torch.stack((groups[..., [0, 3, 4]].sum(-1), groups[..., [1, 2]].sum(-1)), -1)
    same(got.standard_error, pooled.std(1, correction=1) / math.sqrt(pooled.shape[1]), 1e-6)
