"""The channels that a network takes, found out by giving it images of both."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from xaiexp.builtin.models.input_channels import input_channels


def net(channels, side=12):
    """A small classifier of images of a fixed size."""
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.Flatten(), nn.Linear(4 * (side - 2) ** 2, 2))


class Converting(nn.Module):
    """A network that changes the channels itself."""

    def __init__(self, channels, change):
        super().__init__()
        self.head = nn.Linear(3, 3)  # registered first, used last
        self.spare = nn.Conv2d(5, 1, 1)  # never used
        self.inner, self.change = net(channels), change

    def forward(self, x):
        return self.head(torch.cat([self.inner(self.change(x)), x.new_zeros(len(x), 1)], 1))


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (net(1), 1),
        (net(3), 3),
        (net(4), 4),
        (nn.Sequential(nn.BatchNorm2d(1), net(1)), 1),
        (Converting(1, lambda x: x), 1),
        (Converting(3, lambda x: x), 3),
        (Converting(1, lambda x: x[:, [0, 1, 2]].mean(1, keepdim=True)), 3),  # it makes greyscale itself
        (Converting(3, lambda x: x.repeat(1, 3, 1, 1)), 1),  # it takes greyscale
        (Converting(5, lambda x: torch.cat([x, x.new_zeros(len(x), 2, *x.shape[2:])], 1)), 3),  # coordinates
        (Converting(3, lambda x: torch.cat([x, x.new_zeros(len(x), 2, *x.shape[2:])], 1)), 1),
        (Converting(12, lambda x: nn.functional.pixel_unshuffle(x, 2)), 3),
        (nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), None),
        (models.squeezenet1_0(num_classes=3), 3),
        (models.VisionTransformer(32, 16, 1, 2, 8, 8), 3),  # asserts its size first
    ],
)
def test_the_channels_are_those_that_the_network_takes(module, expected):
    module.eval()
    state = {key: value.clone() for key, value in module.state_dict().items()}
    random = torch.random.get_rng_state()
    assert input_channels(module) == expected
    assert torch.equal(torch.random.get_rng_state(), random)
    assert not any(layer._forward_pre_hooks for layer in module.modules())
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
