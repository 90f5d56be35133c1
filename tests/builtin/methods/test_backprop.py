"""Rules that change the backward pass: guided backpropagation, deconvolution, DeepLIFT, on networks as they are."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
import torchvision
from builders import bind, draws, make_batch
from reference import backprop_slow
from torch import nn

from xaiexp.builtin.methods import COMPONENTS
from xaiexp.core.explanations import Cost
from xaiexp.errors import Unsupported

CLASSES = {c.name: c for c in COMPONENTS}
RECTIFYING = ["guided_backprop", "deconvolution"]


def explained(name, network, batch, reference=None, **options):
    return CLASSES[name]().attribute(bind(network, batch, **options), batch, reference, draws(batch))


def same(got, want, rtol=1e-9):
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol * float(want.abs().max()))


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Guided backpropagation and deconvolution


class Chain(nn.Module):
    """Three linear layers with a rectifier of one's choice behind the first two."""

    def __init__(self, rectifier) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList([nn.Linear(6, 8), nn.Linear(8, 7), nn.Linear(7, 3)]).double()
        self.rectifier = rectifier

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.rectifier(layer(9 * x))
        return self.layers[-1](x)


def sliced(x):
    x[:, :3].relu_()
    x[:, 3:] = F.relu(x[:, 3:])
    return x


def written(x):
    out = x.new_zeros(x.shape)
    out[:, :3], out[:, 3:] = x[:, :3], x[:, 3:]
    return F.relu(out)


RELU = {
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
    "F.relu": F.relu,
    "F.relu by keyword": lambda x: F.relu(input=x),
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "F.relu in place by position": lambda x: F.relu(x, True),
    "F.relu_": F.relu_,
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "Tensor.relu": lambda x: x.relu(),
    "Tensor.relu_": lambda x: x.relu_(),
    "of slices": sliced,
    "of a buffer": written,
    "clamp": lambda x: x.clamp(min=0),
    "clamp_": lambda x: x.clamp_(0.0),
    "torch.clamp": lambda x: torch.clamp(x, 0),
    "clamp_min": lambda x: x.clamp_min(0),
    "threshold": lambda x: F.threshold(x, 0.0, 0.0),
    "torch.relu by keyword": lambda x: torch.relu(input=x),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "maximum, zeros first": lambda x: torch.fmax(torch.zeros_like(x), other=x),
    "hardtanh without an end": lambda x: F.hardtanh(x, 0.0, math.inf),
}
RELU6 = {
    "module": nn.ReLU6(),
    "module in place": nn.ReLU6(inplace=True),
    "F.relu6": F.relu6,
    "F.relu6 in place": lambda x: F.relu6(x, inplace=True),
    "F.hardtanh": lambda x: F.hardtanh(x, 0.0, 6.0),
    "hardtanh_": lambda x: F.hardtanh_(x, 0.0, 6.0),
    "nn.Hardtanh": nn.Hardtanh(0.0, 6.0),
    "clamp": lambda x: x.clamp(0, 6),
    "clip_": lambda x: x.clip_(min=0, max=6),
}
FORMS = [pytest.param(f, math.inf, id=f"relu {n}") for n, f in RELU.items()]
FORMS += [pytest.param(f, 6.0, id=f"relu6 {n}") for n, f in RELU6.items()]


@pytest.mark.parametrize("rule", RECTIFYING)
@pytest.mark.parametrize(("rectifier", "ceiling"), FORMS)
def test_every_form_of_a_rectifier_gets_the_rule(rectifier, ceiling, rule):
    network = Chain(rectifier).eval()
    batch = make_batch(normal(5, 6), torch.tensor([0, 1, 2, 0, 1]))
    got = explained(rule, network, batch, budget=2)
    weights = [9 * layer.weight.detach().numpy() for layer in network.layers[:-1]]
    weights.append(network.layers[-1].weight.detach().numpy())
    biases = [layer.bias.detach().numpy() for layer in network.layers]
    for i in range(5):
        want = backprop_slow.backward(
            weights, biases, batch.inputs[i].numpy(), int(batch.targets[i]), rule.split("_")[0], ceiling
        )
        same(got[i], torch.from_numpy(want))


