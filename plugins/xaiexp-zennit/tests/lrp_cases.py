"""Composites, networks of torchvision's parts, and comparisons of networks, shared by the tests."""

from __future__ import annotations

import pytest

pytest.importorskip("xaiexp_zennit", reason="the distribution xaiexp-zennit is not installed")

import torch
from torch import nn
from torchvision import models
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.efficientnet import MBConvConfig
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.squeezenet import Fire
from torchvision.models.vgg import make_layers
from zennit.composites import (
    EpsilonAlpha2Beta1,
    EpsilonAlpha2Beta1Flat,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
)

import xaiexp
from xaiexp.inference.passes import Passes
from xaiexp.plugin import Background, Batch, FeatureMap, Readout

COMPOSITES = {
    "lrp_epsilon_plus": EpsilonPlus,
    "lrp_epsilon_plus_flat": EpsilonPlusFlat,
    "lrp_epsilon_alpha2_beta1": EpsilonAlpha2Beta1,
    "lrp_epsilon_alpha2_beta1_flat": EpsilonAlpha2Beta1Flat,
    "lrp_epsilon_gamma_box": lambda **options: EpsilonGammaBox(0.0, 1.0, **options),
}
METHODS = pytest.mark.parametrize("method", COMPOSITES)


def lived_in(network, biases=True):
    """A network with random batch statistics, as after training, float64, in eval mode."""
    generator = torch.Generator().manual_seed(5)
    network = network.double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
            for tensor, low, high in [(module.weight, 0.5, 1.5), (module.running_var, 0.5, 2.0)]:
                tensor.data.uniform_(low, high, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator).mul_(float(biases))
            module.running_mean.normal_(0, 0.2, generator=generator).mul_(float(biases))
            if not biases:
                module.eps = 0.0  # zennit keeps eps in a merged normalisation, which then scales by 1 - 5e-6
        if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
            module.bias.data.mul_(float(biases))
    return network


def halved(inplanes, planes):
    return nn.Sequential(nn.Conv2d(inplanes, planes, 1, 2, bias=False), nn.BatchNorm2d(planes))


def stem(planes=8):
    return nn.Conv2d(3, planes, 5, 2, 2, bias=False), nn.BatchNorm2d(planes), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)


def head(planes):
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(planes, 10)


# Small networks of torchvision's parts, which zennit's canonizers support.
BUILD = {
    "resnet18": lambda: models.resnet18(num_classes=10),
    "basic blocks": lambda: nn.Sequential(
        *stem(), BasicBlock(8, 8), BasicBlock(8, 16, 2, halved(8, 16)), BasicBlock(16, 16), *head(16)
    ),
    "wide blocks": lambda: nn.Sequential(
        *stem(64), BasicBlock(64, 64), BasicBlock(64, 128, 2, halved(64, 128)), *head(128)
    ),
    "bottlenecks": lambda: nn.Sequential(
        *stem(), Bottleneck(8, 4, 2, halved(8, 16)), Bottleneck(16, 4), Bottleneck(16, 4), *head(16)
    ),
    "mobilenet": lambda: models.MobileNetV2(10, 0.25, [[1, 16, 1, 1], [6, 24, 2, 2]]),
    "fire": lambda: nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(8, 4, 8, 8)),
        *(Fire(16, 8, 8, 8), nn.Dropout(), nn.Conv2d(16, 10, 1), nn.ReLU(True), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ),
    "vgg": lambda: nn.Sequential(
        make_layers([8, 8, "M", 16, "M"], batch_norm=True),
        *(nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(144, 20), nn.ReLU(True), nn.Dropout(), nn.Linear(20, 10)),
    ),
    "densenet": lambda: models.DenseNet(8, (2, 2), 16, num_classes=10),
    "efficientnet": lambda: models.EfficientNet([MBConvConfig(1, 3, 1, 16, 8, 1, 1, 1)], 0.2, num_classes=10),
    "convnext": lambda: models.ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], num_classes=10),
    "vit": lambda: models.VisionTransformer(32, 8, 1, 2, 16, 16, num_classes=10),
}


def network(name, biases=True):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return lived_in(BUILD[name](), biases)


def images(n=2, side=32):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def close(got, want, rtol=1e-9):
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol * float(want.abs().max()))


def fingerprint(module):
    """All state of a module that a method could change."""
    return {
        name: (
            {k: None if v is None else (id(v), v.data_ptr(), v.clone()) for k, v in child._parameters.items()},
            {k: (id(v), v.clone()) for k, v in child._buffers.items()},
            list(child._modules),
            set(child.__dict__),
            len(child._forward_hooks),
            len(child._forward_pre_hooks),
            child.training,
        )
        for name, child in module.named_modules()
    }


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def component_of(kind, name):
    (found,) = (c for c in xaiexp.components(kind) if c.name == name)
    return found


def component(name, **parameters):
    return component_of("method", name)(**parameters)


def bound(module, x, target=3, budget=None, output="logit", precision="fp32"):
    count = x[0].numel()
    batch = Batch(
        ids=tuple(map(str, range(len(x)))),
        inputs=x,
        targets=torch.full((len(x),), target),
        features=FeatureMap.from_index(torch.arange(count).view(1, *x.shape[1:]), x.shape[1:]),
        background=Background({2: "table", 4: "image"}[x.ndim], low=x.new_zeros(1), high=x.new_ones(1)),
    )
    return Passes(module, precision=precision, batch_budget=budget).bind(
        batch, Readout(component_of("output", output)(), "multiclass")
    )
