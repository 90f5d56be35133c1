"""Laws of LRP through zennit: against zennit called by hand, against slow derivations, and what it leaves behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("xaiexp_zennit", reason="the distribution xaiexp-zennit is not installed")

import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.efficientnet import MBConvConfig
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.squeezenet import Fire
from torchvision.models.vgg import make_layers
from zennit.attribution import Gradient
from zennit.canonizers import AttributeCanonizer, CompositeCanonizer, SequentialMergeBatchNorm
from zennit.composites import (
    EpsilonAlpha2Beta1,
    EpsilonAlpha2Beta1Flat,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
)
from zennit.layer import Sum
from zennit.torchvision import ResNetCanonizer, VGGCanonizer

import xaiexp
from xaiexp.errors import Unsupported

COMPOSITES = {
    "lrp_epsilon_plus": EpsilonPlus,
    "lrp_epsilon_plus_flat": EpsilonPlusFlat,
    "lrp_epsilon_alpha2_beta1": EpsilonAlpha2Beta1,
    "lrp_epsilon_alpha2_beta1_flat": EpsilonAlpha2Beta1Flat,
    "lrp_epsilon_gamma_box": lambda **options: EpsilonGammaBox(0.0, 1.0, **options),
}
METHODS = pytest.mark.parametrize("method", COMPOSITES)


def lived_in(network, biases=True):
    """A network with batch statistics as training would leave them, float64, in eval mode."""
    generator = torch.Generator().manual_seed(5)
    network = network.double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
            for tensor, low, high in [(module.weight, 0.5, 1.5), (module.running_var, 0.5, 2.0)]:
                tensor.data.uniform_(low, high, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator).mul_(float(biases))
            module.running_mean.normal_(0, 0.2, generator=generator).mul_(float(biases))
            if not biases:
                module.eps = 0.0  # zennit leaves it in a merged normalisation, which then scales by 1 - 5e-6
        if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
            module.bias.data.mul_(float(biases))
    return network


def halved(inplanes, planes):
    return nn.Sequential(nn.Conv2d(inplanes, planes, 1, 2, bias=False), nn.BatchNorm2d(planes))


def stem(planes=8):
    return nn.Conv2d(3, planes, 5, 2, 2, bias=False), nn.BatchNorm2d(planes), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)


def head(planes):
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(planes, 10)


# torchvision's parts, so that zennit's canonizers know them, in small networks.
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


def pictures(n=2, side=32):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_hand(module, x, target, composite):
    """zennit as its documentation has it, relevance starting from the score of the target."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    start = torch.eye(10, dtype=x.dtype)[target]
    with Gradient(module, composite) as attributor:
        return attributor(x, lambda output: output * start)[1].detach()


def close(got, want, rtol=1e-9):
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol * float(want.abs().max()))


def test_epsilon_plus_flat_on_resnet18_equals_zennit_called_by_hand_with_its_canonizer():
    module, x, target = network("resnet18"), pictures(side=64), torch.tensor([3, 7])
    want = by_hand(module, x, target, EpsilonPlusFlat(canonizers=[ResNetCanonizer()]))
    assert float(want.abs().sum()) > 0
    close(xaiexp.attribute(module, x, "lrp_epsilon_plus_flat", target=target), want)


@METHODS
def test_every_composite_on_basic_blocks_equals_zennit_called_by_hand_with_its_canonizer(method):
    module, x, target = network("basic blocks"), pictures(), torch.tensor([3, 7])
    want = by_hand(module, x, target, COMPOSITES[method](canonizers=[ResNetCanonizer()]))
    close(xaiexp.attribute(module, x, method, target=target), want)


def test_bottlenecks_too_and_in_single_precision():
    module, x, target = network("bottlenecks").float(), pictures().float(), torch.tensor([3, 7])
    want = by_hand(module, x, target, EpsilonPlusFlat(canonizers=[ResNetCanonizer()]))
    close(xaiexp.attribute(module, x, "lrp_epsilon_plus_flat", target=target), want, rtol=1e-5)


def test_on_vgg_with_batch_normalisation_it_equals_zennit():
    module, x, target = network("vgg"), pictures(), torch.tensor([3, 7])
    want = by_hand(module, x, target, EpsilonPlusFlat(epsilon=0.1, canonizers=[VGGCanonizer()]))
    close(xaiexp.attribute(module, x, "lrp_epsilon_plus_flat", target=target, epsilon=0.1), want)


class MobileNetCanonizer(CompositeCanonizer):
    """What a user of zennit would have to write for a MobileNetV2."""

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


def test_a_sum_and_an_average_between_modules_are_what_a_canonizer_by_hand_makes_of_them():
    module, x, target = network("mobilenet"), pictures(), torch.tensor([3, 7])
    want = by_hand(module, x, target, EpsilonPlus(canonizers=[MobileNetCanonizer()]))
    close(xaiexp.attribute(module, x, "lrp_epsilon_plus", target=target), want)