def test_the_ceiling_and_the_floor_are_met_in_the_test_above():
    seen = []
    with torch.no_grad():
        network = Chain(lambda x: (seen.append(x), F.relu6(x))[1])
        network(normal(5, 6))
    assert all(bool((x > 6).any() and (x < 0).any()) for x in seen)


@pytest.mark.parametrize(
    ("rule", "want"), [("guided_backprop", [1.0, 0.0, 0.0, 0.0]), ("deconvolution", [1.0, 2.0, 0.0, 0.0])]
)
def test_rectifiers_by_hand(rule, want):
    batch = make_batch(torch.tensor([[2.0, -1.0, 3.0, 7.0]]))
    score = lambda v: (F.relu6(v) * torch.tensor([1.0, 2.0, -3.0, 4.0])).sum(1)  # noqa: E731 -- one line
    same(explained(rule, score, batch), torch.tensor([want]))


class Scaled(nn.Module):
    def forward(self, x, scale):
        return F.relu(x * F.relu(scale)).sum(1)


@pytest.mark.parametrize("rule", RECTIFYING)
def test_a_rectifier_of_something_else_than_the_input_is_left_alone(rule):
    batch = make_batch(torch.tensor([[1.0, -2.0]]), context={"scale": torch.tensor([[3.0, -1.0]])})
    same(explained(rule, Scaled(), batch), torch.tensor([[3.0, 0.0]]))


