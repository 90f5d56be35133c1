"""Integrated gradients, expected gradients and GradientSHAP: closed forms and definitions."""

from __future__ import annotations

import math

import pytest
import torch
from attributions import explained, same
from builders import draws, make_batch, normal
from feature_games import small_network
from reference import methods_slow as slow

from xaiexp.builtin.methods import COMPONENTS

CLASSES = {c.name: c for c in COMPONENTS}

network = pytest.fixture(small_network)


@pytest.fixture
def batch():
    return make_batch(normal(3, 6), torch.tensor([0, 1, 2]))


def test_integrated_gradients_of_a_product_closed_form():
    batch = make_batch(torch.tensor([[3.0, 5.0, 1.0]]).double())
    got = explained(CLASSES["integrated_gradients"](), lambda v: v[:, 0] * v[:, 1], batch, torch.zeros(1, 3).double())
    same(got, torch.tensor([[7.5, 7.5, 0.0]]).double())


@pytest.mark.parametrize(("name", "stdevs"), [("expected_gradients", 0.0), ("gradient_shap", 0.3)])
def test_expected_gradients_are_the_mean_over_their_draws(network, batch, name, stdevs):
    references = normal(3, 4, 6, seed=2)
    method = CLASSES[name](n_samples=5, **({"stdevs": stdevs} if stdevs else {}))
    got = explained(method, network, batch, references, budget=4)
    rng = draws(batch)
    alpha, pick = rng.uniform("alpha", samples=range(5)), rng.integers("reference", 4, samples=range(5))
    noise = rng.normal("noise", (6,), samples=range(5))
    samples = torch.zeros(3, 5, 6, dtype=torch.float64)
    for i in range(3):
        for s in range(5):
            x = batch.inputs[i] + stdevs * noise[i, s].double()
            start = references[i, pick[i, s]]
            point = start + alpha[i, s].double() * (x - start)
            samples[i, s] = (x - start) * slow.gradient(lambda v, i=i: network(v[None])[0, batch.targets[i]], point)
    same(got.values, samples.mean(1), 1e-6)
    same(got.standard_error, samples.std(1, correction=1) / math.sqrt(5), 1e-6)


def test_gradient_shap_without_noise_is_expected_gradients(network, batch):
    references = normal(3, 4, 6, seed=2)
    one, two = (explained(CLASSES[n](), network, batch, references) for n in ("expected_gradients", "gradient_shap"))
    assert torch.equal(one.values, two.values)


def test_expected_gradients_converge_to_the_mean_of_integrated_gradients(network, batch):
    references = normal(3, 4, 6, seed=2)
    exact = torch.stack(
        [explained(CLASSES["integrated_gradients"](n_steps=500), network, batch, r) for r in references.unbind(1)]
    ).mean(0)
    got = explained(CLASSES["expected_gradients"](n_samples=4000), network, batch, references)
    assert float(((got.values - exact).abs() / got.standard_error).max()) < 4
    assert float((got.values - exact).norm() / exact.norm()) < 0.05
