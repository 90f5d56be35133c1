"""Components, compared with direct calls of Captum on the same network, in float64."""

from __future__ import annotations

import contextlib
import random

import pytest

pytest.importorskip("xaiexp_captum", reason="the distribution xaiexp-captum is not installed")

import captum.attr
import captum.metrics
import numpy as np
import torch
from captum._utils.models.linear_model import SkLearnLasso
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import nn

import xaiexp
import xaiexp.plugin
from xaiexp.plugin import Draws, Unsupported

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Captum warns about its hooks

N, TARGET = 3, 1


class Net(nn.Module):
    """A convolutional network with a linear layer of 6 units before the last."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(2, 3, 3, padding=1), nn.ReLU()
        self.pool, self.flat = nn.AvgPool2d(2), nn.Flatten()
        self.hidden, self.relu2, self.head = nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.relu2(self.hidden(self.flat(self.pool(self.relu(self.conv(x)))))))


@pytest.fixture(scope="module")
def case():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = Net().double().eval()
        x, x0, pool = torch.randn(3, N, 2, 4, 4, dtype=torch.float64).unbind()
    return net, x, 0.3 * x0, pool


def close(got, want, rtol=1e-9):
    want = want.detach()
    assert bool(want.any())
    torch.testing.assert_close(got, want.to(got), rtol=rtol, atol=rtol * float(want.abs().max()))


# Captum's object, whether it reads a baseline, and parameters.
SAME = {
    "saliency": (lambda net: captum.attr.Saliency(net), False, {}),
    "input_x_gradient": (lambda net: captum.attr.InputXGradient(net), False, {}),
    "integrated_gradients": (lambda net: captum.attr.IntegratedGradients(net), True, {"n_steps": 7}),
    "deep_lift": (lambda net: captum.attr.DeepLift(net), True, {}),
    "guided_backprop": (lambda net: captum.attr.GuidedBackprop(net), False, {}),
    "deconvolution": (lambda net: captum.attr.Deconvolution(net), False, {}),
    "guided_grad_cam": (lambda net: captum.attr.GuidedGradCam(net, net.conv), False, {}),
    "feature_ablation": (lambda net: captum.attr.FeatureAblation(net), True, {}),
    "occlusion": (lambda net: captum.attr.Occlusion(net), True, {"sliding_window_shapes": (2, 2, 3), "strides": 1}),
    "lrp": (lambda net: captum.attr.LRP(net), False, {}),
    "layer_activation": (lambda net: captum.attr.LayerActivation(net, net.hidden), False, {"layer": "hidden"}),
    "layer_gradient_x_activation": (lambda net: captum.attr.LayerGradientXActivation(net, net.conv), False, {}),
    "layer_grad_cam": (lambda net: captum.attr.LayerGradCam(net, net.conv), False, {}),
    "layer_conductance": (lambda net: captum.attr.LayerConductance(net, net.conv), True, {"n_steps": 7}),
    "layer_integrated_gradients": (
        lambda net: captum.attr.LayerIntegratedGradients(net, net.conv),
        True,
        {"n_steps": 7},
    ),
    "internal_influence": (lambda net: captum.attr.InternalInfluence(net, net.conv), True, {"n_steps": 7}),
    "layer_deep_lift": (lambda net: captum.attr.LayerDeepLift(net, net.conv), True, {}),
    "layer_feature_ablation": (
        lambda net: captum.attr.LayerFeatureAblation(net, net.hidden),
        False,
        {"layer": "hidden"},
    ),
    "layer_lrp": (lambda net: captum.attr.LayerLRP(net, net.conv), False, {}),
}


ELEMENTS = torch.arange(32).view(2, 4, 4)


def ours(case, name, distribution=False, reads=True, **parameters):
    """Attributions of the plugin, with every element as a feature where features are replaced."""
    net, x, x0, pool = case
    baseline = (pool.unsqueeze(0) if distribution else x0) if reads else None
    mask = ELEMENTS if any(word in name for word in ("ablation", "shap", "lime")) and "layer" not in name else None
    return xaiexp.attribute(
        net, x, f"captum_{name}", target=TARGET, baseline=baseline, feature_mask=mask, background=pool, **parameters
    )


@pytest.mark.parametrize("batch_budget", [None, 4])
@pytest.mark.parametrize("name", SAME)
def test_deterministic_methods_equal_captum(case, name, batch_budget):
    net, x, x0, _ = case
    make, reads, parameters = SAME[name]
    given = {key: value for key, value in parameters.items() if key != "layer"}
    given |= {"baselines": x0} if reads else {}
    given |= {"target": TARGET} if name != "layer_activation" else {}
    got = ours(case, name, reads=reads, batch_budget=batch_budget, **parameters)
    if name.endswith("lrp"):
        net.flat.rule = EpsilonRule()  # Captum asks for it, and removes it
    close(got, make(net).attribute(x.clone(), **given), 1e-6)


NEURONS = {
    "neuron_gradient": (captum.attr.NeuronGradient, False, {}),
    "neuron_integrated_gradients": (captum.attr.NeuronIntegratedGradients, True, {"n_steps": 7}),
    "neuron_conductance": (captum.attr.NeuronConductance, True, {"n_steps": 7}),
    "neuron_deep_lift": (captum.attr.NeuronDeepLift, True, {}),
    "neuron_feature_ablation": (captum.attr.NeuronFeatureAblation, True, {}),
    "neuron_guided_backprop": (captum.attr.NeuronGuidedBackprop, False, {}),
    "neuron_deconvolution": (captum.attr.NeuronDeconvolution, False, {}),
}


@pytest.mark.parametrize("name", NEURONS)
def test_methods_of_a_neuron_equal_captum(case, name):
    net, x, x0, _ = case
    make, reads, parameters = NEURONS[name]
    given = {**parameters, **({"baselines": x0} if reads else {}), **({"target": 1} if "conductance" in name else {})}
    want = make(net, net.hidden).attribute(x.clone(), (1,), **given)
    close(ours(case, name, reads=reads, layer="hidden", neuron_selector=(1,), **parameters), want, 1e-6)


def test_max_is_the_most_active_unit_of_each_example(case):
    net, x, _, _ = case
    units = captum.attr.LayerActivation(net, net.conv).attribute(x).flatten(1).argmax(dim=1).tolist()
    assert len(set(units)) > 1
    want = [
        captum.attr.NeuronGradient(net, net.conv).attribute(x[i : i + 1].clone(), (u // 16, u % 16 // 4, u % 4))
        for i, u in enumerate(units)
    ]
    close(ours(case, "neuron_gradient", reads=False, layer="conv"), torch.cat(want))


@pytest.fixture
def fixed(monkeypatch):
    """A scope with fixed global seeds, which also stands in for the draws of examples."""

    @contextlib.contextmanager
    def seeded(*_arguments):
        numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
        with torch.random.fork_rng():
            torch.manual_seed(7)
            np.random.seed(7)  # noqa: NPY002
            random.seed(7)
            yield
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)

    monkeypatch.setattr(Draws, "legacy", lambda _self, *arguments: seeded(*arguments))
    return seeded


# Captum's object, whether it reads a distribution, arguments of the call, and parameters of ours.
SAMPLED = {
    "gradient_shap": (lambda net: captum.attr.GradientShap(net), True, {"n_samples": 6, "stdevs": 0.1}, {}),
    "shapley_value_sampling": (lambda net: captum.attr.ShapleyValueSampling(net), False, {"n_samples": 3}, {}),
    "kernel_shap": (lambda net: captum.attr.KernelShap(net), False, {"n_samples": 40}, {}),
    "lime": (lambda net: captum.attr.Lime(net, SkLearnLasso(alpha=1e-4)), False, {"n_samples": 40}, {"alpha": 1e-4}),
    "layer_gradient_shap": (
        lambda net: captum.attr.LayerGradientShap(net, net.conv),
        True,
        {"n_samples": 6, "stdevs": 0.1},
        {},
    ),
}


@pytest.mark.parametrize("name", SAMPLED)
def test_sampling_methods_equal_captum_with_the_same_seeds(case, name, fixed):
    net, x, x0, pool = case
    make, distribution, given, parameters = SAMPLED[name]
    want = []
    for i in range(N):
        with fixed():
            baselines = pool if distribution else x0[i : i + 1]
            want.append(make(net).attribute(x[i : i + 1].clone(), baselines=baselines, target=TARGET, **given))
    close(ours(case, name, distribution=distribution, **given, **parameters), torch.cat(want), 1e-5)


@pytest.mark.parametrize("nt_type", ["smoothgrad", "smoothgrad_sq", "vargrad"])
@pytest.mark.parametrize("method", ["saliency", "deep_lift", "guided_backprop"])
def test_the_noise_tunnel_equals_captum_with_the_same_seeds(case, method, nt_type, fixed):
    net, x, x0, _ = case
    make, reads, _ = SAME[method]
    want = []
    for i in range(N):
        with fixed():
            given = {"baselines": x0[i : i + 1]} if reads else {}
            tunnel = captum.attr.NoiseTunnel(make(net))
            want.append(
                tunnel.attribute(
                    x[i : i + 1].clone(), nt_type=nt_type, nt_samples=4, stdevs=0.3, target=TARGET, **given
                )
            )
    got = ours(case, "noise_tunnel", reads=reads, method=method, nt_type=nt_type, nt_samples=4, stdevs=0.3)
    close(got, torch.cat(want), 1e-6)


@pytest.mark.parametrize("name", ["deep_lift_shap", "layer_deep_lift_shap", "neuron_deep_lift_shap"])
@pytest.mark.parametrize("batch_budget", [None, 4])
def test_deep_lift_over_references_equals_captum(case, name, batch_budget):
    net, x, _, pool = case
    neuron = {"layer": "hidden", "neuron_selector": (1,)} if "neuron" in name else {}
    peers = {
        "deep_lift_shap": lambda: captum.attr.DeepLiftShap(net).attribute(x, pool, target=TARGET),
        "layer_deep_lift_shap": lambda: captum.attr.LayerDeepLiftShap(net, net.conv).attribute(x, pool, target=TARGET),
        "neuron_deep_lift_shap": lambda: captum.attr.NeuronDeepLiftShap(net, net.hidden).attribute(x, (1,), pool),
    }
    close(ours(case, name, distribution=True, batch_budget=batch_budget, **neuron), peers[name](), 1e-6)


def test_exact_shapley_values_equal_captum(case):
    net, x, x0, _ = case
    mask = (torch.arange(16) // 4).view(1, 4, 4).repeat(2, 1, 1)
    want = captum.attr.ShapleyValues(net).attribute(x, x0, TARGET, feature_mask=mask.unsqueeze(0))
    got = xaiexp.attribute(net, x, "captum_shapley_values", target=TARGET, baseline=x0, feature_mask=mask)
    close(got, want)


@pytest.mark.parametrize("name", ["feature_permutation", "layer_feature_permutation"])
def test_permutation_takes_the_values_of_other_examples(case, name):
    """Of a pool of equal examples there is only one other value: the result is an ablation to it."""
    net, x, _, pool = case
    same = pool[:1].expand(4, -1, -1, -1)
    if name == "feature_permutation":
        got = xaiexp.attribute(net, x, f"captum_{name}", target=TARGET, background=same, feature_mask=ELEMENTS)
        return close(got, captum.attr.FeatureAblation(net).attribute(x, pool[:1], TARGET), 1e-6)
    got = xaiexp.attribute(net, x, f"captum_{name}", target=TARGET, background=same, layer="hidden")
    values = captum.attr.LayerActivation(net, net.hidden).attribute(pool[:1])
    full = captum.attr.LayerFeatureAblation(net, net.hidden).attribute(x, values.detach(), TARGET)
    # The permutation of a batch may leave the example as it is, which changes nothing.
    unchanged = got.abs() < 1e-12
    close(torch.where(unchanged, full, got), full, 1e-6)
    return None


def test_infidelity_and_sensitivity_equal_captum_with_the_same_seeds(case, fixed):
    net, x, x0, _ = case
    ig = captum.attr.IntegratedGradients(net)
    maps = ig.attribute(x, x0, TARGET, n_steps=7)
    infidelity, sensitivity = [], []
    for i in range(N):
        row, start = x[i : i + 1], x0[i : i + 1]

        def perturb(inputs, _baselines=None):
            return inputs - 0.1 * torch.randn(inputs.shape).to(inputs)

        decorated = captum.metrics.infidelity_perturb_func_decorator(True)(perturb)
        with fixed():
            infidelity.append(captum.metrics.infidelity(net, decorated, row, maps[i : i + 1], start, target=TARGET))
        with fixed():
            sensitivity.append(
                captum.metrics.sensitivity_max(ig.attribute, row, baselines=start, target=TARGET, n_steps=7)
            )
    got = xaiexp.score(net, x, maps, "captum_infidelity", target=TARGET, baseline=x0, noise=0.1)
    close(got, torch.cat(infidelity), 1e-6)
    got = xaiexp.score(
        net,
        x,
        maps,
        "captum_sensitivity_max",
        target=TARGET,
        baseline=x0,
        method=component("integrated_gradients", n_steps=7),
    )
    close(got, torch.cat(sensitivity), 1e-5)


def component(name, **parameters):
    (found,) = (c for c in xaiexp.components("method") if c.name == f"captum_{name}")
    return found(**parameters)


def test_passes_of_captum_are_counted_and_the_network_is_not_asked_for_more_rows_than_the_budget(case):
    net = case[0]
    rows = []
    hook = net.register_forward_hook(lambda _module, inputs, _output: rows.append(len(inputs[0])))
    try:
        for name in ("integrated_gradients", "feature_ablation", "shapley_value_sampling", "layer_conductance"):
            rows.clear()
            ours(case, name, batch_budget=4)
            assert max(rows) <= 4, name
    finally:
        hook.remove()


def test_what_captum_has_no_rule_for_is_refused(case):
    net, x, _, _ = case
    with pytest.raises(Unsupported, match="output=logit"):
        xaiexp.attribute(net, x, "captum_deep_lift", target=1, output="probability", task="multiclass")
    with pytest.raises(Unsupported, match=r"1 \(Softplus\) has no rule in Captum's LRP"):
        xaiexp.attribute(
            nn.Sequential(nn.Linear(4, 4), nn.Softplus()).double().eval(), x[:, 0, 0], "captum_lrp", target=1
        )
    with pytest.raises(Unsupported, match="32 features"):
        xaiexp.attribute(net, x, "captum_shapley_values", target=1, feature_mask=ELEMENTS)
    with pytest.raises(xaiexp.plugin.ParameterError, match="hiden"):
        ours(case, "layer_activation", reads=False, layer="hiden")
    with pytest.raises(xaiexp.plugin.ParameterError, match="none with these indices"):
        ours(case, "neuron_gradient", reads=False, layer="hidden", neuron_selector=(6,))


def test_lrp_leaves_nothing_at_the_layers(case):
    net, _, _, _ = case
    before = {name: set(vars(child)) for name, child in net.named_modules()}
    weights = {name: parameter.data_ptr() for name, parameter in net.named_parameters()}
    ours(case, "lrp", reads=False)
    assert {name: set(vars(child)) for name, child in net.named_modules()} == before
    assert {name: parameter.data_ptr() for name, parameter in net.named_parameters()} == weights
