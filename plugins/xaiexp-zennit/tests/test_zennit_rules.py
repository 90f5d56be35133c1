"""The rules, compared with direct calls of zennit and with slow derivations, and the sum of relevance."""

from __future__ import annotations

import pytest

pytest.importorskip("xaiexp_zennit", reason="the distribution xaiexp-zennit is not installed")

import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models
from torchvision.models.mobilenetv2 import InvertedResidual
from zennit.attribution import Gradient
from zennit.canonizers import AttributeCanonizer, CompositeCanonizer, SequentialMergeBatchNorm
from zennit.composites import EpsilonPlus, EpsilonPlusFlat
from zennit.layer import Sum
from zennit.torchvision import ResNetCanonizer, VGGCanonizer

import xaiexp

from .lrp_cases import COMPOSITES, METHODS, close, images, network


def direct_relevance(module, x, target, composite):
    """zennit, used as in its documentation, with relevance starting from the score of the target."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    start = torch.eye(10, dtype=x.dtype)[target]
    with Gradient(module, composite) as attributor:
        return attributor(x, lambda output: output * start)[1].detach()


def test_epsilon_plus_flat_on_resnet18_equals_zennit_with_its_canonizer():
    module, x, target = network("resnet18"), images(side=64), torch.tensor([3, 7])
    want = direct_relevance(module, x, target, EpsilonPlusFlat(canonizers=[ResNetCanonizer()]))
    assert float(want.abs().sum()) > 0
    close(xaiexp.attribute(module, x, "lrp_epsilon_plus_flat", target=target), want)


@METHODS
def test_every_composite_on_basic_blocks_equals_zennit_with_its_canonizer(method):
    module, x, target = network("basic blocks"), images(), torch.tensor([3, 7])
    want = direct_relevance(module, x, target, COMPOSITES[method](canonizers=[ResNetCanonizer()]))
    close(xaiexp.attribute(module, x, method, target=target), want)


def test_bottlenecks_in_single_precision_equal_zennit():
    module, x, target = network("bottlenecks").float(), images().float(), torch.tensor([3, 7])
    want = direct_relevance(module, x, target, EpsilonPlusFlat(canonizers=[ResNetCanonizer()]))
    close(xaiexp.attribute(module, x, "lrp_epsilon_plus_flat", target=target), want, rtol=1e-5)


def test_vgg_with_batch_normalisation_equals_zennit():
    module, x, target = network("vgg"), images(), torch.tensor([3, 7])
    want = direct_relevance(module, x, target, EpsilonPlusFlat(epsilon=0.1, canonizers=[VGGCanonizer()]))
    close(xaiexp.attribute(module, x, "lrp_epsilon_plus_flat", target=target, epsilon=0.1), want)


class MobileNetCanonizer(CompositeCanonizer):
    """The canonizer that a user of zennit would have to write for a MobileNetV2."""

    def __init__(self):
        super().__init__((SequentialMergeBatchNorm(), AttributeCanonizer(self._attributes)))

    @staticmethod
    def _attributes(_name, module):
        def block(self, x):
            return self.canonizer_sum(torch.stack([x, self.conv(x)], dim=-1))

        def whole(self, x):
            return self.classifier(self.canonizer_pool(self.features(x)).flatten(1))

        if isinstance(module, InvertedResidual) and module.use_res_connect:
            return {"forward": block.__get__(module), "canonizer_sum": Sum()}
        if isinstance(module, models.MobileNetV2):
            return {"forward": whole.__get__(module), "canonizer_pool": nn.AdaptiveAvgPool2d(1)}
        return None


def test_sums_and_averages_between_modules_equal_a_handwritten_canonizer():
    module, x, target = network("mobilenet"), images(), torch.tensor([3, 7])
    want = direct_relevance(module, x, target, EpsilonPlus(canonizers=[MobileNetCanonizer()]))
    close(xaiexp.attribute(module, x, "lrp_epsilon_plus", target=target), want)


# Conditions of conservation: z-plus needs a positive contribution to every neuron that has relevance, alpha-beta a
# positive and a negative one, gamma any.
@pytest.mark.parametrize(
    ("name", "method"),
    [
        *(("wide blocks", method) for method in COMPOSITES),
        *(("fire", method) for method in COMPOSITES if "beta" not in method),
        ("mobilenet", "lrp_epsilon_gamma_box"),
    ],
)
def test_without_biases_relevance_sums_to_the_score(name, method):
    module, x, target = network(name, biases=False), images(), torch.tensor([3, 7])
    tiny = {"epsilon": 1e-30, "stabilizer": 1e-30}
    maps = xaiexp.attribute(module, x, method, target=target, **tiny)
    score = module(x).gather(1, target[:, None])[:, 0].detach()
    close(maps.flatten(1).sum(1), score)


def test_zennit_without_a_canonizer_does_not_conserve_relevance():
    module, x, target = network("basic blocks", biases=False), images(), torch.tensor([3, 7])
    wrong = direct_relevance(module, x, target, EpsilonPlus(canonizers=[SequentialMergeBatchNorm()]))
    score = module(x).gather(1, target[:, None])[:, 0]
    assert float((wrong.flatten(1).sum(1) / score).abs().min()) > 4


def test_the_missing_relevance_is_absorbed_by_biases():
    """One layer, epsilon 0: ``z = w x + b``, the elements get ``w x`` and the bias absorbs ``b``."""
    layer = nn.Linear(4, 3).double().eval()
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    maps = xaiexp.attribute(layer, x, "lrp_epsilon_plus", target=1, epsilon=1e-30)
    close(maps, x * layer.weight[1].detach())
    close(maps.sum(1), (layer(x)[:, 1] - layer.bias[1]).detach())


class Residual(nn.Module):
    """Functional activations, an in-place sum and an average between modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(3, 3)

    def forward(self, x):
        x = F.gelu(self.first(x))
        y = self.second(x)
        y += x
        return self.head(y.view(-1, 3, 2).mean(2))