# Where the rules promise it: z-plus needs a positive contribution to every neuron that has relevance, alpha-beta a
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
    module, x, target = network(name, biases=False), pictures(), torch.tensor([3, 7])
    tiny = {"epsilon": 1e-30, "stabilizer": 1e-30}
    maps = xaiexp.attribute(module, x, method, target=target, **tiny)
    score = module(x).gather(1, target[:, None])[:, 0].detach()
    close(maps.flatten(1).sum(1), score)


def test_zennit_without_a_canonizer_would_not_conserve():
    module, x, target = network("basic blocks", biases=False), pictures(), torch.tensor([3, 7])
    wrong = by_hand(module, x, target, EpsilonPlus(canonizers=[SequentialMergeBatchNorm()]))
    score = module(x).gather(1, target[:, None])[:, 0]
    assert float((wrong.flatten(1).sum(1) / score).abs().min()) > 4


def test_what_biases_absorb_is_what_is_missing():
    """One layer, epsilon 0: ``z = w x + b``, so the elements get ``w x`` and the bias keeps ``b``."""
    layer = nn.Linear(4, 3).double().eval()
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    maps = xaiexp.attribute(layer, x, "lrp_epsilon_plus", target=1, epsilon=1e-30)
    close(maps, x * layer.weight[1].detach())
    close(maps.sum(1), (layer(x)[:, 1] - layer.bias[1]).detach())


class Residual(nn.Module):
    """Functional activations, a sum in place and an average, between modules."""

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


def test_a_small_residual_network_derived_by_hand():
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


def fingerprint(module):
    """Everything of a module that may be left changed."""
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


@METHODS
def test_the_network_is_what_it_was(method):
    module, x = network("basic blocks"), pictures()
    before, inputs, state = fingerprint(module), x.clone(), torch.random.get_rng_state()
    xaiexp.attribute(module, x, method, target=3)
    assert same(before, fingerprint(module))
    assert torch.equal(x, inputs)
    assert torch.equal(state, torch.random.get_rng_state())


class Boom(nn.Module):
    """Raises once it is told to: forward, or backward."""

    way = ""

    def forward(self, x):
        if self.way == "forward":
            raise ValueError("boom")
        if self.way == "backward":
            x.register_hook(self._raise)
        return x

    @staticmethod
    def _raise(_gradient):
        raise ValueError("boom")


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_the_network_is_what_it_was_after_an_exception(way):
    module, x = network("basic blocks"), pictures()
    module[5].downsample.append(Boom())
    handle = bound(module, x)
    handle.logits()
    before = fingerprint(module)
    module[5].downsample[-1].way = way
    with pytest.raises(ValueError, match="boom"):
        method("lrp_epsilon_plus_flat").attribute(handle, handle.batch, None, None)
    module[5].downsample[-1].way = ""
    before["5.downsample.2"][3].add("way")
    assert same(before, fingerprint(module))


def test_memory_that_runs_out_while_merging_leaves_nothing_merged(monkeypatch):
    module, x = network("basic blocks"), pictures()
    before, count, merge = fingerprint(module), iter(range(100)), SequentialMergeBatchNorm.merge_batch_norm

    def short(modules, norm):
        merge(modules, norm)
        if next(count) == 5:
            raise RuntimeError("no room")

    monkeypatch.setattr(SequentialMergeBatchNorm, "merge_batch_norm", staticmethod(short))
    with pytest.raises(RuntimeError, match="no room"):
        xaiexp.attribute(module, x, "lrp_epsilon_plus", target=3)
    assert same(before, fingerprint(module))


def method(name, **parameters):
    from xaiexp.registry import installed

    return installed().build("method", name, parameters)


def bound(module, x, target=3, budget=None, output="logit", precision="fp32"):
    from xaiexp.feature_map import FeatureMap
    from xaiexp.passes import Passes
    from xaiexp.types import Background, Batch

    count = x[0].numel()
    batch = Batch(
        ids=tuple(map(str, range(len(x)))),
        inputs=x,
        targets=torch.full((len(x),), target),
        features=FeatureMap.from_index(torch.arange(count).view(1, *x.shape[1:]), x.shape[1:]),
        background=Background({2: "table", 4: "image"}[x.ndim], low=x.new_zeros(1), high=x.new_ones(1)),
    )
    return Passes(module, precision=precision, batch_budget=budget).bind(batch, output)


@METHODS
def test_an_example_is_explained_alike_alone_in_company_and_for_every_budget_and_costs_what_is_said(method):
    module, x = network("fire"), pictures(3)
    want = xaiexp.attribute(module, x, method, target=3)
    close(torch.cat([xaiexp.attribute(module, row[None], method, target=3) for row in x]), want)
    close(xaiexp.attribute(module, x.flip(0), method, target=3).flip(0), want)
    component = globals()["method"](method)
    for budget in (1, 2):
        handle = bound(module, x, budget=budget)
        close(component.attribute(handle, handle.batch, None, None), want)
        cost, counter = component.passes((3, 32, 32), 32 * 32), handle.passes.counter
        assert (counter.forward, counter.backward) == (3 * cost.forward, 3 * cost.backward)


