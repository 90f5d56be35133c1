"""Networks without rules raise ``Unsupported`` and remain unchanged."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("xaiexp_zennit", reason="the distribution xaiexp-zennit is not installed")

import torch
import torch.nn.functional as F
from torch import nn

import xaiexp
from xaiexp.plugin import Background, Unsupported

from .lrp_cases import bound, component, fingerprint, images, lived_in, network, same


class Functional(nn.Module):
    """Two layers with a given function between them."""

    def __init__(self, between, norm=None) -> None:
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(4, 4), norm or nn.Identity(), nn.Linear(4, 4)
        self.between = between

    def forward(self, x):
        return self.between(self, x)


BETWEEN = {
    "runs mul, for": lambda m, x: m.second(m.first(x) * x),
    "adds other values than two tensors": lambda m, x: m.second(m.first(x) + 1),
    "runs softmax, for": lambda m, x: m.second(m.first(x)).softmax(1),
    "runs linear, for": lambda m, x: F.linear(m.first(x), m.second.weight),
    "runs sub, for": lambda m, x: m.second(m.first(x - 0.5)),
    r"first \(Linear\) runs twice": lambda m, x: m.second(m.first(F.relu(m.first(x)))),
}


@pytest.mark.parametrize("reason", BETWEEN)
def test_operations_without_a_rule_raise_with_their_name(reason):
    module = Functional(BETWEEN[reason]).eval()
    before = fingerprint(module)
    with pytest.raises(Unsupported, match=reason):
        xaiexp.attribute(module, torch.randn(2, 4), "lrp_epsilon_plus", target=0)
    assert same(before, fingerprint(module))


def tied():
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.BatchNorm1d(4))
    module[2].weight = module[0].weight
    return module


class Own(nn.Linear):
    """A subclass of a linear layer that computes something else."""

    def forward(self, x):
        return F.linear(x, self.weight.softmax(1), self.bias)


MODULES = {
    "1 .* follows no linear layer": lambda: nn.Sequential(nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 4)),
    "changes the logits": lambda: Functional(lambda m, x: m.second(m.norm(F.relu(m.first(x)))), nn.BatchNorm1d(4)),
    "share their weights": tied,
    r"0 \(Own\) overrides forward, and no rule covers it": lambda: nn.Sequential(Own(4, 4)),
    "no weights or no running statistics": lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, affine=False)),
    r"1 \(LayerNorm\) runs layer_norm": lambda: nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)),
    "attention is attention": lambda: nn.ModuleDict({"attention": nn.MultiheadAttention(4, 2, batch_first=True)}),
}


@pytest.mark.parametrize("reason", MODULES)
def test_a_network_without_canonical_form_raises_and_is_unchanged(reason):
    module = MODULES[reason]()
    if isinstance(module, nn.ModuleDict):
        module.forward = lambda x: module["attention"](*[x.unsqueeze(1)] * 3)[0].squeeze(1)
    lived_in(module).float()
    before = fingerprint(module)
    with pytest.raises(Unsupported, match=reason):
        xaiexp.attribute(module, torch.randn(2, 4), "lrp_epsilon_plus", target=0)
    assert same(before, fingerprint(module))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("densenet", "norm1 .* follows no linear layer"),
        ("efficientnet", r"\(SqueezeExcitation\) runs mul"),
        ("convnext", r"\(LayerNorm2d\) runs layer_norm"),
        ("vit", "self_attention is attention"),
    ],
)
def test_known_networks_without_rules_raise(name, reason):
    module = network(name)
    before = fingerprint(module)
    with pytest.raises(Unsupported, match=reason):
        xaiexp.attribute(module, images(1), "lrp_epsilon_plus", target=0)
    assert same(before, fingerprint(module))


@pytest.mark.parametrize("method", ["lrp_epsilon_plus_flat", "lrp_epsilon_gamma_box"])
def test_a_first_convolution_rule_raises_for_other_first_layers(method):
    module = nn.Sequential(nn.Flatten(), nn.Linear(48, 3)).eval()
    with pytest.raises(Unsupported, match=r"1 \(Linear\) is the first layer to run"):
        xaiexp.attribute(module, torch.rand(2, 3, 4, 4), method, target=0)


class Backwards(nn.Module):
    """A network whose layers run in another order than they are defined."""

    def __init__(self) -> None:
        super().__init__()
        self.late, self.early = nn.Conv2d(4, 4, 3), nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.late(F.relu(self.early(x))).flatten(1)


def test_the_first_rule_applies_to_the_layer_that_runs_first():
    module, x = Backwards().eval(), torch.rand(1, 3, 5, 5)
    with pytest.raises(Unsupported, match=r"early .* is the first layer to run, but the rule .* is for late"):
        xaiexp.attribute(module, x, "lrp_epsilon_plus_flat", target=0)
    xaiexp.attribute(module, x, "lrp_epsilon_plus", target=0)


def test_probabilities_and_half_precision_raise():
    module, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2)).eval(), torch.randn(2, 4)
    with pytest.raises(Unsupported, match="output=logit"):
        xaiexp.attribute(module, x, "lrp_epsilon_plus", target=0, output="probability", task="multiclass")
    handle = bound(module, x, target=0, precision="bf16")
    with pytest.raises(Unsupported, match="precision=fp32"):
        component("lrp_epsilon_plus").attribute(handle, handle.batch, None, None)


def test_the_box_rule_needs_the_range_of_the_inputs():
    handle = bound(network("fire"), images(1))
    batch = replace(handle.batch, background=Background("image"))
    with pytest.raises(Unsupported, match="range of valid inputs"):
        component("lrp_epsilon_gamma_box").attribute(handle, batch, None, None)
