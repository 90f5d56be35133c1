"""Every rule, found by the propagation for an operation, compared with its explicit form; conservation by rule."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("xaiexp_lxt", reason="the distribution xaiexp-lxt is not installed")

import torch
import torch.nn.functional as F
from torch import nn
from transformers.activations import ACT2CLS, ACT2FN
from xaiexp_lxt.propagation import Propagation
from xaiexp_lxt.rules import Rules

from . import lrp_slow
from .lxt_cases import close

GENERATOR_SEED = 11


class Run(nn.Module):
    """A function as a network, with parameters that require gradients."""

    def __init__(self, function, *children):
        super().__init__()
        self.function, self.children_ = function, nn.ModuleList(children)

    def forward(self, x):
        return self.function(x, *self.children_)


def drawn(*shape, seed=GENERATOR_SEED):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def relevances(function, x, weights, *children, epsilon=0.0, gamma=0.0, through=True):
    """Relevance of ``x`` where the relevance of the outputs ``y`` is ``weights * y``; and the outputs."""
    module = Run(function, *children).double().eval()
    leaf = x.clone().requires_grad_()
    with Propagation("lrp", module, Rules(epsilon, gamma, through)) as propagation:
        y = module(propagation.start(leaf))
        propagation.finish(y)
    (gradient,) = torch.autograd.grad((y * weights).sum(), leaf)
    return leaf.detach() * gradient, y.detach()


def linear(bias=True, seed=1):
    layer = nn.Linear(5, 4, bias=bias).double()
    with torch.no_grad():
        layer.weight.copy_(drawn(4, 5, seed=seed))
        if bias:
            layer.bias.copy_(drawn(4, seed=seed + 1))
    return layer


@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_a_linear_layer_has_the_epsilon_rule(eps):
    layer, x, weights = linear(), drawn(3, 5), drawn(3, 4, seed=2)
    got, y = relevances(lambda x, layer: layer(x), x, weights, layer, epsilon=eps)
    for row, out, share, mine in zip(x, y, weights, got, strict=True):
        want = lrp_slow.linear_back(layer.weight.tolist(), row.tolist(), out.tolist(), (share * out).tolist(), eps)
        close(mine, torch.tensor(want, dtype=x.dtype))


def test_relevance_of_a_linear_layer_and_its_bias_is_conserved():
    layer, x, weights = linear(), drawn(3, 5), drawn(3, 4, seed=2)
    got, y = relevances(lambda x, layer: layer(x), x, weights, layer)
    absorbed = (weights * layer.bias.detach()).sum(1)  # R_j b_j / z_j
    close(got.sum(1) + absorbed, (weights * y).sum(1))


def test_epsilon_absorbs_its_share_of_a_linear_layer():
    layer, x, weights = linear(bias=False), drawn(3, 5), drawn(3, 4, seed=2)
    got, y = relevances(lambda x, layer: layer(x), x, weights, layer, epsilon=0.3)
    close(got.sum(1), (weights * y * y.abs() / (y.abs() + 0.3)).sum(1))


class Transposed(nn.Module):
    """A layer of GPT-2: ``addmm`` with transposed weights."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(drawn(5, 4, seed=1)), nn.Parameter(drawn(4, seed=2))

    def forward(self, x):
        return torch.addmm(self.bias, x, self.weight)


LAYERS = {
    "linear": (linear, (3, 5)),
    "linear without bias": (lambda: linear(bias=False), (3, 5)),
    "addmm": (Transposed, (3, 5)),
    "conv1d": (lambda: nn.Conv1d(2, 3, 3, stride=2, padding=1), (3, 2, 6)),
    "conv2d": (lambda: nn.Conv2d(2, 4, 2, stride=2, groups=2), (3, 2, 4, 6)),
}


