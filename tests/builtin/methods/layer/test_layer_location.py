"""Which layer is used, how its activations are read and replaced, and that the network is left unchanged."""

from __future__ import annotations

import pytest
import torch
from attributions import explained, same
from builders import bind, make_batch, normal
from layer_networks import Smooth, bert, smooth_network, three_references, three_rows
from torch import nn

from xaiexp.builtin.methods.layer.layer_attributions import (
    InternalInfluence,
    LayerActivation,
    LayerConductance,
    LayerGradientXActivation,
    LayerIntegratedGradients,
)
from xaiexp.errors import ParameterError, Unsupported

smooth = pytest.fixture(smooth_network)
batch = pytest.fixture(three_rows)
reference = pytest.fixture(three_references)


METHODS = [LayerActivation, LayerGradientXActivation, LayerConductance, LayerIntegratedGradients, InternalInfluence]


def test_first_tensor_of_a_tuple_or_mapping_is_used():
    network, batch, reference = bert()
    outputs = {}
    for name in ("model.bert.encoder.layer.0.attention", "model.bert.encoder", "model.bert"):
        network.get_submodule(name).register_forward_hook(lambda _m, _a, out, name=name: outputs.update({name: out}))
    network(batch.inputs, **batch.context)
    for name, out in list(outputs.items()):
        same(explained(LayerActivation(name), network, batch), out[0])
    # The output of the encoder is that of its last block, without any shortcut.
    change = bind(network, batch).scores() - bind(network, batch).scores(reference)
    for name in ("model.bert.encoder", "model.bert.encoder.layer.1"):
        got = explained(LayerIntegratedGradients(name, 100), network, batch, reference)
        same(got.flatten(1).sum(1), change, 1e-6)
        same(got, explained(LayerIntegratedGradients("model.bert.encoder", 100), network, batch, reference))


