"""Equality with Captum in float64, on one network that Captum supports."""

from __future__ import annotations

import warnings

import pytest
import torch
from builders import bind, draws, make_batch, pixel_map
from torch import nn

from xaiexp.builtin.methods import COMPONENTS

CLASSES = {c.name: c for c in COMPONENTS}


@pytest.fixture(scope="module")
def captum():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # raised by the imports of Captum
        import captum.attr
        import captum.testing.helpers.basic_models
    return captum


class Separator(nn.Module):
    """Separates two nonlinear modules: Captum 0.9 overwrites the hook of one if they follow each other.

    Its attributions are then not complete, according to its own convergence delta.
    """

    def forward(self, x):
        return x * 1


@pytest.fixture
def network():
    torch.manual_seed(0)
    return (
        nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), Separator(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ELU(),
            nn.Flatten(), nn.Linear(24, 12), nn.Tanh(), nn.Linear(12, 12), nn.Softplus(), nn.Linear(12, 8),
            nn.LeakyReLU(0.2), nn.Linear(8, 8), nn.Sigmoid(), nn.Linear(8, 3),
        ).double().eval()
    )  # fmt: skip


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, 2, 8, 8, generator=generator, dtype=torch.float64)
    return make_batch(x, torch.tensor([0, 2, 1, 2]))


@pytest.fixture
def reference():
    return torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def ours(name, network, batch, reference=None, **parameters):
    return CLASSES[name](**parameters).attribute(bind(network, batch), batch, reference, draws(batch))


def same(got, want, rtol=1e-9):
    assert got.dtype == torch.float64
    want = want.detach()
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol * float(want.abs().max()))


@pytest.mark.parametrize("absolute", [True, False])
def test_saliency(captum, network, batch, absolute):
    want = captum.attr.Saliency(network).attribute(batch.inputs.clone().requires_grad_(), batch.targets, abs=absolute)
    same(ours("saliency", network, batch, absolute=absolute), want)


def test_input_x_gradient(captum, network, batch):
    want = captum.attr.InputXGradient(network).attribute(batch.inputs.clone().requires_grad_(), batch.targets)
    same(ours("input_x_gradient", network, batch), want)


@pytest.mark.parametrize(
    "method", ["gausslegendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"]
)
def test_integrated_gradients(captum, network, batch, reference, method):
    want = captum.attr.IntegratedGradients(network).attribute(
        batch.inputs, reference, batch.targets, n_steps=9, method=method
    )
    # Captum stores its steps and, in occlusion, its differences in float32.
    same(ours("integrated_gradients", network, batch, reference, n_steps=9, method=method), want, 1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Captum warns about its hooks
class TestDeepLift:
    def compare(self, captum, network, batch, reference):
        want = captum.attr.DeepLift(network).attribute(
            batch.inputs.clone().requires_grad_(), reference.clone(), batch.targets
        )
        same(ours("deep_lift", network, batch, reference), want)

    def test_all_activations_that_captum_supports(self, captum, network, batch, reference):
        self.compare(captum, network, batch, reference)

    def test_elements_that_equal_the_reference(self, captum, network, batch, reference):
        reference = torch.where(torch.rand_like(reference) < 0.7, batch.inputs, reference)
        self.compare(captum, network, batch, reference)

    @pytest.mark.parametrize(
        ("name", "shape", "classes"),
        [
            ("BasicModel_ConvNet", (1, 10, 10), 10),
            ("BasicModel_ConvNet_MaxPool1d", (1, 10), 10),
            ("BasicModel_ConvNet_MaxPool3d", (1, 10, 10, 10), 10),
            ("BasicModel_ConvNet_One_Conv", (1, 4, 4), 4),
            ("BasicModel_ConvNetWithPaddingDilation", (1, 5, 5), 4),
            ("LinearMaxPoolLinearModel", (4,), 1),
            ("BasicLinearReLULinear", (5,), 1),
        ],
    )
    def test_captum_test_networks(self, captum, name, shape, classes):
        torch.manual_seed(0)
        module = getattr(captum.testing.helpers.basic_models, name)
        network = (module(5) if name == "BasicLinearReLULinear" else module()).double().eval()
        with torch.no_grad():
            for p in network.parameters():
                p.copy_(0.5 * torch.randn_like(p))
        if hasattr(network, "softmax"):  # Captum's rule mixes the examples of a batch here
            network.softmax = nn.Identity()
            network.pool1 = nn.Sequential(Separator(), network.pool1)
            network.pool2 = nn.Sequential(Separator(), network.pool2)
        x, x0 = 2 * torch.randn(2, 3, *shape, dtype=torch.float64)
        self.compare(captum, network, make_batch(x, torch.arange(3) % classes, modality="table"), x0)

    def test_consecutive_nonlinear_modules_are_complete_unlike_in_captum(self, captum, network, batch, reference):
        network = nn.Sequential(network[0], nn.ReLU(), nn.MaxPool2d(2), *network[4:])
        got = ours("deep_lift", network, batch, reference)
        change = bind(network, batch).scores() - bind(network, batch).scores(reference)
        same(got.flatten(1).sum(1), change)
        captum_map = captum.attr.DeepLift(network).attribute(
            batch.inputs.clone().requires_grad_(), reference, batch.targets
        )
        assert float((captum_map.flatten(1).sum(1) - change).abs().max()) > 0.05 * float(change.abs().max())


@pytest.mark.parametrize(
    ("window", "strides"),
    [((2, 3, 3), None), ((1, 2, 3), (1, 2, 2)), ((2, 8, 5), (2, 8, 3)), ((2, 3, 3), 2), ((2, 8, 8), 5), ((1, 1, 4), 1)],
)
def test_occlusion(captum, network, batch, reference, window, strides):
    want = captum.attr.Occlusion(network).attribute(batch.inputs, window, strides, reference, batch.targets)
    same(
        ours("occlusion", network, batch, reference, sliding_window_shapes=window, strides=strides),
        want.double(),
        1e-6,
    )


def test_feature_ablation_of_elements(captum, network, batch, reference):
    want = captum.attr.FeatureAblation(network).attribute(batch.inputs, reference, batch.targets)
    same(ours("feature_ablation", network, batch, reference), want.double(), 1e-6)


def test_feature_ablation_with_a_feature_mask(captum, network, batch, reference):
    batch = make_batch(batch.inputs, batch.targets, features=pixel_map((2, 8, 8)))
    want = captum.attr.FeatureAblation(network).attribute(
        batch.inputs, reference, batch.targets, feature_mask=batch.features.index
    )
    # Captum repeats the value of a feature for each of its elements, whose sum is the value here.
    same(batch.features.pool(ours("feature_ablation", network, batch, reference)), want[:, 0].flatten(1).double())


@pytest.mark.parametrize("layer", ["4", "0", "1", "auto"])
@pytest.mark.parametrize("relu", [True, False])
def test_grad_cam(captum, network, batch, layer, relu):
    module = network[4 if layer == "auto" else int(layer)]
    cam = captum.attr.LayerGradCam(network, module).attribute(batch.inputs, batch.targets, relu_attributions=relu)
    want = captum.attr.LayerAttribution.interpolate(cam, (8, 8), "bilinear").expand(4, 2, 8, 8)
    same(ours("grad_cam", network, batch, layer=layer, relu_attributions=relu), want)


def test_grad_cam_is_unaffected_by_later_in_place_operations(captum, network, batch):
    want = ours("grad_cam", network, batch, layer="0")
    network[1] = nn.ReLU(inplace=True)
    same(ours("grad_cam", network, batch, layer="0"), want)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    same(ours("grad_cam", network, batch, layer="0"), want)