@pytest.mark.parametrize("gamma", [0.0, 0.25, 10.0])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_equal_zennit(name, gamma):
    rules = pytest.importorskip("zennit.rules", reason="zennit is not installed")
    build, shape = LAYERS[name]
    if name == "addmm":
        layer = linear()
        mine = Transposed()
        mine.weight.data, mine.bias.data = layer.weight.data.T.clone(), layer.bias.data.clone()
    else:
        mine = layer = build().double()
    x = drawn(*shape)
    weights = drawn(*layer(x).shape, seed=2)
    got, y = relevances(lambda x, layer: layer(x), x, weights, mine, epsilon=1e-6, gamma=gamma)
    hook = (rules.Gamma(gamma, stabilizer=1e-6) if gamma else rules.Epsilon(1e-6)).register(layer)
    leaf = x.clone().requires_grad_()
    (want,) = torch.autograd.grad(layer(leaf), leaf, weights * y)
    hook.remove()
    close(got, want, rtol=1e-6)


@pytest.mark.parametrize("gamma", [0.25, 10.0])
def test_the_gamma_rule_conserves_relevance_without_biases(gamma):
    x, weights = drawn(3, 5), drawn(3, 4, seed=2)
    got, y = relevances(lambda x, layer: layer(x), x, weights, linear(bias=False), gamma=gamma)
    plain, _ = relevances(lambda x, layer: layer(x), x, weights, linear(bias=False))
    close(got.sum(1), (weights * y).sum(1))
    assert float((got - plain).abs().max()) > 0.01


def test_a_softmax_has_the_taylor_rule():
    x, weights = drawn(3, 6), drawn(3, 6, seed=2)
    got, y = relevances(lambda x: x.softmax(-1), x, weights)
    for row, out, share, mine in zip(x, y, weights, got, strict=True):
        want = lrp_slow.softmax_back(row.tolist(), out.tolist(), (share * out).tolist())
        close(mine, torch.tensor(want, dtype=x.dtype))


def test_relevance_of_a_softmax_and_its_taylor_remainder_is_conserved():
    """Equations 4 and 5: f_j(x) = sum_i J_ji x_i + b_j, where the remainder b_j absorbs its share."""
    x, weights = drawn(3, 6), drawn(3, 6, seed=2)
    got, y = relevances(lambda x: x.softmax(-1), x, weights)
    jacobians = torch.stack([torch.autograd.functional.jacobian(lambda v: v.softmax(-1), row) for row in x])
    remainder = y - (jacobians @ x[..., None])[..., 0]
    close(got.sum(1) + (weights * remainder).sum(1), (weights * y).sum(1))


@pytest.mark.parametrize(
    "product",
    [
        lambda a, b: torch.matmul(a, b),
        lambda a, b: a @ b,
        lambda a, b: torch.bmm(a, b),
        lambda a, b: torch.einsum("nij,njk->nik", a, b),
        lambda a, b: torch.baddbmm(torch.zeros(1, dtype=a.dtype), a, b),
    ],
)
def test_a_product_of_matrices_has_the_uniform_rule(product):
    x, weights = drawn(2, 7, 4), drawn(2, 3, 3, seed=2)  # A is 3 x 4, B the transposed last three rows and one more

    def function(x):
        return product(x[:, :3], x[:, 4:7].transpose(1, 2))

    got, y = relevances(function, x, weights)
    for row, out, share, mine in zip(x, y, weights, got, strict=True):
        a, b = row[:3].tolist(), row[4:].T.tolist()
        left, right = lrp_slow.matmul_back(a, b, (share * out).tolist())
        want = [*left, [0.0] * 4, *lrp_slow.transposed(right)]
        close(mine, torch.tensor(want, dtype=x.dtype))
    close(got.flatten(1).sum(1), (weights * y).flatten(1).sum(1))


def test_a_gate_has_the_uniform_rule():
    x, weights = drawn(3, 8), drawn(3, 4, seed=2)
    got, y = relevances(lambda x: F.silu(x[:, :4]) * x[:, 4:], x, weights)
    close(got, (weights * y / 2).repeat(1, 2))