def slow_epsilon(layer, x, relevance, eps):
    """Bach et al. 2015, equation 58: R_i = sum_j x_i w_ij / (z_j + eps sign z_j) R_j, for one example."""
    w, b, out = layer.weight.tolist(), layer.bias.tolist(), [0.0] * len(x)
    for j, r in enumerate(relevance):
        z = b[j] + sum(w[j][i] * x[i] for i in range(len(x)))
        for i, value in enumerate(x):
            out[i] += value * w[j][i] / (z + (eps if z >= 0 else -eps)) * r
    return out


def test_a_small_residual_network_equals_a_derivation_direct_relevance():
    torch.manual_seed(0)
    module, eps = Residual().double().eval(), 0.01
    x = torch.randn(3, 4, dtype=torch.float64)
    got = xaiexp.attribute(module, x, "lrp_epsilon_plus", target=2, epsilon=eps, stabilizer=0.0)
    for row, mine in zip(x, got, strict=True):
        hidden = F.gelu(module.first(row)).tolist()
        branch = module.second(torch.tensor(hidden, dtype=x.dtype)).tolist()
        joined = [a + b for a, b in zip(hidden, branch, strict=True)]
        pooled = [(joined[2 * i] + joined[2 * i + 1]) / 2 for i in range(3)]
        score = module(row[None])[0, 2].item()
        at_pool = slow_epsilon(module.head, pooled, [0.0, 0.0, score], eps)
        at_sum = [joined[i] / 2 / pooled[i // 2] * at_pool[i // 2] for i in range(6)]
        through = [b / s * r for b, s, r in zip(branch, joined, at_sum, strict=True)]
        past = [h / s * r for h, s, r in zip(hidden, joined, at_sum, strict=True)]
        at_hidden = [a + b for a, b in zip(past, slow_epsilon(module.second, hidden, through, eps), strict=True)]
        want = slow_epsilon(module.first, row.tolist(), at_hidden, eps)
        close(mine, torch.tensor(want, dtype=x.dtype))
