"""Neuron attributions: comparison with pointwise reference implementations, Captum and closed forms."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from attributions import explained, quiet_captum, same
from builders import bind, draws, make_batch, normal
from layer_networks import QUADRATURES, bert, parts, smooth_network, three_references, three_rows
from lenet_mnist import lenet
from reference import layers_slow as slow
from torch import nn

from xaiexp.builtin.methods.layer.layer_attributions import LayerActivation, LayerConductance
from xaiexp.builtin.methods.layer.neuron_attributions import (
    NeuronConductance,
    NeuronGradient,
    NeuronIntegratedGradients,
)
from xaiexp.core.explanations import Cost
from xaiexp.errors import ParameterError, Unsupported
from xaiexp.inference.passes import Passes

METHODS = [NeuronGradient, NeuronIntegratedGradients, NeuronConductance]


smooth = pytest.fixture(smooth_network)
batch = pytest.fixture(three_rows)
reference = pytest.fixture(three_references)
captum = pytest.fixture(quiet_captum, scope="module")


@pytest.mark.parametrize("layer", ["stem", "inner"])
@pytest.mark.parametrize("unit", [0, 3])
def test_attributions_equal_the_pointwise_integral(smooth, batch, reference, layer, unit):
    got = {m: explained(m(layer=layer, neuron=(unit,)), smooth, batch, reference) for m in METHODS}
    for i, (x, x0, target) in enumerate(zip(batch.inputs, reference, batch.targets.tolist(), strict=True)):
        front, score = parts(smooth, target)[layer]
        leaf = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(front(leaf)[unit], leaf)
        same(got[NeuronGradient][i], gradient)
        want = slow.neuron_integrated_gradients(front, unit, x, x0, 200)
        same(got[NeuronIntegratedGradients][i], want, 1e-4)
        same(got[NeuronConductance][i], slow.neuron_conductance(front, score, unit, x, x0, 200), 1e-4)


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize("layer", ["stem", "inner"])
def test_elements_sum_to_the_activation_change_or_conductance_of_the_neuron(smooth, batch, reference, layer, output):
    """Integrated gradients sum to the change of activation, neuron conductance to the layer's conductance."""
    handle, options = bind(smooth, batch, output=output), {"output": output}
    other = LayerActivation(layer).attribute(bind(smooth, make_batch(reference)), make_batch(reference), None, None)
    here = LayerActivation(layer).attribute(handle, batch, None, None)
    whole = explained(LayerConductance(layer, 400), smooth, batch, reference, **options)
    for j in range(5):
        got = explained(NeuronIntegratedGradients(layer, (j,)), smooth, batch, reference, **options)
        same(got.sum(1), here[:, j] - other[:, j], 1e-6)
        got = explained(NeuronConductance(layer, (j,)), smooth, batch, reference, **options)
        same(got.sum(1), whole[:, j], 1e-3)
    assert NeuronIntegratedGradients.complete
    assert not NeuronConductance.complete


def test_neuron_conductance_summed_over_a_layer_is_integrated_gradients(smooth, batch, reference):
    from xaiexp.builtin.methods.path.integrated_gradients import IntegratedGradients

    got = sum(explained(NeuronConductance("stem", (j,)), smooth, batch, reference) for j in range(5))
    same(got, explained(IntegratedGradients(), smooth, batch, reference))


def test_linear_network_closed_form():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3)).double()
    front, back = network[0].weight.detach(), network[1].weight.detach()
    x, x0 = normal(3, 4, seed=5), normal(3, 4, seed=6)
    batch = make_batch(x, torch.tensor([0, 2, 1]))
    for layer in ("0", "auto"):
        options = {"layer": layer, "neuron": (2,)}
        same(explained(NeuronGradient(**options), network, batch), front[2].expand(3, -1))
        same(explained(NeuronIntegratedGradients(**options, n_steps=3), network, batch, x0), front[2] * (x - x0))
        want = back[batch.targets, 2].unsqueeze(1) * front[2] * (x - x0)
        same(explained(NeuronConductance(**options, n_steps=3), network, batch, x0), want)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("budget", [None, 1, 2])