def test_cp_lrp_gives_the_relevance_of_a_gated_product_to_the_value():
    x, weights = drawn(3, 8), drawn(3, 4, seed=2)
    for product in (lambda g, u: g * u, lambda g, u: u * g, lambda g, u: torch.mul(u, other=g)):
        got, y = relevances(lambda x, p=product: p(F.silu(x[:, :4]), x[:, 4:]), x, weights, through=False)
        close(got, torch.cat([torch.zeros(3, 4, dtype=x.dtype), weights * y], dim=1))


def test_a_residual_sum_is_divided_in_proportion():
    x, weights = drawn(3, 8), drawn(3, 4, seed=2)
    got, y = relevances(lambda x: x[:, :4] + x[:, 4:], x, weights)
    for row, out, share, mine in zip(x, y, weights, got, strict=True):
        first, second = lrp_slow.sum_back([row[:4].tolist(), row[4:].tolist()], (share * out).tolist())
        close(mine, torch.tensor(first + second, dtype=x.dtype))
    close(got.sum(1), (weights * y).sum(1))


ACTIVATIONS = {
    **{name: getattr(F, name) for name in ("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "hardswish")},
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "tanh": torch.tanh,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_has_the_identity_rule(name):
    x, weights = drawn(3, 5), drawn(3, 5, seed=2)
    got, y = relevances(ACTIVATIONS[name], x, weights)
    close(y, ACTIVATIONS[name](x))
    close(got, weights * y)


# The modules that are elementwise, 0 at 0 and without parameters.
MODULES = [
    name
    for name in ("gelu_new", "quick_gelu", "gelu_fast", "gelu_accurate", "relu2", "mish", "gelu_10", "silu")
    if name in ACT2CLS
]


@pytest.mark.parametrize("name", MODULES)
def test_an_activation_that_is_a_module_is_one_operation(name):
    x, weights = drawn(3, 5), drawn(3, 5, seed=2)
    got, y = relevances(lambda x, act: act(x), x, weights, ACT2FN[name])
    close(got, weights * y)


@pytest.mark.parametrize(("function", "slope"), [(F.relu, 1.0), (F.gelu, 0.5), (torch.tanh, 1.0)])
def test_the_identity_rule_at_zero_is_its_limit(function, slope):
    """Relevance passes a zero to addends that cancel: here 2 and -2."""
    x = torch.tensor([[2.0, -2.0]], dtype=torch.float64)
    got, _ = relevances(lambda x: function(x.sum(1)), x, torch.ones(1))
    close(got, slope * x)


def rms_written_out(x, weight):
    return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class Weight(nn.Module):
    def __init__(self, bias=False):
        super().__init__()
        self.weight = nn.Parameter(drawn(5, seed=3))
        self.bias = nn.Parameter(drawn(5, seed=4)) if bias else None


RMS_NORMS = {
    "fused": lambda x, m: F.rms_norm(x, (5,), m.weight, 1e-6),
    "pow": lambda x, m: rms_written_out(x, m.weight),
    "square": lambda x, m: x / torch.sqrt(x.square().mean(-1, keepdim=True) + 1e-6) * m.weight,
    "product": lambda x, m: x * (x * x).mean(-1, keepdim=True).add(1e-6).pow(-0.5) * m.weight,
}


@pytest.mark.parametrize("name", RMS_NORMS)
def test_a_root_mean_square_norm_has_the_identity_rule(name):
    x, weights, module = drawn(3, 5), drawn(3, 5, seed=2), Weight()
    got, y = relevances(RMS_NORMS[name], x, weights, module)
    want = [lrp_slow.rms_norm(row, module.weight.tolist(), 1e-6) for row in x.tolist()]
    close(y, torch.tensor(want, dtype=x.dtype))
    close(got, weights * y)


def layer_norm_written_out(x, m):
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt(x.var(-1, unbiased=False, keepdim=True) + 1e-6) * m.weight + m.bias


LAYER_NORMS = {
    "fused": lambda x, m: F.layer_norm(x, (5,), m.weight, m.bias, 1e-6),
    "written out": layer_norm_written_out,
}


@pytest.mark.parametrize("name", LAYER_NORMS)
def test_a_layer_norm_has_the_identity_rule_in_its_scale(name):
    x, weights, module = drawn(3, 5), drawn(3, 5, seed=2), Weight(bias=True)
    got, y = relevances(LAYER_NORMS[name], x, weights, module)
    for row, out, share, mine in zip(x, y, weights, got, strict=True):
        want = lrp_slow.layer_norm_back(row.tolist(), module.bias.tolist(), out.tolist(), (share * out).tolist())
        close(mine, torch.tensor(want, dtype=x.dtype))
    close(got.sum(1) + (weights * module.bias.detach()).sum(1), (weights * y).sum(1))


def eager(q, k, v, mask):
    return ((q @ k.transpose(-2, -1)) / math.sqrt(4) + mask).softmax(-1) @ v


def fused(q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


@pytest.mark.parametrize("through", [True, False])
@pytest.mark.parametrize("attention", [eager, fused])
def test_attention_equals_its_explicit_form(attention, through):
    x, weights = drawn(2, 9, 4), drawn(2, 3, 4, seed=2)
    mask = torch.full((3, 3), -math.inf, dtype=x.dtype).triu(1)
    got, y = relevances(lambda x: attention(x[:, :3], x[:, 3:6], x[:, 6:], mask), x, weights, through=through)
    for row, out, share, mine in zip(x, y, weights, got, strict=True):
        q, k, v = row[:3].tolist(), row[3:6].tolist(), row[6:].tolist()
        head = lrp_slow.Attention(q, k, v, 0.5, causal=True)
        close(out, torch.tensor(head.out, dtype=x.dtype))
        want = [row for part in head.back((share * out).tolist(), through) for row in part]
        close(mine, torch.tensor(want, dtype=x.dtype))


@pytest.mark.parametrize("constant", ["query", "key", "value"])
def test_a_constant_factor_of_a_product_receives_nothing_and_takes_nothing(constant):
    """With learnt queries, keys or values, fused attention equals the written one, which has rules by product."""
    x, weights = drawn(2, 9, 4), drawn(2, 3, 4, seed=2)
    learnt, mask = drawn(2, 3, 4, seed=5), torch.zeros(3, 3, dtype=torch.float64)

    def function(attention):
        def run(x):
            given = {"query": x[:, :3], "key": x[:, 3:6], "value": x[:, 6:], constant: learnt}
            return attention(*given.values(), mask)

        return run

    want, _ = relevances(function(eager), x, weights)
    got, _ = relevances(function(fused), x, weights)
    close(got, want)


@pytest.mark.parametrize("gamma", [0.0, 0.25])
@pytest.mark.parametrize("through", [True, False])
@pytest.mark.parametrize("padded", [False, True])
def test_multi_head_attention_equals_written_out_attention(through, padded, gamma):
    x, weights = drawn(2, 4, 8), drawn(2, 4, 8, seed=2)
    attention = nn.MultiheadAttention(8, 2, batch_first=True).double()
    with torch.no_grad():
        for seed, parameter in enumerate(attention.parameters()):
            parameter.copy_(drawn(*parameter.shape, seed=20 + seed))
    hidden = torch.tensor([[False] * 4, [False, False, False, True]]) if padded else None
    causal = torch.full((4, 4), -math.inf, dtype=x.dtype).triu(1)

    def written(x, module):
        parts = F.linear(x, module.in_proj_weight, module.in_proj_bias).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        mask = causal if hidden is None else causal.masked_fill(hidden[:, None, None], -math.inf)
        out = eager(*parts.unbind(0), mask).transpose(1, 2).flatten(2)
        return F.linear(out, module.out_proj.weight, module.out_proj.bias)

    def whole(x, module):
        return module(x, x, x, key_padding_mask=hidden, attn_mask=causal < 0, need_weights=False)[0]

    options = {"epsilon": 0.1, "gamma": gamma, "through": through}
    want, y = relevances(written, x, weights, attention, **options)
    got, z = relevances(whole, x, weights, attention, **options)
    with torch.no_grad():
        close(z, whole(x, attention))
    close(z, y)
    close(got, want)
