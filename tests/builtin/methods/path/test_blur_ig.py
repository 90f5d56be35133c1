"""Blur integrated gradients: comparison with a slow implementation, completeness."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from attributions import explained, same
from builders import bind, draws, make_batch, normal, pixel_map
from feature_games import small_network
from reference import methods_slow as slow
from reference import paths_slow
from torch import nn

from xaiexp.builtin.baselines.blur import Blur
from xaiexp.builtin.methods import COMPONENTS
from xaiexp.core.feature_map import FeatureMap
from xaiexp.engine.explainer import referenced
from xaiexp.errors import Unsupported

CLASSES = {c.name: c for c in COMPONENTS}

network = pytest.fixture(small_network)


@pytest.fixture
def smooth_images():
    """A smooth network of images, and three images with two channels."""
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.Softplus(), nn.Conv2d(4, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(90, 3)
    )
    batch = make_batch(normal(3, 2, 7, 8), torch.tensor([0, 2, 1]), features=pixel_map((2, 7, 8)))
    return network.double().eval(), batch


@pytest.fixture
def batch():
    return make_batch(normal(3, 6), torch.tensor([0, 1, 2]))


def slope(network, target):
    """The gradient of the score of one class as a function of numpy arrays."""

    def gradient(point):
        return slow.gradient(lambda v: network(v[None])[0, target], torch.from_numpy(point)).numpy()

    return gradient


@pytest.mark.parametrize("sigma", [None, 1.3])
@pytest.mark.parametrize("budget", [5, None])
def test_blur_ig_equals_the_sum_along_the_blurs(smooth_images, sigma, budget):
    network, batch = smooth_images
    got = explained(CLASSES["blur_ig"](n_steps=6, max_sigma=sigma), network, batch, budget=budget)
    for i in range(3):
        want = paths_slow.blur_integrated_gradients(
            slope(network, batch.targets[i]), batch.inputs[i].numpy(), sigma or 0.75 * math.sqrt(8), 6
        )
        same(got[i], torch.from_numpy(want))


def test_blur_ig_of_a_time_series(network):
    batch = make_batch(normal(2, 3, 12), torch.tensor([0, 1]))
    network = nn.Sequential(nn.Conv1d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(40, 2)).double()
    got = explained(CLASSES["blur_ig"](n_steps=4), network, batch)
    for i in range(2):
        want = paths_slow.blur_integrated_gradients(slope(network, i), batch.inputs[i].numpy(), 0.75 * math.sqrt(12), 4)
        same(got[i], torch.from_numpy(want))


@pytest.mark.parametrize("output", ["logit", "probability"])
def test_blur_ig_sums_to_the_change_from_the_blur_baseline(smooth_images, output):
    network, batch = smooth_images
    features = FeatureMap(batch.features.index.clone(), batch.features.counts, batch.features.shape)
    features.index[:, :, 2:4, 5] = -1  # of no feature: not blurred
    batch = replace(batch, features=features)
    handle = bind(network, batch, output=output)
    reference = referenced(Blur(), batch, draws(batch))[:, 0]
    change = handle.scores() - handle.scores(reference)
    deviation = {}
    for n in (50, 200):
        got = explained(CLASSES["blur_ig"](n_steps=n), network, batch, output=output)
        assert not got[:, :, 2:4, 5].any()
        deviation[n] = float(((got.flatten(1).sum(1) - change) / change).abs().max())
    assert deviation[50] < 1e-3
    assert deviation[200] < deviation[50] / 10  # the midpoint rule is of second order in the step


def test_blur_ig_of_a_linear_network_is_exact_for_any_number_of_steps(smooth_images):
    _, batch = smooth_images
    weight = normal(112, 3, seed=5)
    got = explained(CLASSES["blur_ig"](n_steps=1), lambda v: v.flatten(1) @ weight, batch)
    change = batch.inputs - referenced(Blur(), batch, draws(batch))[:, 0]
    same(got, change * weight.t()[batch.targets].view_as(change))


def test_blur_ig_of_a_table_raises(network, batch):
    with pytest.raises(Unsupported, match=r"blur_ig needs images or time series, but the inputs have shape \[6\]"):
        explained(CLASSES["blur_ig"](), network, batch)
