"""Equality of gradient and path methods with Captum in float64, on its test networks and on real architectures.

If Captum cannot hook a network, it gets an equivalent copy with modules (see ``parity_networks``), while the methods of
the package get the network itself. Captum 0.9 does not support functional ReLUs and ReLU6, raises for reused modules in
DeepLIFT, overwrites hooks of consecutive nonlinear modules, replaces the whole gradient of a module's input at a fork,
is incomplete for overlapping max-pools, and mixes the examples of a batch in softmax and max-pool. The last section
tests each of these, with an independent check of the package's result.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from builders import bind, draws, make_batch
from torch import nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # raised by the imports of Captum
    import captum.attr
    from parity_networks import REAL, TOYS, LeNet, Model1, Separator, mobilenet_v2, resnet18

from xaiexp.builtin.methods import COMPONENTS
from xaiexp.builtin.methods.quadrature import Quadrature
from xaiexp.core.batches import Background
from xaiexp.core.explanations import Estimate
from xaiexp.errors import Unsupported

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Captum warns about its hooks

CLASSES = {c.name: c for c in COMPONENTS}
ENTRIES = {**TOYS, **REAL}
QUADRATURES = list(Quadrature.__args__)


class Case:
    """A network with weights, inputs, references and targets."""

    def __init__(self, name, kit=None) -> None:
        self.entry = ENTRIES[name]
        torch.manual_seed(0)
        self.network = self.entry.make().double().eval()
        generator = torch.Generator().manual_seed(4)
        if name in TOYS:
            for parameter in self.network.parameters():
                value = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.data.copy_(0.7 * value)
        if name == "LeNet":
            self.network.load_state_dict(torch.load(kit / "models" / "lenet_mnist_quantus.pth", weights_only=True))
        count = 8 if name in TOYS else 2
        shape = (2 * count, *self.entry.shape)
        x, x0 = (self.entry.scale * torch.randn(shape, generator=generator, dtype=torch.float64)).split(count)
        if name == "LeNet":
            digits = np.load(kit / "arrays" / "mnist500.npz")
            x = torch.from_numpy(digits[digits.files[0]][:count].reshape(count, 1, 28, 28) / 255.0).double()
            x0 = x0.abs().clamp(max=1.0)
        span = torch.ones(1, dtype=torch.float64)
        background = Background("table", low=-span, high=span)
        self.batch = make_batch(x, torch.arange(count) % self.entry.classes, background=background)
        self.reference = x0
        with torch.no_grad():
            self.target = None if self.network(x).ndim == 1 else self.batch.targets

    def ours(self, name, reference=None, network=None, **parameters):
        handle = bind(network or self.network, self.batch)
        got = CLASSES[name](**parameters).attribute(handle, self.batch, reference, draws(self.batch))
        return got.values if isinstance(got, Estimate) else got

    def leaf(self):
        return self.batch.inputs.clone().requires_grad_()

    def copy(self, make):
        """An equivalent copy for Captum."""
        network = make(self.network).double().eval()
        with torch.no_grad():
            torch.testing.assert_close(
                network(self.batch.inputs), self.network(self.batch.inputs), rtol=1e-12, atol=1e-12
            )
        return network


MADE = {}


@pytest.fixture(params=ENTRIES)
def case(request):
    kit = request.getfixturevalue("kit") if request.param == "LeNet" else None
    if request.param not in MADE:
        MADE[request.param] = Case(request.param, kit)
    return MADE[request.param]


def same(got, want, rtol=1e-9, empty=False):
    want = want.detach()
    assert got.dtype == torch.float64
    assert bool(want.any()) != empty
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol * float(want.abs().max()))


def test_saliency(case):
    for absolute in (True, False):
        want = captum.attr.Saliency(case.network).attribute(case.leaf(), case.target, abs=absolute)
        same(case.ours("saliency", absolute=absolute), want)


def test_input_x_gradient(case):
    want = captum.attr.InputXGradient(case.network).attribute(case.leaf(), case.target)
    same(case.ours("input_x_gradient"), want)


@pytest.mark.parametrize("method", QUADRATURES)
def test_integrated_gradients(case, method):
    """Captum stores its steps in float32, and a kink may lie between a step and its rounded value."""
    want = captum.attr.IntegratedGradients(case.network).attribute(
        case.batch.inputs, case.reference, case.target, n_steps=4, method=method
    )
    same(case.ours("integrated_gradients", case.reference, n_steps=4, method=method), want, 1e-5)


@pytest.mark.parametrize("kind", ["smooth_grad", "smooth_grad_squared", "var_grad"])
def test_smoothing(case, kind, monkeypatch):
    """Captum gets the same noise. Its variance formula suffers from cancellation."""
    noise = draws(case.batch).normal("noise", case.batch.shape, samples=range(5)).double() * 0.1 * 2.0
    monkeypatch.setattr(torch, "normal", lambda mean, std: noise.flatten(0, 1))
    tunnel = captum.attr.NoiseTunnel(captum.attr.Saliency(case.network))
    nt_type = {"smooth_grad": "smoothgrad", "smooth_grad_squared": "smoothgrad_sq", "var_grad": "vargrad"}[kind]
    want = tunnel.attribute(case.leaf(), nt_type=nt_type, nt_samples=5, stdevs=0.2, target=case.target, abs=False)
    got = case.ours(kind, n_samples=5, noise_level=0.1)
    if kind == "var_grad":
        size = float(case.ours("smooth_grad_squared", n_samples=5, noise_level=0.1).abs().max())
        torch.testing.assert_close(got, want.detach(), rtol=1e-9, atol=1e-12 * size)
    else:
        same(got, want)


@pytest.mark.parametrize("stdevs", [0.0, 0.2])
def test_gradient_shap_and_expected_gradients(case, stdevs, monkeypatch):
    """Captum gets the same noise, references and positions."""
    rng, n = draws(case.batch), len(case.batch)
    noise = rng.normal("noise", case.batch.shape, samples=range(5)).double() * stdevs
    pick, alpha = rng.integers("reference", n, samples=range(5)), rng.uniform("alpha", samples=range(5))
    monkeypatch.setattr(torch, "normal", lambda mean, std: noise.flatten(0, 1))
    monkeypatch.setattr(np.random, "choice", lambda count, size: pick.flatten().numpy())
    monkeypatch.setattr(np.random, "uniform", lambda low, high, size: alpha.flatten().double().numpy())
    want = captum.attr.GradientShap(case.network).attribute(
        case.batch.inputs, case.reference, n_samples=5, stdevs=stdevs, target=case.target
    )
    references = case.reference.expand(n, *case.reference.shape)
    same(case.ours("gradient_shap", references, n_samples=5, stdevs=stdevs), want, 1e-6)
    if not stdevs:
        same(case.ours("expected_gradients", references, n_samples=5), want, 1e-6)


@pytest.mark.parametrize("name", ["deep_lift", "deep_lift_shap"])
def test_deep_lift(case, name):
    n = len(case.batch)
    references = case.reference.expand(n, *case.reference.shape) if name == "deep_lift_shap" else case.reference
    if name in case.entry.unsupported:
        with pytest.raises(Unsupported, match=f"{name} has no rule for {case.entry.unsupported[name]}"):
            case.ours(name, references)
        return
    captum_map = (captum.attr.DeepLiftShap if name == "deep_lift_shap" else captum.attr.DeepLift)(
        case.copy(case.entry.deep)
    )
    want = captum_map.attribute(case.leaf(), case.reference.clone(), case.target)
    same(case.ours(name, references), want)


@pytest.mark.parametrize("name", ["guided_backprop", "deconvolution"])
def test_rectified_gradients(case, name):
    if name in case.entry.unsupported:
        with pytest.raises(Unsupported, match=case.entry.unsupported[name]):
            case.ours(name)
        return
    method = captum.attr.GuidedBackprop if name == "guided_backprop" else captum.attr.Deconvolution
    want = method(case.copy(case.entry.rectified)).attribute(case.leaf(), case.target)
    # The map of 1 - relu(1 - x) is 0, as the gradient at the ReLU is negative.
    same(case.ours(name), want, empty=case.entry in (TOYS["BasicModel"], TOYS["BasicModel6"]))


# Where Captum deviates


def change(network, batch, reference):
    handle = bind(network, batch)
    return handle.scores() - handle.scores(reference)


def assert_different(one, two):
    assert float((one - two).abs().max()) > 0.05 * float(two.abs().max())


def test_functional_relus_are_plain_gradients_in_captum():
    """Closed form: in ``1 - relu(1 - x)`` the ReLU is active for x < 1, and its gradient is -1."""
    case = Case("BasicModel")
    case.batch = make_batch(torch.tensor([[0.0, 3.0, 0.5]]).double(), 0)
    assert not case.ours("guided_backprop").any()
    assert not case.ours("deconvolution").any()
    for method in (captum.attr.GuidedBackprop, captum.attr.Deconvolution):
        assert bool(method(case.network).attribute(case.leaf(), case.batch.targets).any())
        assert not method(Model1()).attribute(case.leaf(), case.batch.targets).any()


def test_captum_does_not_support_relu6():
    """Captum silently returns the plain gradient; for the copy with ReLUs it agrees (``test_rectified_gradients``)."""
    case = Case("MobileNetV2")
    captum_map = captum.attr.GuidedBackprop(case.network).attribute(case.leaf(), case.target)
    same(case.ours("saliency", absolute=False), captum_map)
    assert_different(case.ours("guided_backprop"), captum_map)
    deep = captum.attr.DeepLift(case.network).attribute(case.leaf(), case.reference, case.target).detach()
    want = change(case.network, case.batch, case.reference)
    assert_different(deep.flatten(1).sum(1), want)
    same(case.ours("deep_lift", case.reference).flatten(1).sum(1), want, 1e-9)


def test_mobilenet_exceeds_the_upper_bound_of_relu6():
    fractions = []
    network = mobilenet_v2().double().eval()
    for module in network.modules():
        if isinstance(module, nn.ReLU6):
            module.register_forward_pre_hook(lambda _, args: fractions.append(float((args[0] > 6).double().mean())))
    with torch.no_grad():
        network(Case("MobileNetV2").batch.inputs)
    assert sum(part > 0.001 for part in fractions) >= 10


def test_captum_refuses_reused_modules_in_deep_lift():
    """ResNet-18 reuses a ReLU; the package's DeepLIFT is complete and agrees with Captum's on a copy."""
    case = Case("ResNet-18")
    with pytest.raises(RuntimeError, match="does not contain some of the input/output attributes"):
        captum.attr.DeepLift(case.network).attribute(case.leaf(), case.reference, case.target)
    want = change(case.network, case.batch, case.reference)
    same(case.ours("deep_lift", case.reference).flatten(1).sum(1), want)


class Overlapping(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.MaxPool1d(3, stride), nn.Flatten(), nn.LazyLinear(3))

    def forward(self, x):
        return self.layers(x * 1)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_captum_is_incomplete_for_overlapping_pools(stride):
    """Captum's rule unpools, so an element that is the maximum of two windows gets the contribution of one."""
    generator = torch.Generator().manual_seed(0)
    x, x0 = torch.randn(2, 2, 1, 13, generator=generator, dtype=torch.float64)
    network = Overlapping(stride)
    network(x.float())
    network.double()
    batch, targets = make_batch(x, 1), torch.tensor([1, 1])
    got = CLASSES["deep_lift"]().attribute(bind(network, batch), batch, x0, draws(batch))
    want = change(network, batch, x0)
    same(got.flatten(1).sum(1), want)
    captum_map = captum.attr.DeepLift(network).attribute(x.clone().requires_grad_(), x0, targets).detach()
    if stride == 3:
        same(got, captum_map)
    else:
        assert_different(captum_map.flatten(1).sum(1), want)


