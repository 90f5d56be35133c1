"""Guided integrated gradients: comparison with the authors' path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from attributions import explained, same
from builders import bind, make_batch, normal, pixel_map
from feature_games import small_network
from reference import methods_slow as slow
from reference import paths_slow
from torch import nn

from xaiexp.builtin.methods import COMPONENTS

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


@pytest.mark.parametrize(
    ("steps", "fraction", "max_dist"),
    [(7, 0.25, 0.02), (7, 0.25, 0.5), (5, 0.1, 0.3), (6, 0.9, 1.0), (4, 1.0, 0.2), (3, 0.01, 0.4), (5, 0.3, 0.0)],
)
def test_guided_ig_equals_the_sum_along_the_authors_path(smooth_images, steps, fraction, max_dist):
    network, batch = smooth_images
    reference = 0.3 * normal(3, 2, 7, 8, seed=3)
    reference[1, :, :3] = batch.inputs[1, :, :3]
    method = CLASSES["guided_ig"](n_steps=steps, fraction=fraction, max_dist=max_dist)
    got = explained(method, network, batch, reference)
    for i in range(3):
        gradient = slope(network, batch.targets[i])
        points = paths_slow.guided_path(
            gradient, batch.inputs[i].numpy(), reference[i].numpy(), steps, fraction, max_dist
        )
        np.testing.assert_allclose(points[-1], batch.inputs[i].numpy(), atol=1e-9)
        same(got[i], torch.from_numpy(paths_slow.along(gradient, points)), 1e-7)


def test_guided_ig_moves_elements_with_equal_gradients_jointly():
    """A score with tied gradients, which are 0 for unused elements."""

    def score(v):
        return (v[:, :6] * 2).sum(1) + (v[:, 6:10] ** 2).sum(1) + (v[:, 10:16] * -2).sum(1)

    x, x0 = normal(2, 20), torch.zeros(2, 20).double()
    batch = make_batch(x)
    network = lambda v: score(v).unsqueeze(1)  # noqa: E731 -- of one class
    got = explained(CLASSES["guided_ig"](n_steps=5, max_dist=0.3), network, batch, x0)
    for i in range(2):
        gradient = slope(network, 0)
        points = paths_slow.guided_path(gradient, x[i].numpy(), x0[i].numpy(), 5, 0.25, 0.3)
        same(got[i], torch.from_numpy(paths_slow.along(gradient, points)), 1e-9)


def test_guided_ig_with_max_dist_zero_is_the_straight_line(network, batch):
    reference = normal(3, 6, seed=1)
    got = explained(CLASSES["guided_ig"](n_steps=100, max_dist=0.0), network, batch, reference)
    nodes = [
        (k / 100, (0.5 if k in (0, 100) else 1.0) / 100) for k in range(101)
    ]  # the trapezoidal rule of all n cells
    handle = bind(network, batch)
    want = sum(w * handle.gradients(reference + a * (batch.inputs - reference)) for a, w in nodes)
    same(got, want * (batch.inputs - reference))


def test_guided_ig_of_an_input_equal_to_its_reference_is_zero(network, batch):
    got = explained(CLASSES["guided_ig"](n_steps=4), network, batch, batch.inputs.clone())
    assert not got.any()


@pytest.mark.parametrize("seed", [0, 1])
def test_guided_ig_does_not_depend_on_other_examples(smooth_images, seed):
    network, batch = smooth_images
    reference = 0.3 * normal(3, 2, 7, 8, seed=3)
    method = CLASSES["guided_ig"](n_steps=9, max_dist=0.3)
    whole = explained(method, network, batch, reference, seed=seed)
    for i in range(3):
        alone = replace(
            batch, ids=batch.ids[i : i + 1], inputs=batch.inputs[i : i + 1], targets=batch.targets[i : i + 1]
        )
        same(explained(method, network, alone, reference[i : i + 1])[0], whole[i], 1e-8)
