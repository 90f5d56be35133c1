"""Layer attributions: comparison with pointwise reference implementations and closed forms."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from attributions import explained, same
from builders import bind, draws, make_batch, normal
from layer_networks import Smooth, parts, smooth_network, three_references, three_rows
from lenet_mnist import LeNet, lenet
from reference import layers_slow as slow
from torch import nn

from xaiexp.builtin.methods.layer.layer_attributions import (
    InternalInfluence,
    LayerActivation,
    LayerConductance,
    LayerGradientXActivation,
    LayerIntegratedGradients,
)
from xaiexp.core.explanations import Cost
from xaiexp.errors import ParameterError
from xaiexp.inference.passes import Passes

smooth = pytest.fixture(smooth_network)
batch = pytest.fixture(three_rows)
reference = pytest.fixture(three_references)


METHODS = [LayerActivation, LayerGradientXActivation, LayerConductance, LayerIntegratedGradients, InternalInfluence]
ON_PATHS = METHODS[2:]


@pytest.mark.parametrize("layer", ["stem", "inner"])
@pytest.mark.parametrize(
    ("method", "slow_method", "tolerance"),
    [
        (LayerConductance(n_steps=200), slow.conductance, 1e-4),
        (InternalInfluence(n_steps=20), slow.internal_influence, 2e-5),
        (LayerIntegratedGradients(n_steps=20), slow.layer_integrated_gradients, 2e-5),
    ],
    ids=lambda m: getattr(m, "name", ""),
)
def test_attributions_equal_the_pointwise_integral(smooth, batch, reference, method, slow_method, tolerance, layer):
    want = []
    for x, x0, target in zip(batch.inputs, reference, batch.targets.tolist(), strict=True):
        front, score = parts(smooth, target)[layer]
        want.append(slow_method(front, score, x, x0, 200))
    same(explained(replace(method, layer=layer), smooth, batch, reference), torch.stack(want), tolerance)


@pytest.mark.parametrize("layer", ["stem", "inner"])
def test_activation_and_gradient_times_activation(smooth, batch, layer):
    for i, (x, target) in enumerate(zip(batch.inputs, batch.targets.tolist(), strict=True)):
        front, score = parts(smooth, target)[layer]
        h = front(x).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(score(h, x), h)
        same(explained(LayerActivation(layer=layer), smooth, batch)[i], h)
        same(explained(LayerGradientXActivation(layer=layer), smooth, batch)[i], gradient * h)


def test_conductance_error_is_of_second_order_in_the_step(smooth, batch, reference):
    change = bind(smooth, batch).scores() - bind(smooth, batch).scores(reference)

    def deviation_from_change(**parameters):
        return float(
            (explained(LayerConductance("stem", **parameters), smooth, batch, reference).sum(1) - change).abs().max()
        )

    coarse, fine = deviation_from_change(n_steps=10), deviation_from_change(n_steps=40)
    assert coarse / fine > 12
    assert (
        deviation_from_change(n_steps=40, method="riemann_trapezoid") > 5 * fine
    )  # uses the gradient at the start of a step


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize("method", [LayerConductance("stem", 400), LayerIntegratedGradients("stem")])
def test_units_sum_to_the_change_of_the_score_without_shortcuts(smooth, batch, reference, method, output):
    change = bind(smooth, batch, output=output).scores() - bind(smooth, batch, output=output).scores(reference)
    got = explained(method, smooth, batch, reference, output=output)
    same(got.sum(1), change, 1e-4)
    assert not method.complete  # because of layers with a shortcut:
    bypassed = explained(replace(method, layer="inner"), smooth, batch, reference, output=output).sum(1)
    assert float((bypassed - change).abs().max()) > 0.1 * float(change.abs().max())


@pytest.mark.parametrize("n_steps", [1, 2, 7])
def test_linear_network_closed_form(n_steps):
    front, back = normal(4, 5, seed=3), normal(5, 3, seed=4)
    network = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3)).double()
    with torch.no_grad():
        network[0].weight.copy_(front.t())
        network[1].weight.copy_(back.t())
    x, x0 = normal(3, 4, seed=5), normal(3, 4, seed=6)
    batch = make_batch(x, torch.tensor([0, 2, 1]))
    weights, change = back[:, batch.targets].t(), (x - x0) @ front
    for layer in ("0", "auto"):  # auto: the input of the last linear layer
        same(explained(LayerConductance(layer, n_steps), network, batch, x0), weights * change)
        same(explained(LayerIntegratedGradients(layer, n_steps), network, batch, x0), weights * change)
        same(explained(InternalInfluence(layer, n_steps), network, batch, x0), weights)
        same(explained(LayerActivation(layer), network, batch), network[0](x))
        same(explained(LayerGradientXActivation(layer), network, batch), weights * network[0](x))
    scores = bind(network, batch)
    for method in (LayerConductance("0", n_steps), LayerIntegratedGradients("0", n_steps)):
        same(explained(method, network, batch, x0).sum(1), scores.scores() - scores.scores(x0))


@pytest.mark.parametrize(("arch", "layer"), [("resnet18", "layer4"), ("mobilenet_v2", "features.18.0")])
def test_completeness_on_torchvision_architectures(arch, layer):
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.get_model(arch, weights=None, num_classes=7).double().eval()
    batch, reference = make_batch(normal(1, 3, 32, 32), 3), torch.zeros(1, 3, 32, 32).double()
    change = bind(network, batch).scores() - bind(network, batch).scores(reference)
    for method in (LayerConductance(layer, 10), LayerIntegratedGradients(layer, 10)):
        got = explained(method, network, batch, reference).flatten(1).sum(1)
        same(got, change, 1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_attributions_do_not_depend_on_batch_budget_or_other_examples(smooth, batch, reference, method):
    whole = explained(method(layer="inner"), smooth, batch, reference)
    for budget in (1, 2, 7, 1000):
        same(explained(method(layer="inner"), smooth, batch, reference, budget=budget), whole)
    for i in range(3):
        alone = make_batch(batch.inputs[i : i + 1], batch.targets[i : i + 1])
        same(explained(method(layer="inner"), smooth, alone, reference[i : i + 1]), whole[i : i + 1])


@pytest.mark.parametrize("budget", [2, 5, None])
@pytest.mark.parametrize(
    ("method", "cost"),
    [
        (LayerActivation(), Cost(1, 0)),
        (LayerGradientXActivation(), Cost(1, 1)),
        (LayerConductance(n_steps=6), Cost(8, 6)),
        (LayerConductance(n_steps=6, method="gausslegendre"), Cost(7, 7)),
        (LayerIntegratedGradients(n_steps=6), Cost(8, 6)),
        (InternalInfluence(n_steps=6), Cost(6, 6)),
    ],
)
def test_counted_passes_equal_the_declared_cost(smooth, batch, reference, method, cost, budget):
    handle = bind(smooth, batch, budget=budget)
    method.attribute(handle, batch, reference, draws(batch))
    assert Cost(handle.counter.forward, handle.counter.backward) == cost * 3
    assert method.passes(batch.shape, 4) == cost


@pytest.mark.parametrize("method", METHODS)
def test_out_of_memory_is_retried_with_smaller_passes(smooth, batch, reference, method):
    method = method(layer="inner", n_steps=4) if method in ON_PATHS else method(layer="inner")
    want = explained(method, smooth, batch, reference)

    class Small(Smooth):
        def forward(self, x):
            h = self.stem(x)
            if len(x) > 2:
                raise torch.OutOfMemoryError("too many rows")
            h = torch.tanh(h)
            return self.head(torch.tanh(self.inner(h)) + h)

    small = Small().double()
    small.load_state_dict(smooth.state_dict())
    same(explained(method, small, batch, reference), want)


@pytest.mark.parametrize("method", [LayerIntegratedGradients, InternalInfluence])
def test_trapezoidal_rule_with_one_step_raises(method):
    with pytest.raises(ParameterError, match=rf"{method.name}.n_steps: must be at least 2 for riemann_trapezoid"):
        method(n_steps=1, method="riemann_trapezoid")


@pytest.mark.parametrize("precision", ["bf16"])
@pytest.mark.parametrize(
    ("method", "tolerance"),
    [
        (LayerActivation(), 0.01),
        (LayerGradientXActivation(), 0.05),
        (LayerConductance(), 0.05),
        (LayerIntegratedGradients(), 0.05),
        (InternalInfluence(), 0.05),
    ],
)
def test_half_precision_differs_within_tolerance(kit, method, tolerance, precision):
    assert precision in method.precisions
    network, x = lenet(kit, count=8)
    network, x = network.float(), x.float()
    batch, reference = make_batch(x, network(x).argmax(1)), torch.zeros_like(x)
    want = explained(method, network, batch, reference)
    handle = Passes(network, precision=precision).bind(batch)
    got = method.attribute(handle, batch, reference if method.reads_baseline else None, draws(batch))
    assert got.dtype == torch.float32
    deviation = float((got - want).norm() / want.norm())
    assert 0 < deviation < tolerance
    assert isinstance(network, LeNet)
