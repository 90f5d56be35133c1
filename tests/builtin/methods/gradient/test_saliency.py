"""Saliency of probabilities."""

from __future__ import annotations

import pytest
import torch
from attributions import explained, same
from builders import make_batch, normal
from feature_games import small_network
from reference import methods_slow as slow

from xaiexp.builtin.methods.gradient.saliency import Saliency

network = pytest.fixture(small_network)


@pytest.fixture
def batch():
    return make_batch(normal(3, 6), torch.tensor([0, 1, 2]))


def test_saliency_of_a_probability_is_the_gradient_of_the_softmax(network, batch):
    got = explained(Saliency(absolute=False), network, batch, output="probability")
    for i in range(3):
        want = slow.gradient(lambda v, i=i: network(v[None]).softmax(1)[0, batch.targets[i]], batch.inputs[i])
        same(got[i], want)
