"""Layer attributions: comparison with Captum."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from attributions import explained, quiet_captum, same
from builders import make_batch, normal
from layer_networks import QUADRATURES, bert
from lenet_mnist import lenet
from torch import nn

from xaiexp.builtin.methods.layer.layer_attributions import (
    InternalInfluence,
    LayerActivation,
    LayerConductance,
    LayerGradientXActivation,
    LayerIntegratedGradients,
)

captum = pytest.fixture(quiet_captum, scope="module")


METHODS = [LayerActivation, LayerGradientXActivation, LayerConductance, LayerIntegratedGradients, InternalInfluence]
ON_PATHS = METHODS[2:]


def captum_attribution(captum, method, network, layer, batch, reference, context=()):
    """Captum's attribution: the first tensor if the layer returns several."""
    x, options = batch.inputs, {"additional_forward_args": context or None}
    captum_method = {
        LayerActivation: captum.attr.LayerActivation,
        LayerGradientXActivation: captum.attr.LayerGradientXActivation,
        LayerConductance: captum.attr.LayerConductance,
        LayerIntegratedGradients: captum.attr.LayerIntegratedGradients,
        InternalInfluence: captum.attr.InternalInfluence,
    }[type(method)](network, layer)
    if isinstance(method, LayerActivation):
        got = captum_method.attribute(x, **options)
    elif isinstance(method, LayerGradientXActivation):
        got = captum_method.attribute(x, target=batch.targets, **options)
    else:
        options |= {"n_steps": method.n_steps, "method": method.method}
        got = captum_method.attribute(x, reference, target=batch.targets, **options)
    return got[0] if isinstance(got, tuple) else got


ALL_METHODS = [
    LayerActivation(),
    LayerGradientXActivation(),
    *[method(n_steps=5, method=name) for method in ON_PATHS for name in QUADRATURES],
]
FEW_STEPS = [LayerActivation(), LayerGradientXActivation(), *[m(n_steps=3, method="gausslegendre") for m in ON_PATHS]]


@pytest.mark.filterwarnings("ignore::UserWarning")  # Captum warns about its hooks
class TestCaptum:
    # Captum stores the weights of its steps in float32.
    def check(self, captum, methods, network, names, batch, reference, tested=None):
        for name in names:
            for method in methods:
                want = captum_attribution(captum, method, network, network.get_submodule(name), batch, reference)
                assert bool(want.any())
                same(explained(replace(method, layer=name), tested or network, batch, reference), want, 1e-6)

    @pytest.mark.parametrize("method", ALL_METHODS, ids=repr)
    @pytest.mark.parametrize("layer", ["conv1", "relu1", "pool2", "fc1", "relu3", "fc2"])
    def test_captum_convolutional_network(self, captum, method, layer):
        torch.manual_seed(0)
        network = captum.testing.helpers.basic_models.BasicModel_ConvNet().double().eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(0.3 * torch.randn_like(parameter))
        network.softmax = nn.Identity()
        batch = make_batch(normal(3, 1, 10, 10), torch.tensor([1, 0, 9]))
        self.check(captum, [method], network, [layer], batch, normal(3, 1, 10, 10, seed=3))

    @pytest.mark.parametrize("inplace", [False, True])
    @pytest.mark.parametrize("layer", ["linear0", "linear1", "relu", "linear2"])
    def test_captum_multi_layer_network(self, captum, layer, inplace):
        # Captum 0.9 raises if a replaced layer is followed by an in-place operation.
        plain, network = (
            captum.testing.helpers.basic_models.BasicModel_MultiLayer(option) for option in (False, inplace)
        )
        batch = make_batch(normal(3, 3), torch.tensor([1, 0, 1]))
        reference = normal(3, 3, seed=3)
        self.check(captum, FEW_STEPS, plain.double().eval(), [layer], batch, reference, network.double().eval())

    @pytest.mark.parametrize(
        ("name", "shape", "layers"),
        [
            ("BasicLinearReLULinear", (5,), ["fc1", "relu1", "fc2"]),
            ("LinearMaxPoolLinearModel", (4,), ["lin1", "pool1", "lin2"]),
            ("BasicModel_ConvNet_MaxPool1d", (1, 10), ["conv1", "pool1", "relu2", "fc1"]),
            ("BasicModel_ConvNet_MaxPool3d", (1, 10, 10, 10), ["conv1", "pool2", "fc1"]),
        ],
    )
    def test_other_captum_test_networks(self, captum, name, shape, layers):
        torch.manual_seed(0)
        module = getattr(captum.testing.helpers.basic_models, name)
        network = (module(5) if name == "BasicLinearReLULinear" else module()).double().eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(0.3 * torch.randn_like(parameter))
        batch = make_batch(normal(2, *shape), 0, modality="table")
        self.check(captum, FEW_STEPS, network, layers, batch, normal(2, *shape, seed=3))

    @pytest.mark.parametrize(
        ("arch", "layers"),
        [
            ("resnet18", ["layer1.0.conv1", "layer3", "layer4.1.conv2"]),
            ("mobilenet_v2", ["features.2.conv.1.0", "features.18.0"]),
        ],
    )
    def test_networks_of_torchvision(self, captum, arch, layers):
        import torchvision

        torch.manual_seed(0)
        network = torchvision.models.get_model(arch, weights=None, num_classes=7).double().eval()
        batch = make_batch(normal(2, 3, 64, 64), torch.tensor([3, 6]))
        self.check(captum, FEW_STEPS, network, layers, batch, normal(2, 3, 64, 64, seed=3))

    def test_lenet(self, captum, kit):
        network, x = lenet(kit)
        batch = make_batch(x, network(x).argmax(1))
        self.check(captum, FEW_STEPS, network, ["conv_1", "conv_2", "fc_1", "fc_2"], batch, torch.zeros_like(x))

    def test_a_transformer_over_embeddings(self, captum):
        network, batch, reference = bert()

        def called(x, mask):
            return network(x, attention_mask=mask)

        names = ["model.bert.encoder.layer.0", "model.bert.encoder.layer.1.attention.output.LayerNorm"]
        names += [
            "model.bert.encoder.layer.1.intermediate",
            "model.bert.pooler",
            "model.bert.encoder.layer.0.attention",
        ]
        for name in names:
            for method in FEW_STEPS:
                layer = network.get_submodule(name)
                try:
                    want = captum_attribution(
                        captum, method, called, layer, batch, reference, (batch.context["attention_mask"],)
                    )
                except (AssertionError, AttributeError, RuntimeError, TypeError):
                    assert name.endswith(
                        "attention"
                    )  # Captum supports only tuples of tensors, and this one contains None
                    continue
                same(explained(replace(method, layer=name), network, batch, reference), want, 1e-6)
