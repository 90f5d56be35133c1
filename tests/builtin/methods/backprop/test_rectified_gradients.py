"""Guided backpropagation and deconvolution: every form of ReLU, other operations, unsupported networks."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from attributions import same
from builders import bind, draws, make_batch, normal
from reference import backprop_slow
from torch import nn

from xaiexp.builtin.methods import COMPONENTS
from xaiexp.errors import Unsupported

CLASSES = {c.name: c for c in COMPONENTS}
RELU_METHODS = ["guided_backprop", "deconvolution"]


def explained(name, network, batch, reference=None, **options):
    return CLASSES[name]().attribute(bind(network, batch, **options), batch, reference, draws(batch))


class Chain(nn.Module):
    """Three linear layers with a given rectifier after the first two."""

    def __init__(self, rectifier) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList([nn.Linear(6, 8), nn.Linear(8, 7), nn.Linear(7, 3)]).double()
        self.rectifier = rectifier

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.rectifier(layer(9 * x))
        return self.layers[-1](x)


def relu_on_slices(x):
    x[:, :3].relu_()
    x[:, 3:] = F.relu(x[:, 3:])
    return x


def relu_of_written_buffer(x):
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
    "of slices": relu_on_slices,
    "of a buffer": relu_of_written_buffer,
    "clamp": lambda x: x.clamp(min=0),
    "clamp_": lambda x: x.clamp_(0.0),
    "torch.clamp": lambda x: torch.clamp(x, 0),
    "clamp_min": lambda x: x.clamp_min(0),
    "threshold": lambda x: F.threshold(x, 0.0, 0.0),
    "torch.relu by keyword": lambda x: torch.relu(input=x),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "maximum, zeros first": lambda x: torch.fmax(torch.zeros_like(x), other=x),
    "hardtanh without upper bound": lambda x: F.hardtanh(x, 0.0, math.inf),
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


@pytest.mark.parametrize("rule", RELU_METHODS)
@pytest.mark.parametrize(("rectifier", "ceiling"), FORMS)
def test_every_form_of_relu_gets_the_rule(rectifier, ceiling, rule):
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


def test_activations_of_the_test_network_exceed_both_bounds():
    activations = []
    with torch.no_grad():
        network = Chain(lambda x: (activations.append(x), F.relu6(x))[1])
        network(normal(5, 6))
    assert all(bool((x > 6).any() and (x < 0).any()) for x in activations)


@pytest.mark.parametrize(
    ("rule", "want"), [("guided_backprop", [1.0, 0.0, 0.0, 0.0]), ("deconvolution", [1.0, 2.0, 0.0, 0.0])]
)
def test_relu6_closed_form(rule, want):
    batch = make_batch(torch.tensor([[2.0, -1.0, 3.0, 7.0]]))
    score = lambda v: (F.relu6(v) * torch.tensor([1.0, 2.0, -3.0, 4.0])).sum(1)  # noqa: E731 -- one line
    same(explained(rule, score, batch), torch.tensor([want]))


class ReluOfContext(nn.Module):
    def forward(self, x, scale):
        return F.relu(x * F.relu(scale)).sum(1)


@pytest.mark.parametrize("rule", RELU_METHODS)
def test_relu_independent_of_the_input_keeps_its_gradient(rule):
    batch = make_batch(torch.tensor([[1.0, -2.0]]), context={"scale": torch.tensor([[3.0, -1.0]])})
    same(explained(rule, ReluOfContext(), batch), torch.tensor([[3.0, 0.0]]))


class OtherOperations(nn.Module):
    """Operations that keep their gradients: softmax, product, norm, sigmoid, maximum."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norm, self.last = nn.LayerNorm(6), nn.Linear(6, 3)

    def above(self, z):
        z = z * z.softmax(1) + z.sigmoid() * z.amax(1, keepdim=True)
        return self.last(z.clamp(0, 1) + torch.maximum(z - 1, z * 0) * (z.detach() / 2).floor().clamp(min=-1, max=3))

    def forward(self, x):
        return self.above(F.relu(self.norm(x)))


@pytest.mark.parametrize("rule", RELU_METHODS)
def test_other_operations_keep_their_gradients(rule):
    """Autograd above and below the ReLU, and the rule computed explicitly."""
    batch, network = make_batch(normal(4, 6), torch.tensor([0, 1, 2, 0])), OtherOperations().double()
    leaf = batch.inputs.clone().requires_grad_()
    below = network.norm(leaf)
    middle = F.relu(below).detach().requires_grad_()
    (above,) = torch.autograd.grad(network.above(middle).gather(1, batch.targets[:, None]).sum(), middle)
    passed = above.clamp(min=0) * ((below > 0) if rule == "guided_backprop" else 1.0)
    (want,) = torch.autograd.grad(below, leaf, passed)
    same(explained(rule, network, batch), want)


class CustomRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return F.relu(x)

    @staticmethod
    def backward(ctx, grad):
        return grad


class HiddenFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        with torch._C.DisableTorchFunction():
            return F.relu(x)

    @staticmethod
    def backward(ctx, grad):
        return grad


UNSUPPORTED = [
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
    (CustomRelu.apply, r"'relu' under torch.no_grad\(\) or in a custom autograd function"),
    (HiddenFunction.apply, "cannot trace 'HiddenFunction'"),
    (nn.Tanh(), "changes the gradient of ReLU, but the network runs none"),
    (lambda x: x.clamp(min=-1) + F.hardtanh(x), "runs none"),
]


@pytest.mark.parametrize("rule", RELU_METHODS)
@pytest.mark.parametrize(("rectifier", "named"), UNSUPPORTED)
def test_unsupported_activations_raise_with_their_name(rectifier, named, rule):
    network, batch = Chain(rectifier).eval(), make_batch(normal(2, 6))
    with pytest.raises(Unsupported, match=named) as error:
        explained(rule, network, batch)
    assert str(error.value).startswith(rule)
    assert torch.overrides._get_current_function_mode() is None


def test_scripted_modules_raise():
    network = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)).double()
    with pytest.warns(FutureWarning, match="deprecated"):
        scripted = torch.jit.trace(network, normal(1, 6))
    for rule in RELU_METHODS:
        with pytest.raises(Unsupported):
            explained(rule, scripted, make_batch(normal(2, 6)))
