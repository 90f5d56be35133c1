"""The numbers of single methods, beside slow re-derivations."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from builders import bind, draws, make_batch
from reference import methods_slow as slow
from torch import nn

from xaiexp.builtin.methods.backprop.deep_lift import DeepLift
from xaiexp.builtin.methods.controls.model_free import Random
from xaiexp.builtin.methods.gradient.saliency import Saliency
from xaiexp.builtin.methods.perturbation.occlusion import Occlusion
from xaiexp.builtin.methods.shapley.linear_surrogates import KernelShap, Lime
from xaiexp.core.explanations import Estimate
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported


def explained(method, network, batch, reference=None, **options):
    got = method.attribute(bind(network, batch, **options), batch, reference, draws(batch))
    return got.values if isinstance(got, Estimate) else got


def same(got, want, rtol=1e-9):
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol * float(want.abs().max()))


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 9), nn.ReLU(), nn.Linear(9, 3)).double().eval()


@pytest.fixture
def batch():
    return make_batch(normal(3, 6), torch.tensor([0, 1, 2]))


@pytest.fixture
def reference():
    return normal(3, 6, seed=1)


@pytest.fixture
def ragged():
    """Three examples of 6 elements with 4, 1 and 3 features; the elements of index -1 belong to none."""
    index = torch.tensor([[0, 0, 1, 2, 3, -1], [-1, 0, 0, 0, -1, -1], [2, 1, 0, -1, 0, 0]])
    features = FeatureMap(index, torch.tensor([4, 1, 3]), (4,))
    batch = make_batch(normal(3, 6), torch.tensor([0, 1, 2]), features=features)
    return batch, torch.where(index >= 0, normal(3, 6, seed=1), batch.inputs)


def games(network, batch, reference):
    """For each example the score of a coalition of its features."""
    index = batch.features.index.expand(len(batch), 6)

    def game(i):
        def value(present):
            kept = torch.tensor([int(e) in present or int(e) < 0 for e in index[i]])
            row = torch.where(kept, batch.inputs[i], reference[i])
            return float(network(row[None])[0, batch.targets[i]].detach())

        return value

    return [game(i) for i in range(len(batch))]


def test_kernel_shap_over_all_coalitions_gives_the_shapley_values(network, batch, reference):
    want = [slow.shapley_values(game, 6) for game in games(network, batch, reference)]
    same(explained(KernelShap(), network, batch, reference), torch.tensor(want, dtype=torch.float64))


@pytest.mark.parametrize("budget", [2, None])
def test_kernel_shap_and_lime_of_examples_that_differ_in_their_number_of_features(network, ragged, budget):
    batch, reference = ragged
    shap = batch.features.pool(explained(KernelShap(), network, batch, reference, budget=budget))
    lime = batch.features.pool(explained(Lime(kernel_width=0.4), network, batch, reference, budget=budget))
    for i, (game, d) in enumerate(zip(games(network, batch, reference), [4, 1, 3], strict=True)):
        same(shap[i, :d], torch.tensor(slow.shapley_values(game, d), dtype=torch.float64))
        same(lime[i, :d], slow.lime_coefficients(game, d, 0.4))
        assert not shap[i, d:].any()
        assert not lime[i, d:].any()


def test_lime_over_all_coalitions_is_the_weighted_least_squares_fit(network, batch, reference):
    want = [slow.lime_coefficients(game, 6, 0.25) for game in games(network, batch, reference)]
    same(explained(Lime(), network, batch, reference), torch.stack(want))


def test_drawn_coalitions_tend_to_all_of_them(network, batch, reference):
    wide = nn.Sequential(nn.Linear(12, 6).double(), nn.Tanh(), *network)
    batch, reference = make_batch(normal(3, 12), torch.tensor([0, 1, 2])), normal(3, 12, seed=1)
    for method in (KernelShap, Lime):
        exact = explained(method(n_samples=4096), wide, batch, reference)
        errors = [
            float((explained(method(n_samples=n), wide, batch, reference) - exact).norm() / exact.norm())
            for n in (60, 1500)
        ]
        assert errors[1] < 0.1
        assert errors[1] < errors[0] / 2


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 1), (3, 2), (4, 3), (6, 1)])
def test_occlusion_is_the_mean_over_the_windows_of_an_element(network, batch, reference, window, stride):
    got = explained(Occlusion(sliding_window_shapes=(window,), strides=stride), network, batch, reference)
    for i in range(3):
        score = lambda v, i=i: float(network(v[None])[0, batch.targets[i]].detach())  # noqa: E731 -- of one example
        same(got[i], slow.occlusion(score, batch.inputs[i], reference[i], window, stride))


@pytest.mark.parametrize(
    ("modality", "shape", "window", "strides"),
    [
        ("image", (3, 224, 224), (3, 28, 28), (3, 14, 14)),
        ("image", (1, 8, 8), (1, 1, 1), (1, 1, 1)),
        ("series", (2, 64), (2, 4), (2, 2)),
    ],
)
def test_default_windows(modality, shape, window, strides):
    assert Occlusion().windows(shape, modality) == (window, strides)


def test_random_ranks_every_feature_first_equally_often():
    batch = make_batch(torch.zeros(4000, 4))
    first = explained(Random(), None, batch).argmax(1).bincount(minlength=4)
    assert float((first - 1000).abs().max()) < 4 * (4000 * 0.25 * 0.75) ** 0.5


# DeepLIFT: networks whose activations no module hook can see


class Anything(nn.Module):
    """Every elementwise rule, functional, in place, as a method, reused; maxima; softmaxes; moved axes."""

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
def test_deep_lift_adds_up_through_every_rule(output):
    torch.manual_seed(0)
    network = Anything().double().eval()
    batch, reference = make_batch(normal(5, 6), torch.tensor([0, 1, 2, 0, 1])), normal(5, 6, seed=1)
    reference[0] = batch.inputs[0]
    reference[1, :5] = batch.inputs[1, :5]
    reference[2] = batch.inputs[2] + 1e-7 * normal(6)
    handle = bind(network, batch, output=output)
    got = explained(DeepLift(), network, batch, reference, output=output)
    change = handle.scores() - handle.scores(reference)
    torch.testing.assert_close(got.sum(1), change, rtol=1e-8, atol=1e-13)
    assert not got[0].any()


def test_deep_lift_of_single_nonlinearities_by_hand():
    x, x0 = torch.tensor([[2.0, -1.0, 3.0]]).double(), torch.tensor([[-1.0, 1.0, 1.0]]).double()
    batch = make_batch(x)
    got = explained(DeepLift(), lambda v: (F.relu(v) * torch.tensor([1.0, 2.0, 3.0])).sum(1), batch, x0)
    same(got, torch.tensor([[2.0, -2.0, 6.0]]).double())
    # x: the maximum is 3 (third), x0: it is 1 (second and third); it only gains, so all of it goes to the third
    got = explained(DeepLift(), lambda v: v.amax(1), batch, x0)
    same(got, torch.tensor([[0.0, 0.0, 2.0]]).double())
    # from 3 (third) at the input to 5 (second) at the reference: what is lost belongs to the second
    x0 = torch.tensor([[0.0, 5.0, 0.0]]).double()
    same(explained(DeepLift(), lambda v: v.amax(1), batch, x0), torch.tensor([[0.0, -2.0, 0.0]]).double())


def test_a_softmax_of_two_classes_is_the_logistic_function_of_their_difference():
    x, x0 = normal(4, 3), normal(4, 3, seed=1)
    weight = normal(3, 2, seed=2)
    batch = make_batch(x, 0)
    logits = lambda v: v @ weight  # noqa: E731 -- one line
    got = explained(DeepLift(), logits, batch, x0, output="probability")
    change = logits(x).softmax(1)[:, 0] - logits(x0).softmax(1)[:, 0]
    same(got.sum(1), change)
    shifted = explained(DeepLift(), lambda v: v @ weight + 100.0 * v[:, :1], batch, x0, output="probability")
    same(shifted.sum(1), change, 1e-7)


def test_close_pairs_of_float32_get_the_slope_and_not_the_rounding_error():
    x = torch.linspace(0.5, 3.0, 50).unsqueeze(0)
    x0 = x * (1 + 1e-6)
    batch = make_batch(x)
    got = explained(DeepLift(), lambda v: torch.sigmoid(v).sum(1), batch, x0)
    slope = torch.sigmoid(x.double()) * (1 - torch.sigmoid(x.double()))
    torch.testing.assert_close(got / (x - x0), slope.float(), rtol=1e-4, atol=0.0)


class Visible(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x**3

    @staticmethod
    def backward(ctx, grad):
        return grad


class Hidden(torch.autograd.Function):
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
        (lambda v: Visible.apply(v).sum(1), "'pow' under torch.no_grad.* or in a custom autograd function"),
        (lambda v: Hidden.apply(v).sum(1), "cannot trace 'Hidden'"),
        (control_flow, "'__bool__'"),
        (without_gradient, "torch.no_grad"),
    ],
)
def test_what_deep_lift_has_no_rule_for_is_refused_by_name(batch, reference, function, named):
    with pytest.raises(Unsupported, match=named):
        explained(DeepLift(), function, make_batch(batch.inputs, 0), reference)


def test_saliency_of_a_probability_is_the_gradient_of_the_softmax(network, batch):
    got = explained(Saliency(absolute=False), network, batch, output="probability")
    for i in range(3):
        want = slow.gradient(lambda v, i=i: network(v[None]).softmax(1)[0, batch.targets[i]], batch.inputs[i])
        same(got[i], want)


def test_drawn_coalitions_have_the_sizes_of_the_shapley_kernel_and_any_members():
    from xaiexp.builtin.methods.shapley.shapley_regression import ShapleyRegression

    counts, pairs = torch.tensor([9, 5]), 4000
    regression = ShapleyRegression.of(counts, 9, [(pairs, False)] * 2)
    batch = make_batch(normal(2, 9))
    z = regression.members(draws(batch), slice(0, 2), range(pairs))
    for row, d in zip(z, counts.tolist(), strict=True):
        assert not row[:, d:].any()
        weight = torch.tensor([1 / (k * (d - k)) for k in range(1, d)], dtype=torch.float64)
        sizes = row.sum(1).bincount(minlength=d)[1:d] / pairs
        torch.testing.assert_close(sizes.double(), weight / weight.sum(), rtol=0.0, atol=1 / pairs + 1e-6)  # stratified
        assert float((row[:, :d].double().mean(0) - 0.5).abs().max()) < 0.04