class Attentive(nn.Module):
    """What has no rule and needs none keeps its gradient: a softmax, a product, a norm, a sigmoid, a maximum."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norm, self.last = nn.LayerNorm(6), nn.Linear(6, 3)

    def above(self, z):
        z = z * z.softmax(1) + z.sigmoid() * z.amax(1, keepdim=True)
        return self.last(z.clamp(0, 1) + torch.maximum(z - 1, z * 0) * (z.detach() / 2).floor().clamp(min=-1, max=3))

    def forward(self, x):
        return self.above(F.relu(self.norm(x)))


@pytest.mark.parametrize("rule", RECTIFYING)
def test_what_is_no_rectifier_keeps_its_gradient(rule):
    """The gradient above the ReLU by autograd, the rule by hand, the gradient below it by autograd."""
    batch, network = make_batch(normal(4, 6), torch.tensor([0, 1, 2, 0])), Attentive().double()
    leaf = batch.inputs.clone().requires_grad_()
    below = network.norm(leaf)
    middle = F.relu(below).detach().requires_grad_()
    (above,) = torch.autograd.grad(network.above(middle).gather(1, batch.targets[:, None]).sum(), middle)
    passed = above.clamp(min=0) * ((below > 0) if rule == "guided_backprop" else 1.0)
    (want,) = torch.autograd.grad(below, leaf, passed)
    same(explained(rule, network, batch), want)


class OwnRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return F.relu(x)

    @staticmethod
    def backward(ctx, grad):
        return grad


class Hidden(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        with torch._C.DisableTorchFunction():
            return F.relu(x)

    @staticmethod
    def backward(ctx, grad):
        return grad


REFUSED = [
    (nn.GELU(), r"'gelu' in 'rectifier' \(GELU\)"),
    (nn.SiLU(), "'silu'"),
    (nn.Mish(), "'mish'"),
    (nn.Hardswish(), "'hardswish'"),
    (nn.ELU(), "'elu'"),
    (nn.SELU(), "'selu'"),
    (nn.CELU(), "'celu'"),
    (nn.LeakyReLU(), "'leaky_relu'"),
    (nn.PReLU(dtype=torch.float64), "'prelu'"),
    (nn.Softplus(), "'softplus'"),
    (lambda x: F.gelu(x) + F.relu(x), "'gelu'"),
    (lambda x: x * (x > 0), "'mul' selects by comparing activations"),
    (lambda x: torch.where(x > 0, x, 0.0), "'where' selects by comparing activations"),
    (lambda x: x.masked_fill(x < 0, 0.0), "'masked_fill' selects by comparing activations"),
    (OwnRelu.apply, r"'relu' under torch.no_grad\(\) or in a custom autograd function"),
    (Hidden.apply, "cannot trace 'Hidden'"),
    (nn.Tanh(), "changes the gradient of ReLU, and the network runs none"),
    (lambda x: x.clamp(min=-1) + F.hardtanh(x), "runs none"),
]


@pytest.mark.parametrize("rule", RECTIFYING)
@pytest.mark.parametrize(("rectifier", "named"), REFUSED)
def test_networks_without_a_rule_are_refused_by_name(rectifier, named, rule):
    network, batch = Chain(rectifier).eval(), make_batch(normal(2, 6))
    with pytest.raises(Unsupported, match=named) as refused:
        explained(rule, network, batch)
    assert str(refused.value).startswith(rule)
    assert torch.overrides._get_current_function_mode() is None


def test_a_scripted_module_is_not_looked_into():
    network = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)).double()
    with pytest.warns(FutureWarning, match="deprecated"):
        scripted = torch.jit.trace(network, normal(1, 6))
    for rule in RECTIFYING:
        with pytest.raises(Unsupported):
            explained(rule, scripted, make_batch(normal(2, 6)))


# DeepLIFT over a distribution of references


@pytest.fixture
def pooled():
    """Softmax over features, max-pooling, a class probability: what is wrong if examples are mixed."""
    torch.manual_seed(0)
    return (
        nn.Sequential(
            nn.Conv1d(2, 4, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Softmax(dim=1), nn.Flatten(), nn.Linear(20, 6),
            nn.Tanh(), nn.Softmax(dim=-1), nn.Linear(6, 3),
        ).double().eval()
    )  # fmt: skip


def test_deep_lift_shap_is_the_mean_of_deep_lift(pooled):
    batch = make_batch(normal(3, 2, 12), torch.tensor([0, 1, 2]))
    references = normal(3, 5, 2, 12, seed=1)
    want = torch.stack([explained("deep_lift", pooled, batch, r) for r in references.unbind(1)]).mean(0)
    for budget in (1, 4, None):
        handle = bind(pooled, batch, budget=budget)
        same(CLASSES["deep_lift_shap"]().attribute(handle, batch, references, draws(batch)), want)
        assert Cost(handle.counter.forward, handle.counter.backward) == Cost(2, 1) * (3 * 5)
    handle = bind(pooled, batch)
    same(want.flatten(1).sum(1), handle.scores() - handle.scores(references).mean(1))


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize("name", ["deep_lift", "deep_lift_shap", *RECTIFYING])
def test_softmax_and_max_pool_do_not_mix_examples(pooled, name, output):
    """Every example alone, in other company, and beside one that is its own reference."""
    batch, references = make_batch(normal(4, 2, 12), torch.tensor([0, 1, 2, 1])), normal(4, 2, 2, 12, seed=1)
    references[0, 0] = batch.inputs[0]
    references[1, :, :, :6] = batch.inputs[1, None, :, :6]
    given = references if name == "deep_lift_shap" else references[:, 0]
    whole = explained(name, pooled, batch, given, output=output)
    for rows in ([0], [1], [2], [3], [2, 1], [3, 0, 1]):
        some = make_batch(batch.inputs[rows], batch.targets[rows])
        same(explained(name, pooled, some, given[rows], output=output), whole[rows], 1e-12)
    if name.startswith("deep_lift"):
        handle = bind(pooled, batch, output=output)
        absent = handle.scores(references).mean(1) if name == "deep_lift_shap" else handle.scores(references[:, 0])
        torch.testing.assert_close(whole.flatten(1).sum(1), handle.scores() - absent, rtol=1e-9, atol=1e-14)


# Real architectures


def torchvisions(arch, **options):
    """Random weights, and statistics of batch normalisation that are not 0 and 1."""
    torch.manual_seed(0)
    network = getattr(torchvision.models, arch)(weights=None, **options)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.1)
    return network.double().eval()


@pytest.fixture
def photos():
    return make_batch(normal(2, 3, 64, 64), torch.tensor([3, 7])), 0.3 * normal(2, 3, 64, 64, seed=1)


@pytest.mark.parametrize("arch", ["resnet18", "densenet121", "mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x0_5"])
def test_deep_lift_adds_up_on_networks_as_they_are_published(arch, photos):
    """In-place, functional and reused ReLUs, ReLU6, additions in place, concatenations, shuffled channels."""
    (batch, reference), network = photos, torchvisions(arch)
    handle = bind(network, batch)
    got = explained("deep_lift", network, batch, reference)
    same(got.flatten(1).sum(1), handle.scores() - handle.scores(reference), 1e-6)
    references = torch.stack((reference, batch.inputs.flip(-1)), 1)
    got = explained("deep_lift_shap", network, batch, references)
    same(got.flatten(1).sum(1), handle.scores() - handle.scores(references).mean(1), 1e-6)
    for rule in RECTIFYING:
        got = explained(rule, network, batch)
        assert bool(got.isfinite().all())
        assert bool(got.flatten(1).any(1).all())


@pytest.mark.parametrize(
    ("arch", "options", "names"),
    [
        ("vit_b_16", {"image_size": 64}, ("'layer_norm' in 'encoder.layers.encoder_layer_0.ln_1'", "'gelu'")),
        (
            "efficientnet_b0",
            {},
            ("'mul' in 'features.1.0.block.1' .SqueezeExcitation", "'silu' in 'features.0.2' .SiLU"),
        ),
        ("mobilenet_v3_small", {}, ("'mul'", "'hardswish' in 'features.0.2' .Hardswish")),
        ("convnext_tiny", {}, ("'layer_norm'", "'gelu'")),
    ],
)
def test_networks_that_have_no_rules_are_refused_with_operation_and_module(arch, options, names, photos):
    (batch, reference), network = photos, torchvisions(arch, **options)
    with pytest.raises(Unsupported, match=f"deep_lift has no rule for {names[0]}"):
        explained("deep_lift", network, batch, reference)
    with pytest.raises(Unsupported, match="deep_lift_shap has no rule"):
        explained("deep_lift_shap", network, batch, reference[:, None])
    for rule in RECTIFYING:
        with pytest.raises(Unsupported, match=f"{rule} has no rule for {names[1]}"):
            explained(rule, network, batch)


@pytest.mark.parametrize("name", ["deep_lift", *RECTIFYING])
def test_nothing_is_left_of_the_rules(name, photos):
    """The plain gradient is the same before and after, and no module was exchanged, hooked or renamed."""
    (batch, reference), network = photos, torchvisions("resnet18")
    before, modules = bind(network, batch).gradients(), dict(network.named_modules())
    explained(name, network, batch, reference)
    assert torch.equal(bind(network, batch).gradients(), before)
    assert dict(network.named_modules()) == modules
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in network.modules())
    assert "forward" not in vars(network)


@pytest.mark.parametrize("name", ["deep_lift", *RECTIFYING])
def test_rules_follow_another_output_and_target(name, photos):
    """The probability's own gradient differs, and its rules run through the softmax."""
    (batch, reference), network = photos, torchvisions("squeezenet1_1")
    other = replace(batch, targets=batch.targets + 1)
    one, two = explained(name, network, batch, reference), explained(name, network, other, reference)
    assert not torch.allclose(one, two)
    got = explained(name, network, batch, reference, output="probability")
    assert not torch.allclose(one, got)
    if name == "deep_lift":
        handle = bind(network, batch, output="probability")
        same(got.flatten(1).sum(1), handle.scores() - handle.scores(reference), 1e-6)