class Forked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x):
        y = x * 1
        return self.relu(y) + 3 * y


def test_captum_replaces_the_gradient_at_a_fork():
    """Closed form: ``relu(x) + 3x`` from -1 to 2 increases by 2 through the ReLU and by 9 through the other path."""
    batch, x0 = make_batch(torch.tensor([[2.0]]).double()), torch.tensor([[-1.0]]).double()
    got = CLASSES["deep_lift"]().attribute(bind(Forked(), batch), batch, x0, draws(batch))
    same(got, torch.tensor([[11.0]]).double())
    captum_map = captum.attr.DeepLift(Forked()).attribute(batch.inputs.clone().requires_grad_(), x0, 0).detach()
    assert_different(captum_map, got)


def deep_lift_of_both(model, x, x0):
    """DeepLIFT of the package and of Captum, for a whole batch and for each example alone."""

    def ours(x, x0):
        batch = make_batch(x, 1)
        return CLASSES["deep_lift"]().attribute(bind(model, batch), batch, x0, draws(batch))

    def captum_map(x, x0):
        return captum.attr.DeepLift(model).attribute(x.clone().requires_grad_(), x0.clone(), 1).detach()

    rows = [slice(i, i + 1) for i in range(len(x))]
    return [(method(x, x0), torch.cat([method(x[row], x0[row]) for row in rows])) for method in (ours, captum_map)]


