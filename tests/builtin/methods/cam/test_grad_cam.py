"""Grad-CAM, Grad-CAM++, LayerCAM and Guided Grad-CAM: comparison with loops and Captum."""

from __future__ import annotations

import pytest
import torch
from attributions import explained, quiet_captum, same
from builders import make_batch, normal
from cam_networks import at_size, convolutional_network, four_images, halves
from lenet_mnist import lenet
from reference import cam_loops
from torch import nn

from xaiexp.builtin.methods.backprop.guided_backprop import GuidedBackprop
from xaiexp.builtin.methods.cam import cam_formulas as cam_formulas
from xaiexp.builtin.methods.cam.grad_cam import GradCam, GradCamPlusPlus, GuidedGradCam, LayerCam

network = pytest.fixture(convolutional_network)
batch = pytest.fixture(four_images)


captum = pytest.fixture(quiet_captum, scope="module")
GRADIENT_CAMS = [GradCam, GradCamPlusPlus, LayerCam]


@pytest.mark.parametrize("at", [0, 1, 3, 4])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("method", "slow"), [(GradCam, cam_loops.grad_cam), (LayerCam, cam_loops.layer_cam)], ids=["grad_cam", "layer_cam"]
)
def test_gradient_cams_equal_the_loops(network, batch, method, slow, at, relu):
    maps = [slow(a, g) for a, g in zip(*halves(network, batch, at), strict=True)]
    want = at_size([m.clamp(min=0) if relu else m for m in maps], batch)
    same(explained(method(layer=str(at), relu_attributions=relu), network, batch), want)


@pytest.mark.parametrize("at", [3, 4])
@pytest.mark.parametrize("relu", [False, True])
def test_grad_cam_plus_plus_equals_the_ratio_of_derivatives_in_the_paper(batch, at, relu):
    torch.manual_seed(3)
    front = [nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU()]
    network = nn.Sequential(*front[: at + 1], nn.Flatten(), nn.Linear(36, 3)).double().eval()
    after = network[at + 1 :]
    activations, _ = halves(network, batch, at)
    maps = [
        cam_loops.grad_cam_plus_plus(a, lambda v, t=t: after(v[None])[0, t])
        for a, t in zip(activations, batch.targets.tolist(), strict=True)
    ]
    want = at_size([m.clamp(min=0) if relu else m for m in maps], batch)
    same(explained(GradCamPlusPlus(layer=str(at), relu_attributions=relu), network, batch), want, 1e-8)


def test_grad_cam_plus_plus_weight_is_zero_where_its_denominator_is_zero():
    activations = torch.tensor([[[[1.0, -2.0]], [[0.0, 3.0]]]])
    gradients = torch.tensor([[[[2.0, 0.5]], [[0.0, -1.0]]]])  # 2 + 2 * (-1) = 0 at the first position
    want = 0.5 / (2 + 0.5 * -1) * activations[:, 0]
    torch.testing.assert_close(cam_formulas.plus_plus_map(activations, gradients), want)


def test_guided_grad_cam_is_the_product_of_guided_backprop_and_grad_cam(network, batch):
    want = explained(GradCam(relu_attributions=True), network, batch) * explained(GuidedBackprop(), network, batch)
    assert float(want.abs().max()) > 0
    same(explained(GuidedGradCam(), network, batch), want)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Captum warns about its hooks
class TestCaptum:
    @pytest.mark.parametrize("layer", ["0", "3", "4"])
    def test_guided_grad_cam(self, captum, network, batch, layer):
        reference_method = captum.attr.GuidedGradCam(network, network[int(layer)])
        want = reference_method.attribute(
            batch.inputs.clone().requires_grad_(), batch.targets, interpolate_mode="bilinear"
        )
        same(explained(GuidedGradCam(layer=layer), network, batch), want)

    def check(self, captum, network, x, targets, name, rtol=1e-9):
        batch, layer = make_batch(x, targets), network.get_submodule(name)
        for relu in (False, True):
            cam = captum.attr.LayerGradCam(network, layer).attribute(x, targets, relu_attributions=relu)
            want = captum.attr.LayerAttribution.interpolate(cam, x.shape[-2:], "bilinear").expand_as(x)
            same(explained(GradCam(layer=name, relu_attributions=relu), network, batch), want, rtol)
        return batch

    @pytest.mark.parametrize("name", ["conv1", "relu1", "pool1", "conv2", "relu2"])
    def test_captum_test_network(self, captum, name):
        torch.manual_seed(0)
        network = captum.testing.helpers.basic_models.BasicModel_ConvNet().double().eval()
        batch = self.check(captum, network, normal(3, 1, 10, 10), torch.tensor([1, 0, 9]), name)
        if name == "conv2":
            same(explained(GradCam(), network, batch), explained(GradCam(layer="conv2"), network, batch))

    @pytest.mark.parametrize(
        ("arch", "auto", "others"),
        [
            ("resnet18", "layer4.1.conv2", ["layer1.0", "layer3.1.conv1", "layer4"]),
            ("mobilenet_v2", "features.18.0", ["features.3.conv.1.0", "features.7", "features.18"]),
        ],
    )
    def test_networks_of_torchvision(self, captum, arch, auto, others):
        import torchvision

        torch.manual_seed(0)
        network = torchvision.models.get_model(arch, weights=None, num_classes=7).double().eval()
        x, targets = normal(2, 3, 64, 64), torch.tensor([3, 6])
        for name in (auto, *others):
            batch = self.check(captum, network, x, targets, name)
        same(explained(GradCam(), network, batch), explained(GradCam(layer=auto), network, batch))

    def test_lenet(self, captum, kit):
        network, x = lenet(kit)
        targets = network(x).argmax(1)
        for name in ("conv_1", "conv_2"):
            batch = self.check(captum, network, x, targets, name)
        same(explained(GradCam(), network, batch), explained(GradCam(layer="conv_2"), network, batch))