def test_max_selects_the_most_active_unit_of_each_example_at_the_input(smooth, batch, reference, method, budget):
    most = smooth.inner(torch.tanh(smooth.stem(batch.inputs))).argmax(1)
    assert len(set(most.tolist())) > 1
    got = explained(method(layer="inner"), smooth, batch, reference, budget=budget)
    for i, j in enumerate(most.tolist()):
        alone = make_batch(batch.inputs[i : i + 1], batch.targets[i : i + 1])
        named = method(layer="inner", neuron=(j,))
        same(got[i : i + 1], explained(named, smooth, alone, reference[i : i + 1]))
    # Also together with other examples.
    other = make_batch(batch.inputs[[2, 0]], batch.targets[[2, 0]])
    same(explained(method(layer="inner"), smooth, other, reference[[2, 0]]), got[[2, 0]])


def test_max_selects_the_first_of_equally_active_units():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 5, 0], [0, 5, 0], [0, 5, 0]]))
        network[0].bias.zero_()
    batch = make_batch(torch.tensor([[1.0, 1, 1]]).double())
    same(explained(NeuronGradient("0"), network, batch), torch.tensor([[0.0, 5, 0]]).double())
    network[0].weight.data[3] = torch.tensor([0, 0, 5.0])
    same(explained(NeuronGradient("0"), network, batch), torch.tensor([[0.0, 5, 0]]).double())


def captum_attribution(module, method, network, layer, batch, reference, context=()):
    x, options = batch.inputs, {"additional_forward_args": context or None}
    captum_method = getattr(module.attr, type(method).__name__)(network, layer)
    if isinstance(method, NeuronGradient):
        return captum_method.attribute(x.clone().requires_grad_(), method.neuron, **options)
    options |= {"n_steps": method.n_steps, "method": method.method}
    if isinstance(method, NeuronConductance):
        options["target"] = batch.targets
    return captum_method.attribute(x, method.neuron, baselines=reference, **options)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Captum warns about its hooks
class TestCaptum:
    # Captum stores the weights of its steps in float32.
    def check(self, module, method, network, name, neuron, batch, reference, rtol=1e-6):
        method = replace(method, layer=name, neuron=neuron)
        want = captum_attribution(module, method, network, network.get_submodule(name), batch, reference)
        assert bool(want.any())
        same(explained(method, network, batch, reference), want, rtol)

    @pytest.mark.parametrize(
        "method", [NeuronGradient(), *[m(n_steps=5, method=q) for m in METHODS[1:] for q in QUADRATURES]], ids=repr
    )
    @pytest.mark.parametrize(
        ("layer", "neuron"), [("conv1", (1, 3, 2)), ("pool2", (3, 0, 0)), ("fc1", (4,)), ("relu3", (2,))]
    )
    def test_captum_convolutional_network(self, captum, method, layer, neuron):
        torch.manual_seed(0)
        network = captum.testing.helpers.basic_models.BasicModel_ConvNet().double().eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(0.3 * torch.randn_like(parameter))
        network.softmax = nn.Identity()
        batch = make_batch(normal(3, 1, 10, 10), torch.tensor([1, 0, 9]))
        self.check(captum, method, network, layer, neuron, batch, normal(3, 1, 10, 10, seed=3))

    @pytest.mark.parametrize("method", [m() if m is NeuronGradient else m(n_steps=4) for m in METHODS])
    @pytest.mark.parametrize("inplace", [False, True])
    @pytest.mark.parametrize("layer", ["linear0", "relu", "linear2"])
    def test_captum_multi_layer_network(self, captum, layer, inplace, method):
        network = captum.testing.helpers.basic_models.BasicModel_MultiLayer(inplace=inplace).double().eval()
        batch = make_batch(normal(3, 3), torch.tensor([1, 0, 1]))
        self.check(captum, method, network, layer, (1,), batch, normal(3, 3, seed=3))

    @pytest.mark.parametrize("method", [m() if m is NeuronGradient else m(n_steps=3) for m in METHODS])
    @pytest.mark.parametrize(
        ("arch", "layer", "neuron"),
        [("resnet18", "layer3.0.conv2", (5, 1, 2)), ("mobilenet_v2", "features.7", (9, 0, 3))],
    )
    def test_networks_of_torchvision(self, captum, arch, layer, neuron, method):
        import torchvision

        torch.manual_seed(0)
        network = torchvision.models.get_model(arch, weights=None, num_classes=7).double().eval()
        batch = make_batch(normal(2, 3, 64, 64), torch.tensor([3, 6]))
        self.check(captum, method, network, layer, neuron, batch, normal(2, 3, 64, 64, seed=3))

    @pytest.mark.parametrize("method", [m() if m is NeuronGradient else m(n_steps=4) for m in METHODS])
    def test_lenet(self, captum, kit, method):
        network, x = lenet(kit)
        batch = make_batch(x, network(x).argmax(1))
        self.check(captum, method, network, "fc_1", (7,), batch, torch.zeros_like(x))

    @pytest.mark.parametrize("method", [m() if m is NeuronGradient else m(n_steps=4) for m in METHODS])
    def test_a_transformer_over_embeddings(self, captum, method):
        network, batch, reference = bert()

        def called(x, mask):
            return network(x, attention_mask=mask)

        name = "model.bert.encoder.layer.0"
        method = replace(method, layer=name, neuron=(2, 5))
        context = (batch.context["attention_mask"],)
        want = captum_attribution(captum, method, called, network.get_submodule(name), batch, reference, context)
        assert bool(want.any())
        same(explained(method, network, batch, reference), want, 1e-6)


