"""Properties of all class activation maps: in-place operations, errors, cost, precision."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from attributions import explained, same
from builders import bind, draws, make_batch, normal
from cam_networks import at_size, convolutional_network, four_images
from reference import cam_loops
from torch import nn

from xaiexp.builtin.methods.cam import cam_formulas as cam_formulas
from xaiexp.builtin.methods.cam.eigen_cam import EigenCam
from xaiexp.builtin.methods.cam.grad_cam import GradCam, GradCamPlusPlus, GuidedGradCam, LayerCam
from xaiexp.builtin.methods.cam.score_cam import ScoreCam
from xaiexp.core.explanations import Cost
from xaiexp.errors import ParameterError, Unsupported

network = pytest.fixture(convolutional_network)
batch = pytest.fixture(four_images)


GRADIENT_CAMS = [GradCam, GradCamPlusPlus, LayerCam]
CAMS = [GradCam, GradCamPlusPlus, ScoreCam, LayerCam, GuidedGradCam, EigenCam]
SIGNED = [*GRADIENT_CAMS, ScoreCam]


class Reused(nn.Module):
    """A convolution that runs twice, with in-place operations before and after it."""

    def __init__(self, inplace):
        super().__init__()
        self.inplace, self.conv = inplace, nn.Conv2d(2, 2, 3, padding=1)
        self.same, self.head = nn.Identity(), nn.Linear(50, 3)

    def forward(self, x):
        first = self.conv(x)
        first = first.relu_() if self.inplace else first.relu()
        second = self.conv(first)
        kept = self.same(second)
        if self.inplace:
            second += 1  # an alias of the layer's output
            kept.mul_(2)
        else:
            kept = 2 * (kept + 1)
        return self.head(kept.flatten(1))


@pytest.mark.parametrize("layer", ["conv", "auto"])
@pytest.mark.parametrize("method", [GradCam, LayerCam, GradCamPlusPlus, EigenCam, ScoreCam])
def test_last_run_is_used_and_in_place_operations_do_not_change_activations(method, layer):
    batch = make_batch(normal(3, 2, 5, 5), torch.tensor([0, 2, 1]))
    torch.manual_seed(0)
    plain = Reused(False).double().eval()
    inplace = Reused(True).double().eval()
    inplace.load_state_dict(plain.state_dict())
    second = plain.conv(plain.conv(batch.inputs).relu()).detach().requires_grad_()
    scores = plain.head((2 * (second + 1)).flatten(1))[torch.arange(3), batch.targets]
    (gradients,) = torch.autograd.grad(scores.sum(), second)
    if method is GradCam:
        maps = [cam_loops.grad_cam(a, g) for a, g in zip(second.detach(), gradients, strict=True)]
        same(explained(method(layer=layer), plain, batch), at_size(maps, batch))
    same(explained(method(layer=layer), inplace, batch), explained(method(layer=layer), plain, batch))
    for parameter in inplace.parameters():
        parameter.requires_grad_(False)
    same(explained(method(layer=layer), inplace, batch), explained(method(layer=layer), plain, batch))


@pytest.mark.parametrize("method", [GradCam, EigenCam])
def test_aliases_of_the_layer_s_output_do_not_change_activations(method):
    batch = make_batch(normal(3, 2, 5, 5), torch.tensor([0, 2, 1]))
    torch.manual_seed(0)
    plain, inplace = Reused(False).double().eval(), Reused(True).double().eval()
    inplace.load_state_dict(plain.state_dict())
    second = plain.conv(plain.conv(batch.inputs).relu()).detach()
    handle = bind(inplace, batch)
    got = method(layer="same").attribute(handle, batch, None, draws(batch))
    if method is EigenCam:
        same(got, at_size([cam_loops.eigen_cam(a).clamp(min=0) for a in second], batch), 1e-7)
    assert bool(got.isfinite().all())


@pytest.mark.parametrize("method", CAMS)
def test_hooks_are_removed_after_errors(network, batch, method):
    def clean(module):
        return not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in module.modules())

    explained(method(), network, batch)
    assert clean(network)
    with pytest.raises(Unsupported, match=r"layer '6' returns \[4, 8\], which is neither a spatial map"):
        explained(method(layer="6"), network, batch)
    assert clean(network)
    network[8] = nn.Linear(5, 3).double()
    with pytest.raises(RuntimeError, match="shapes"):
        explained(method(), network, batch)
    assert clean(network)
    assert not batch.inputs.requires_grad


@pytest.mark.parametrize("method", CAMS)
def test_unknown_names_and_missing_layers_raise(network, batch, method):
    with pytest.raises(ParameterError, match=rf"method.{method.name}.layer: the model has no submodule of this name"):
        explained(method(layer="conv"), network, batch)
    with pytest.raises(ParameterError, match="no submodule"):
        explained(method(layer=""), network, batch)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(160, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    with pytest.raises(Unsupported, match=r"no nn.Conv2d .* and no self-attention over a grid of tokens"):
        explained(method(), flat, batch)
    with pytest.raises(Unsupported, match=r"not a torch\.nn\.Module"):
        explained(method(), lambda x: flat(x), batch)


class ReturnsAnything(nn.Module):
    """A layer that returns the result of a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.transpose(0, 1), r"returns \[2, 4, 8, 10\], which is not one row for each of 4 examples"),
        (lambda x: x.argmax(1), r"returns torch.int64, which has no gradient"),
        (lambda x: {"nothing": "here"}, r"returns dict, which contains no tensor"),
        (lambda x: x.flatten(1).sum(1), r"returns \[4\], which is not one row"),
        (lambda x: x[:, 0], r"returns \[4, 8, 10\], which is neither a spatial map"),
    ],
)
def test_layers_without_spatial_activations_raise(batch, function, message):
    class WithOddLayer(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.odd, self.head = nn.Conv2d(2, 2, 1), ReturnsAnything(function), nn.Linear(160, 3)

        def forward(self, x):
            self.odd(x)
            return self.head(self.conv(x).flatten(1))

    with pytest.raises(Unsupported, match=message):
        explained(GradCam(layer="odd"), WithOddLayer().double(), batch)


def test_counted_passes_equal_the_declared_cost(network, batch):
    for method, cost in (
        (GradCam(), Cost(1, 1)),
        (GradCamPlusPlus(), Cost(1, 1)),
        (LayerCam(), Cost(1, 1)),
        (GuidedGradCam(), Cost(2, 2)),
        (EigenCam(), Cost(1, 0)),
    ):
        handle = bind(network, batch)
        method.attribute(handle, batch, None, draws(batch))
        counter = handle.counter
        assert Cost(counter.forward, counter.backward) == cost * 4 == method.passes(batch.shape, 160) * 4


def test_facts_depend_on_the_parameters():
    for method in SIGNED:
        assert method().signed
        assert not method(relu_attributions=True).signed
    assert not EigenCam.signed
    assert not EigenCam.target_specific
    assert ScoreCam.needs == EigenCam.needs == {"maps", "modules"}
    assert GradCam.needs == {"gradients", "maps", "modules"}


@pytest.mark.parametrize("precision", ["bf16"])
@pytest.mark.parametrize(
    ("method", "tolerance"),
    [
        (GradCam(), 0.03),
        (GradCamPlusPlus(layer="4"), 0.03),
        (LayerCam(), 0.05),
        (ScoreCam(), 0.03),
        (EigenCam(), 0.03),
        (GuidedGradCam(), 0.08),
    ],
)
def test_half_precision_differs_within_tolerance(network, batch, method, tolerance, precision):
    from xaiexp.inference.passes import Passes

    assert precision in method.precisions
    network, single = network.float(), replace(batch, inputs=batch.inputs.float())
    want = explained(method, network, single)
    handle = Passes(network, precision=precision).bind(single)
    got = method.attribute(handle, single, None, draws(single))
    assert got.dtype == torch.float32
    deviation = float((got - want).norm() / want.norm())
    assert 0 < deviation < tolerance
