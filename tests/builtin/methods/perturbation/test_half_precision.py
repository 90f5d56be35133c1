"""Perturbation methods in half precision."""

from __future__ import annotations

import pytest
import torch
from builders import bind, draws, make_batch, normal
from feature_games import feature_values
from torch import nn

from xaiexp.builtin.methods.perturbation.feature_ablation import FeatureAblation
from xaiexp.builtin.methods.perturbation.feature_permutation import FeaturePermutation
from xaiexp.builtin.methods.perturbation.occlusion import Occlusion
from xaiexp.builtin.methods.perturbation.rise import Rise
from xaiexp.core.batches import Background
from xaiexp.core.explanations import Estimate
from xaiexp.inference.passes import Passes


@pytest.mark.parametrize(
    "method", [FeatureAblation(), Occlusion(), FeaturePermutation(), Rise(n_masks=200)], ids=lambda m: m.name
)
@pytest.mark.parametrize(("precision", "unit"), [("bf16", 2**-7), ("fp16", 2**-10)])
def test_half_precision(method, precision, unit):
    """The rounding of a difference of two scores: two units in the last place of the largest score."""
    assert precision in method.precisions
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 3)).eval()
    with torch.no_grad():
        for layer in network[::2]:
            layer.weight *= 2
    x = normal(8, 10).float()
    batch = make_batch(x, torch.arange(8) % 3, background=Background("table", normal(9, 10, seed=1).float()))
    exact, _ = feature_values(method, network, batch, torch.zeros_like(x))
    handle = Passes(network, precision=precision).bind(batch)
    got = method.attribute(handle, batch, torch.zeros_like(x), draws(batch))
    got = batch.features.pool(got.values if isinstance(got, Estimate) else got)
    assert 0 < float((got - exact).abs().max()) < 2 * unit * float(bind(network, batch).scores().abs().max())
