"""What the entry ``captum/deep_lift_max_pool`` states about Captum is what the installed version returns."""

from __future__ import annotations

import warnings

import pytest
import torch

from xaiexp.builtin.publications.captum_max_pool import CaptumMaxPool, inputs
from xaiexp.builtin.publications.networks import max_pool

captum = pytest.importorskip("captum")


def attributed(network):
    from captum.attr import DeepLift

    x = torch.tensor(inputs(), dtype=torch.float64, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return DeepLift(network).attribute(x, torch.zeros_like(x)).detach().flatten().tolist()


@pytest.mark.skipif(captum.__version__ != "0.9.0", reason="the entry is about Captum 0.9.0")
def test_captum_returns_the_published_numbers():
    (numbers,) = CaptumMaxPool.published
    assert attributed(max_pool().double()) == pytest.approx(numbers.values, abs=numbers.tolerance)


class Apart(torch.nn.Module):
    """A ReLU whose output is another tensor of the same values."""

    def __init__(self):
        super().__init__()
        self.relu = torch.nn.ReLU()

    def forward(self, x):
        return self.relu(x) * 1


def test_with_another_tensor_between_them_captum_returns_the_derivation_by_hand():
    network = max_pool().double()
    network.relu = Apart()
    truth = CaptumMaxPool().truth(None)["DeepLIFT of a max-pool after a ReLU"]
    assert attributed(network) == pytest.approx(truth, abs=1e-6)  # weights are those of float32