class AutoCandidates(nn.Module):
    """Candidates for ``auto``."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.conv1, self.conv2, self.squeeze = nn.Conv1d(2, 3, 3), nn.Conv2d(2, 3, 3), nn.Conv2d(3, 4, 1)
        self.wide, self.narrow = nn.Linear(12, 6), nn.Linear(6, 3)

    def forward(self, x):
        if self.kind == "image":
            x = self.squeeze(self.conv2(x).mean((2, 3), keepdim=True)).flatten(1)  # the output of the last one is 1 x 1
            return self.narrow(torch.cat([x, x[:, :2]], 1))
        if self.kind == "series":
            return self.narrow(torch.relu(self.wide(self.conv1(x).flatten(1))))
        return self.narrow(torch.relu(self.wide(x)))


@pytest.mark.parametrize(
    ("kind", "shape", "want"),
    [
        ("image", (2, 6, 5), lambda net, x: net.conv2(x)),
        ("series", (2, 6), lambda net, x: net.conv1(x)),
        ("table", (12,), lambda net, x: torch.relu(net.wide(x))),
    ],
)
def test_auto_is_the_last_convolution_or_the_input_of_the_last_linear_layer(kind, shape, want):
    torch.manual_seed(0)
    network, x = AutoCandidates(kind).double().eval(), normal(3, *shape)
    batch = make_batch(x, torch.tensor([0, 1, 2]), modality=kind)
    for budget in (1, 2, None):
        same(explained(LayerActivation(), network, batch, budget=budget), want(network, x))


def test_auto_in_a_vision_transformer_is_the_input_of_the_last_self_attention():
    from torchvision.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    network = VisionTransformer(16, 4, 2, 2, 8, 16, num_classes=3).double().eval()
    batch, reference = make_batch(normal(2, 3, 16, 16), 1), torch.zeros(2, 3, 16, 16).double()
    for method in METHODS:
        got = explained(method(), network, batch, reference)
        assert got.shape == (2, 17, 8)
        same(got, explained(method(layer="encoder.layers.encoder_layer_1.ln_1"), network, batch, reference))


def test_auto_for_texts_is_the_input_of_the_classifier():
    network, batch, reference = bert()
    for method in METHODS:
        assert explained(method(), network, batch, reference).shape == (3, 8)
    outputs = []
    network.model.classifier.register_forward_pre_hook(lambda _m, args: outputs.append(args[0]))
    network(batch.inputs, **batch.context)
    same(explained(LayerActivation(), network, batch), outputs[0])


class RunsTwice(nn.Module):
    """A layer that runs twice, with in-place operations after it."""

    def __init__(self, inplace):
        super().__init__()
        self.inplace, self.layer, self.head = inplace, nn.Linear(4, 4), nn.Linear(4, 3)

    def between(self, x):
        return self.layer(x).tanh_() if self.inplace else torch.tanh(self.layer(x))

    def after(self, h):
        return self.head(h.sigmoid_() if self.inplace else torch.sigmoid(h))

    def forward(self, x):
        return self.after(self.layer(self.between(x)))


@pytest.mark.parametrize("method", METHODS)
def test_last_run_is_used_and_in_place_operations_do_not_change_activations(batch, reference, method):
    torch.manual_seed(0)
    plain, inplace = RunsTwice(False).double(), RunsTwice(True).double()
    inplace.load_state_dict(plain.state_dict())
    chain = nn.Sequential(plain.layer, nn.Tanh(), nn.Linear(4, 4), nn.Sigmoid(), plain.head).double()
    chain[2].load_state_dict(plain.layer.state_dict())
    want = explained(method(layer="2"), chain, batch, reference)
    for network in (plain, inplace):
        same(explained(method(layer="layer"), network, batch, reference), want)


@pytest.mark.parametrize("method", METHODS)
def test_network_is_unchanged_also_after_errors(smooth, batch, reference, method):
    def clean():
        hooks = any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in smooth.modules())
        return not hooks and not batch.inputs.requires_grad and all(p.grad is None for p in smooth.parameters())

    before = {key: value.clone() for key, value in smooth.state_dict().items()}
    got = explained(method(layer="inner"), smooth, batch, reference)
    assert clean()
    assert not got.requires_grad
    assert all(torch.equal(value, before[key]) for key, value in smooth.state_dict().items())
    with pytest.raises(ParameterError, match=rf"method.{method.name}.layer: .*\(got 'iner'\)\n  nearest: inner"):
        explained(method(layer="iner"), smooth, batch, reference)
    smooth.head = nn.Linear(2, 3).double()
    with pytest.raises(RuntimeError, match="shapes"):
        explained(method(layer="inner"), smooth, batch, reference)
    assert clean()
    smooth.unused = nn.Linear(2, 2)
    smooth.head = nn.Linear(5, 3).double()
    with pytest.raises(Unsupported, match="layer 'unused' does not run"):
        explained(method(layer="unused"), smooth, batch, reference)
    assert clean()


def test_error_while_a_layer_is_replaced_leaves_no_hook(smooth, batch, reference):
    calls = []

    class Third(Smooth):
        def forward(self, x):
            calls.append(len(x))
            if len(calls) == 3:
                self.stem(x)
                raise RuntimeError("the third pass")
            return super().forward(x)

    network = Third().double()
    with pytest.raises(RuntimeError, match="the third pass"):
        explained(LayerIntegratedGradients("stem"), network, batch, reference)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


@pytest.mark.parametrize("method", METHODS)
def test_frozen_parameters_do_not_change_attributions(smooth, batch, reference, method):
    want = explained(method(layer="stem"), smooth, batch, reference)
    for parameter in smooth.parameters():
        parameter.requires_grad_(False)
    same(explained(method(layer="stem"), smooth, batch, reference), want)


def test_layer_independent_of_the_input_has_gradients_but_no_conductance(batch, reference):
    class IndependentLayer(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.head = nn.Embedding(4, 4), nn.Linear(4, 3)

        def forward(self, x):
            return self.head(x + 2 * self.embedding(torch.arange(4).expand(len(x), 4)).sum(1))

    torch.manual_seed(0)
    network = IndependentLayer().double()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    weights = 2 * network.head.weight[batch.targets].unsqueeze(1).expand(-1, 4, -1)
    values = network.embedding.weight.expand(3, 4, 4)
    same(explained(LayerGradientXActivation("embedding"), network, batch), weights * values)
    same(explained(InternalInfluence("embedding"), network, batch, reference), weights)
    assert not explained(LayerConductance("embedding"), network, batch, reference).any()
    assert not explained(LayerIntegratedGradients("embedding"), network, batch, reference).any()


def test_layer_with_unused_output_has_zero_attribution(batch, reference):
    class UnusedOutput(Smooth):
        def forward(self, x):
            self.inner(torch.tanh(self.stem(x)))
            return self.head(torch.tanh(self.stem(x)))

    network = UnusedOutput().double()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for method in METHODS[1:]:
        assert not explained(method(layer="inner"), network, batch, reference).any()
