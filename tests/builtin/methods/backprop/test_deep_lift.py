"""DeepLIFT and DeepLIFT SHAP: completeness, closed forms, operations without a rule."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from attributions import explained, same
from builders import bind, make_batch, normal
from torch import nn

from xaiexp.builtin.methods.backprop.deep_lift import DeepLift
from xaiexp.errors import Unsupported


@pytest.fixture
def batch():
    return make_batch(normal(3, 6), torch.tensor([0, 1, 2]))


@pytest.fixture
def reference():
    return normal(3, 6, seed=1)


class AllNonlinearities(nn.Module):
    """Every elementwise rule (functional, in place, as a method, reused), maxima, softmaxes, transposed axes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.act, self.prelu = nn.ReLU(inplace=True), nn.PReLU()

    def forward(self, x):
        x = self.act(self.first(x))
        x += 0.1
        x = self.act(self.second(x)).t()  # examples on the last axis
        parts = [
            F.gelu(x), F.gelu(x, approximate="tanh"), F.silu(x), F.mish(x), F.hardswish(x), F.hardsigmoid(x),
            F.relu6(x * 9), F.elu(x), F.selu(x), F.celu(x), F.softplus(x), F.softsign(x), F.logsigmoid(x),
            F.leaky_relu(x - 0.3, 0.1), x.sigmoid(), torch.tanh(x), x.clamp(0.1, 0.4), x**2, x.square() / 2, 2**x,
            (x + 1).sqrt(), (x + 1).log(), (-x).exp(), 1 / (x + 1), x.abs(), x.sin(), torch.maximum(x, x.new_ones(())),
            self.prelu(x - 0.2), F.threshold(x, 0.2, 0.0), x.clone().relu_(), F.relu(x - 0.1, True),
            x.sub(0.2).clamp_(min=0),
            torch.log_softmax(x, 0), F.softmax(x * 3, dim=0), x.logsumexp(0, keepdim=True).expand(8, -1),
            x.amax(0, keepdim=True).expand(8, -1), torch.max(x, 0)[0].expand(8, -1),
            x.max(dim=0, keepdim=True).values + x,
        ]  # fmt: skip
        total = torch.zeros_like(x)
        for k, part in enumerate(parts):
            total[1:] = total[1:] + part[1:] / (k + 1)
        return self.last(total.t())


@pytest.mark.parametrize("output", ["logit", "probability"])
def test_completeness_through_every_rule(output):
    torch.manual_seed(0)
    network = AllNonlinearities().double().eval()
    batch, reference = make_batch(normal(5, 6), torch.tensor([0, 1, 2, 0, 1])), normal(5, 6, seed=1)
    reference[0] = batch.inputs[0]
    reference[1, :5] = batch.inputs[1, :5]
    reference[2] = batch.inputs[2] + 1e-7 * normal(6)
    handle = bind(network, batch, output=output)
    got = explained(DeepLift(), network, batch, reference, output=output)
    change = handle.scores() - handle.scores(reference)
    torch.testing.assert_close(got.sum(1), change, rtol=1e-8, atol=1e-13)
    assert not got[0].any()


def test_single_nonlinearities_closed_form():
    x, x0 = torch.tensor([[2.0, -1.0, 3.0]]).double(), torch.tensor([[-1.0, 1.0, 1.0]]).double()
    batch = make_batch(x)
    got = explained(DeepLift(), lambda v: (F.relu(v) * torch.tensor([1.0, 2.0, 3.0])).sum(1), batch, x0)
    same(got, torch.tensor([[2.0, -2.0, 6.0]]).double())
    # the maximum increases from 1 (second and third) to 3 (third): attributed to the third
    got = explained(DeepLift(), lambda v: v.amax(1), batch, x0)
    same(got, torch.tensor([[0.0, 0.0, 2.0]]).double())
    # the maximum decreases from 5 (second, at the reference) to 3: attributed to the second
    x0 = torch.tensor([[0.0, 5.0, 0.0]]).double()
    same(explained(DeepLift(), lambda v: v.amax(1), batch, x0), torch.tensor([[0.0, -2.0, 0.0]]).double())