def test_captum_mixes_examples_in_a_softmax():
    """Captum's rule subtracts a mean over the whole batch.

    The package's result is complete and equals that of the softmax written with elementwise functions.
    """
    torch.manual_seed(0)
    below, above = nn.Sequential(nn.Linear(5, 6), nn.Tanh()).double(), nn.Linear(6, 2).double()
    x, x0 = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    network = nn.Sequential(below, Separator(), nn.Softmax(dim=1), above)
    (ours, ours_alone), (captum_map, captum_alone) = deep_lift_of_both(network, x, x0)
    same(ours, ours_alone, 1e-12)
    assert_different(captum_map, captum_alone)
    batch = make_batch(x, 1)
    same(ours.sum(1), change(network, batch, x0))
    assert_different(captum_map.sum(1), change(network, batch, x0))

    def spelled_out(x):
        return above((below(x) - below(x).exp().sum(1, keepdim=True).log()).exp())

    same(ours, CLASSES["deep_lift"]().attribute(bind(spelled_out, batch), batch, x0, draws(batch)))


def test_captum_mixes_examples_in_a_max_pool():
    """If the inputs of the pool are equal, the multiplier is the gradient; in Captum, that of the first example."""
    torch.manual_seed(0)
    layers = (nn.Linear(5, 6), nn.Unflatten(1, (1, 6)), nn.MaxPool1d(3), nn.Flatten(), nn.Linear(2, 2))
    network = nn.Sequential(*layers).double()
    weight = network[0].weight.data
    weight[::2] -= weight[::2].mean(1, keepdim=True)  # invariant to a shift of the whole input
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (ours, ours_alone), (captum_map, captum_alone) = deep_lift_of_both(network, x, x - 1)
    same(ours, ours_alone, 1e-12)
    assert_different(captum_map, captum_alone)
    same(ours, captum_alone)
    same(ours.sum(1), change(network, make_batch(x, 1), x - 1))


def test_lenet_has_the_trained_weights(kit):
    """The parity tests use a network with high accuracy."""
    case = Case("LeNet", kit)
    assert isinstance(case.network, LeNet)
    digits = np.load(kit / "arrays" / "mnist500.npz")
    images, labels = (digits[key] for key in digits.files)
    with torch.no_grad():
        scores = case.network(torch.from_numpy(images.reshape(-1, 1, 28, 28) / 255.0).double())
    assert float((scores.argmax(1) == torch.from_numpy(labels).long()).double().mean()) > 0.97


def test_resnet_is_that_of_torchvision():
    assert type(resnet18()).__module__ == "torchvision.models.resnet"
