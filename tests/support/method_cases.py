"""Every built-in method with few steps, and networks and batches of images, tables and texts."""

from __future__ import annotations

import pytest
import torch
from builders import make_batch, pixel_map
from torch import nn

from xaiexp.builtin.methods import COMPONENTS
from xaiexp.core.batches import Background
from xaiexp.core.feature_map import FeatureMap

# Few steps and samples, as tests use batch budgets down to one row. 70 coalitions are exhaustive for texts of up to 6
# tokens and random for longer ones.
SMALL = {
    "integrated_gradients": {"n_steps": 7},
    "expected_gradients": {"n_samples": 6},
    "gradient_shap": {"n_samples": 6, "stdevs": 0.1},
    "smooth_grad": {"n_samples": 6},
    "smooth_grad_squared": {"n_samples": 6},
    "var_grad": {"n_samples": 6},
    "blur_ig": {"n_steps": 5},
    "guided_ig": {"n_steps": 6, "max_dist": 0.1},
    "kernel_shap": {"n_samples": 70},
    "lime": {"n_samples": 70},
    "feature_permutation": {"n_samples": 3},
    "rise": {"n_masks": 40, "grid": 3},
    "shapley_sampling": {"n_samples": 4},
    "permutation_shap": {"n_samples": 2},
}
# Methods that need attention are tested on transformers, in attention/; those that read files in precomputed/.
CLASSES = {c.name: c for c in COMPONENTS if "attention" not in c.needs and c.repeatable}
VARIANTS = [(name, SMALL.get(name, {})) for name in CLASSES] + [
    ("lime", {"alpha": 0.01, "n_samples": 60}),
]
METHODS = [pytest.param(CLASSES[n](**p), id=f"{n}-{p}" if p else n) for n, p in VARIANTS]


class ImageNetwork(nn.Module):
    """An image classifier with in-place, functional and reused activations, pooling and batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.act, self.pool = nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.act(self.conv1(x))
        y = self.norm(self.conv2(x))
        y += x
        return self.head(torch.sigmoid_(self.pool(torch.tanh(y)).flatten(1)))


class TextNetwork(nn.Module):
    """A classifier of tokens ``[N, T, D]`` with a mask as context."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(3, 6), nn.Linear(6, 4)

    def forward(self, x, mask):
        hidden = torch.relu(self.embed(x).transpose(0, 1))  # the batch axis is not the first one
        weight = (mask / mask.sum(1, keepdim=True)).t().unsqueeze(-1)
        return self.head(torch.tanh((hidden * weight).sum(0)))


def image(n=8):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, 2, 5, 5, generator=generator)
    reference = 0.3 * torch.randn(n, 2, 5, 5, generator=generator)
    zero = torch.zeros(1)
    background = Background("image", torch.randn(6, 2, 5, 5, generator=generator), zero, zero, zero + 1)
    return make_batch(x, torch.arange(n) % 5, features=pixel_map((2, 5, 5)), background=background), reference


def table(n=8):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(n, 5, generator=generator)
    zero = torch.zeros(1)
    background = Background("table", torch.randn(6, 5, generator=generator), zero, zero, zero + 1)
    return make_batch(x, torch.arange(n) % 3, background=background), torch.randn(n, 5, generator=generator)


def text(n=8):
    generator = torch.Generator().manual_seed(3)
    tokens = torch.tensor([4, 1, 9, 0, 6, 12, 2, 7])[:n]
    width = 14  # [CLS], tokens, [SEP], padding
    x = torch.randn(n, width, 3, generator=generator)
    position = torch.arange(width)
    index = torch.where((position > 0) & (position <= tokens[:, None]), position - 1, -1)
    index = index.unsqueeze(-1).expand(-1, -1, 3).contiguous()
    features = FeatureMap(index, tokens, (int(tokens.max()),))
    reference = torch.where(index >= 0, 0.2 * torch.randn(n, width, 3, generator=generator), x)
    one = torch.ones(1)
    return make_batch(
        x,
        torch.arange(n) % 4,
        features=features,
        background=Background("text", low=-2 * one, high=2 * one),
        context={"mask": (position <= tokens[:, None] + 1).float()},
    ), reference