@pytest.mark.parametrize("neuron", ["max", (1,)])
@pytest.mark.parametrize("budget", [2, None])
def test_counted_passes_equal_the_declared_cost(smooth, batch, reference, neuron, budget):
    search = Cost(1 if neuron == "max" else 0)
    for method, cost in (
        (NeuronGradient(neuron=neuron), Cost(1, 1)),
        (NeuronIntegratedGradients(neuron=neuron, n_steps=6), Cost(6, 6) + search),
        (NeuronConductance(neuron=neuron, n_steps=6), Cost(6, 12) + search),
    ):
        handle = bind(smooth, batch, budget=budget)
        method.attribute(handle, batch, reference, draws(batch))
        assert Cost(handle.counter.forward, handle.counter.backward) == cost * 3
        assert method.passes(batch.shape, 4) == cost


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("neuron", [(5,), (-1,), (0, 0), ()])
def test_unknown_neuron_raises(smooth, batch, reference, method, neuron):
    message = rf"method.{method.name}.neuron: the layer has units of shape \[5\], and none with these indices"
    with pytest.raises(ParameterError, match=message):
        explained(method(layer="inner", neuron=neuron), smooth, batch, reference)
    assert not any(m._forward_hooks for m in smooth.modules())


def test_invalid_parameters_raise_on_construction():
    with pytest.raises(ParameterError, match="neuron"):
        NeuronGradient(neuron="min")
    assert NeuronGradient(neuron=[1, 2]).neuron == (1, 2)
    for method in METHODS[1:]:
        with pytest.raises(ParameterError, match=rf"{method.name}.n_steps: must be at least 2"):
            method(n_steps=1, method="riemann_trapezoid")


@pytest.mark.parametrize("method", METHODS)
def test_hooks_are_removed_after_errors(smooth, batch, reference, method):
    def clean():
        return not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in smooth.modules())

    with pytest.raises(ParameterError, match="no submodule"):
        explained(method(layer="outer"), smooth, batch, reference)
    smooth.unused = nn.Linear(2, 2)
    with pytest.raises(Unsupported, match="layer 'unused' does not run"):
        explained(method(layer="unused"), smooth, batch, reference)
    assert clean()
    smooth.head = nn.Linear(2, 3).double()
    with pytest.raises(RuntimeError, match="shapes"):
        explained(method(layer="inner"), smooth, batch, reference)
    assert clean()


def test_layer_independent_of_the_input_has_zero_gradient(batch):
    class IndependentLayer(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.head = nn.Embedding(4, 4), nn.Linear(4, 3)

        def forward(self, x):
            return self.head(x + self.embedding(torch.arange(4).expand(len(x), 4)).sum(1))

    got = explained(NeuronGradient("embedding", (1, 2)), IndependentLayer().double(), batch)
    assert got.shape == batch.inputs.shape
    assert not got.any()


@pytest.mark.parametrize("precision", ["bf16"])
@pytest.mark.parametrize("method", METHODS)
def test_half_precision_differs_within_tolerance(kit, method, precision):
    assert method().precisions == ("fp32",)  # rounding can change which unit is the most active
    method = method(layer="fc_1", neuron=(7,))
    assert precision in method.precisions
    network, x = lenet(kit, count=8)
    network, x = network.float(), x.float()
    batch, reference = make_batch(x, network(x).argmax(1)), torch.zeros_like(x)
    want = explained(method, network, batch, reference)
    handle = Passes(network, precision=precision).bind(batch)
    got = method.attribute(handle, batch, reference if method.reads_baseline else None, draws(batch))
    assert got.dtype == torch.float32
    deviation = float((got - want).norm() / want.norm())
    assert 0 < deviation < 0.1  # a pool or a ReLU may switch in some of the 8 examples