def test_across_a_kink_the_multiplier_is_the_secant_however_close_both_sides_are():
    # From far apart to closer than where the mean of the slopes replaces the secant.
    x = torch.tensor([[3.0, 1e-3, -2e-6, 1e-9]], dtype=torch.float64)
    x0 = torch.tensor([[-1.0, -2e-3, 1e-6, -1e-9]], dtype=torch.float64)
    batch = make_batch(x)
    want = (x.clamp(min=0) - x0.clamp(min=0)) / (x - x0)
    same(want, torch.tensor([[3 / 4, 1 / 3, 1 / 3, 1 / 2]], dtype=torch.float64))
    same(explained(DeepLift(), lambda v: F.relu(v).sum(1), batch, x0) / (x - x0), want)
    for knee, function in ((6.0, F.relu6), (1.0, F.hardtanh), (2.0, lambda v: v.clamp(max=2.0))):
        ends = make_batch(knee + x), knee + x0
        got = explained(DeepLift(), lambda v, function=function: function(v).sum(1), *ends)
        torch.testing.assert_close(got, x.clamp(max=0) - x0.clamp(max=0), rtol=1e-6, atol=1e-15)


def test_softmax_is_complete_and_invariant_to_shifts_of_the_logits():
    x, x0 = normal(4, 3), normal(4, 3, seed=1)
    weight = normal(3, 2, seed=2)
    batch = make_batch(x, 0)
    logits = lambda v: v @ weight  # noqa: E731 -- one line
    got = explained(DeepLift(), logits, batch, x0, output="probability")
    change = logits(x).softmax(1)[:, 0] - logits(x0).softmax(1)[:, 0]
    same(got.sum(1), change)
    shifted = explained(DeepLift(), lambda v: v @ weight + 100.0 * v[:, :1], batch, x0, output="probability")
    same(shifted.sum(1), change, 1e-7)


def test_multiplier_of_close_float32_values_is_the_slope():
    x = torch.linspace(0.5, 3.0, 50).unsqueeze(0)
    x0 = x * (1 + 1e-6)
    batch = make_batch(x)
    got = explained(DeepLift(), lambda v: torch.sigmoid(v).sum(1), batch, x0)
    slope = torch.sigmoid(x.double()) * (1 - torch.sigmoid(x.double()))
    torch.testing.assert_close(got / (x - x0), slope.float(), rtol=1e-4, atol=0.0)


class PythonFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x**3

    @staticmethod
    def backward(ctx, grad):
        return grad


class HiddenFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        with torch._C.DisableTorchFunction():
            return x**3

    @staticmethod
    def backward(ctx, grad):
        return grad


def control_flow(v):
    return v.sum(1) if bool((v > 0).any()) else v.mean(1)


def without_gradient(v):
    with torch.no_grad():
        w = v * 2
    return w.sum(1) + v.sum(1)


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (lambda v: (v * v).sum(1), "'mul'"),
        (lambda v: (v @ v.t())[:, 0], "'matmul'"),
        (lambda v: (v / v.sum(1, keepdim=True)).sum(1), "'div'"),
        (lambda v: F.layer_norm(v, (6,)).sum(1), "'layer_norm'"),
        (lambda v: F.batch_norm(v, None, None, training=True).sum(1), "'batch_norm'"),
        (lambda v: F.dropout(v, 0.0, training=True).sum(1), "'dropout'"),
        (
            lambda v: F.scaled_dot_product_attention(v[None], v[None], v[None])[0, :, 0],
            "'scaled_dot_product_attention'",
        ),
        (lambda v: F.glu(v, 1).sum(1), "'glu'"),
        (lambda v: F.normalize(v).sum(1), "'normalize'"),
        (lambda v: (v * (v > 0)).sum(1), "'mul'"),
        (lambda v: torch.where(v > 0, v, 0.0).sum(1), "'where'"),
        (lambda v: v[v[:, 0] > -9].sum(1), "'__getitem__'"),
        (lambda v: v.sort(1).values[:, 0], "'sort'"),
        (lambda v: v.cumprod(1)[:, 2], "'cumprod'"),
        (lambda v: v.data.sum(1) + v.sum(1), "'data'"),
        (lambda v: v.detach().sum(1) + v.sum(1), "'detach'"),
        (lambda v: PythonFunction.apply(v).sum(1), "'pow' under torch.no_grad.* or in a custom autograd function"),
        (lambda v: HiddenFunction.apply(v).sum(1), "cannot trace 'HiddenFunction'"),
        (control_flow, "'__bool__'"),
        (without_gradient, "torch.no_grad"),
    ],
)
def test_operations_without_a_rule_raise_with_their_name(batch, reference, function, named):
    with pytest.raises(Unsupported, match=named):
        explained(DeepLift(), function, make_batch(batch.inputs, 0), reference)