class Functional(nn.Module):
    """Two layers and what a test puts between them."""

    def __init__(self, between, norm=None) -> None:
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(4, 4), norm or nn.Identity(), nn.Linear(4, 4)
        self.between = between

    def forward(self, x):
        return self.between(self, x)


BETWEEN = {
    "runs mul, for": lambda m, x: m.second(m.first(x) * x),
    "adds something else than two tensors": lambda m, x: m.second(m.first(x) + 1),
    "runs softmax, for": lambda m, x: m.second(m.first(x)).softmax(1),
    "runs linear, for": lambda m, x: F.linear(m.first(x), m.second.weight),
    "runs sub, for": lambda m, x: m.second(m.first(x - 0.5)),
    "runs detach, for": lambda m, x: m.second(m.first(x).detach()),
    r"first \(Linear\) runs twice": lambda m, x: m.second(m.first(F.relu(m.first(x)))),
}


@pytest.mark.parametrize("reason", BETWEEN)
def test_what_no_rule_covers_is_refused_by_name(reason):
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
    """A linear layer that is none."""

    def forward(self, x):
        return F.linear(x, self.weight.softmax(1), self.bias)


MODULES = {
    "1 .* follows no linear layer": lambda: nn.Sequential(nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 4)),
    "misses its logits": lambda: Functional(lambda m, x: m.second(m.norm(F.relu(m.first(x)))), nn.BatchNorm1d(4)),
    "share their weights": tied,
    r"0 \(Own\) has a forward of its own": lambda: nn.Sequential(Own(4, 4)),
    "no weights or no running statistics": lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, affine=False)),
    r"1 \(LayerNorm\) runs layer_norm": lambda: nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)),
    "attention is attention": lambda: nn.ModuleDict({"attention": nn.MultiheadAttention(4, 2)}),
}


@pytest.mark.parametrize("reason", MODULES)
def test_a_network_that_no_canonizer_makes_right_is_refused_and_left_alone(reason):
    module = MODULES[reason]()
    if isinstance(module, nn.ModuleDict):
        module.forward = lambda x: module["attention"](x, x, x)[0]
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
def test_known_networks_without_rules_are_refused(name, reason):
    module = network(name)
    before = fingerprint(module)
    with pytest.raises(Unsupported, match=reason):
        xaiexp.attribute(module, pictures(1), "lrp_epsilon_plus", target=0)
    assert same(before, fingerprint(module))


@pytest.mark.parametrize("method", ["lrp_epsilon_plus_flat", "lrp_epsilon_gamma_box"])
def test_a_rule_for_pictures_is_refused_where_the_first_layer_sees_none(method):
    module = nn.Sequential(nn.Flatten(), nn.Linear(48, 3)).eval()
    with pytest.raises(Unsupported, match=r"1 \(Linear\) is the first layer to run"):
        xaiexp.attribute(module, torch.rand(2, 3, 4, 4), method, target=0)


class Backwards(nn.Module):
    """Defined in another order than it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.late, self.early = nn.Conv2d(4, 4, 3), nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.late(F.relu(self.early(x))).flatten(1)


def test_the_first_rule_is_for_the_layer_that_runs_first():
    module, x = Backwards().eval(), torch.rand(1, 3, 5, 5)
    with pytest.raises(Unsupported, match=r"early .* is the first layer to run, and the rule .* is for late"):
        xaiexp.attribute(module, x, "lrp_epsilon_plus_flat", target=0)
    xaiexp.attribute(module, x, "lrp_epsilon_plus", target=0)


def test_probabilities_and_half_precision_are_refused():
    module, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2)).eval(), torch.randn(2, 4)
    with pytest.raises(Unsupported, match="output=logit"):
        xaiexp.attribute(module, x, "lrp_epsilon_plus", target=0, output="probability")
    handle = bound(module, x, target=0, precision="bf16")
    with pytest.raises(Unsupported, match="precision=fp32"):
        method("lrp_epsilon_plus").attribute(handle, handle.batch, None, None)


def test_the_box_needs_the_range_of_the_inputs():
    from dataclasses import replace

    from xaiexp.types import Background

    handle = bound(network("fire"), pictures(1))
    batch = replace(handle.batch, background=Background("image"))
    with pytest.raises(Unsupported, match="range of legal inputs"):
        method("lrp_epsilon_gamma_box").attribute(handle, batch, None, None)


def test_starting_up_imports_nothing_heavy():
    code = (
        "import sys, xaiexp_zennit; xaiexp_zennit.xaiexp_components();"
        "print([m for m in ('torch', 'numpy', 'zennit', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
