"""Properties of every built-in method."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from builders import bind, draws, make_batch
from method_cases import CLASSES, METHODS, ImageNetwork, TextNetwork, image, table, text
from torch import nn

from xaiexp.core.batches import Background
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import ParameterError, Unsupported


def networks():
    torch.manual_seed(0)
    return {
        image: ImageNetwork().eval(),
        table: nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Linear(8, 3)).eval(),
        text: TextNetwork().eval(),
    }


NETWORKS = networks()
MODALITIES = pytest.mark.parametrize("make", [image, table, text], ids=lambda m: m.__name__)


def supports(method, batch):
    if batch.background.modality not in method.modalities:
        pytest.skip(f"{method.name} does not support {batch.background.modality}")
    if method.name == "exact_shapley" and batch.features.d > 16:
        pytest.skip("too many features for exact_shapley")
    if method.name in ("guided_backprop", "deconvolution") and batch.background.modality == "table":
        pytest.skip(f"{method.name} has no rule for the GELU of this network")


def attribute(method, network, batch, reference, budget=None, **options):
    handle = bind(network, batch, budget=budget, **options)
    if not method.reads_baseline:
        reference = None
    elif method.reads_distribution:
        reference = torch.stack((reference, 0.5 * reference + 0.5 * batch.inputs), dim=1)
    got = method.attribute(handle, batch, reference, draws(batch))
    return got.values if isinstance(got, Estimate) else got, handle.counter


def selection(batch, reference, rows):
    """A selection of the examples."""
    rows = torch.tensor(rows)
    return replace(
        batch,
        ids=tuple(batch.ids[i] for i in rows),
        inputs=batch.inputs[rows],
        targets=batch.targets[rows],
        features=batch.features.rows(rows),
        context={k: v[rows] for k, v in batch.context.items()},
    ), reference[rows]


def close(got, want, rtol=1e-5):
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol * float(want.abs().max()))


@MODALITIES
@pytest.mark.parametrize("method", METHODS)
def test_attributions_do_not_depend_on_other_examples_or_the_batch_budget(method, make):
    batch, reference = make()
    supports(method, batch)
    network = NETWORKS[make]
    want, _ = attribute(method, network, batch, reference)
    assert want.shape == batch.inputs.shape or (method.space == "layer" and len(want) == len(batch))
    assert want.dtype == batch.inputs.dtype
    assert not want.requires_grad
    assert bool(want.isfinite().all())
    for budget in (1, 3):
        close(attribute(method, network, *selection(batch, reference, [2, 0]), budget=budget)[0], want[[2, 0]])
    for rows in ([0], [2], [4, 1, 2], [5, 2]):
        close(attribute(method, network, *selection(batch, reference, rows), budget=1000)[0], want[rows])


@MODALITIES
@pytest.mark.parametrize("method", METHODS)
def test_counted_passes_equal_the_declared_cost(method, make):
    batch, reference = make()
    supports(method, batch)
    _, counter = attribute(method, NETWORKS[make], batch, reference)
    counts = batch.features.counts.expand(len(batch)).tolist()
    costs = [method.passes(batch.shape, d) for d in counts]
    if method.name == "deep_lift_shap":  # two references
        costs = [Cost(2, 1) * 2 for _ in counts]
    if method.name == "score_cam":  # one pass for the activations and one for each of the four channels
        assert costs == [None] * len(batch)
        costs = [Cost(1 + 4) for _ in counts]
    if None in costs:  # for a text, one window for each token
        assert (method.name, make) == ("occlusion", text)
        costs = [Cost(1 + d) for d in counts]
    assert counter.forward == sum(c.forward for c in costs)
    assert counter.backward == sum(c.backward for c in costs)


@MODALITIES
@pytest.mark.parametrize("method", METHODS)
def test_inputs_network_and_random_state_are_unchanged(method, make):
    batch, reference = make()
    supports(method, batch)
    network = NETWORKS[make]
    before = [t.clone() for t in (batch.inputs, batch.targets, reference, *network.state_dict().values())]
    needing = [p.requires_grad for p in network.parameters()]
    state = torch.get_rng_state()
    attribute(method, network, batch, reference)
    after = [batch.inputs, batch.targets, reference, *network.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert torch.equal(state, torch.get_rng_state())
    assert needing == [p.requires_grad for p in network.parameters()]
    assert all(p.grad is None for p in network.parameters())
    assert not batch.inputs.requires_grad
    assert not reference.requires_grad
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in network.modules())


@pytest.mark.parametrize("method", METHODS)
def test_network_is_unchanged_after_errors(method):
    batch, reference = image()
    network = ImageNetwork().eval()
    network.head = nn.Linear(3, 5)
    if method.name in ("random", "sobel", "input_magnitude"):
        return
    supports(method, batch)
    with pytest.raises(RuntimeError, match="shapes"):
        attribute(method, network, batch, reference)
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in network.modules())
    assert torch.overrides._get_current_function_mode() is None
    assert not batch.inputs.requires_grad


@MODALITIES
@pytest.mark.parametrize("method", METHODS)
def test_contributions_of_elements_of_no_feature_are_zero(method, make):
    batch, reference = make()
    supports(method, batch)
    if not method.reads_baseline or method.space == "layer":
        return
    got, _ = attribute(method, NETWORKS[make], batch, reference)
    assert float((got * ~batch.features.inside).abs().max()) == 0.0


@MODALITIES
@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize(
    "method",
    [m for m in METHODS if m.values[0].space == "input" and (m.values[0].complete or m.values[0].name == "guided_ig")],
)
def test_complete_methods_sum_to_the_change_of_the_score(method, output, make):
    batch, reference = make()
    supports(method, batch)
    batch = replace(batch, inputs=batch.inputs.double(), context={k: v.double() for k, v in batch.context.items()})
    network = networks()[make].double()
    if method.name == "integrated_gradients":
        method = replace(method, n_steps=400)
    if method.name == "guided_ig":
        method = replace(method, n_steps=400, max_dist=0.0025)
    got, _ = attribute(method, network, batch, reference.double(), output=output)
    assert got.dtype == torch.float64
    handle = bind(network, batch, output=output)
    absent = handle.scores(reference.double())
    if method.reads_distribution:
        absent = (absent + handle.scores(0.5 * reference.double() + 0.5 * batch.inputs)) / 2
    # The score has kinks along the paths, so the quadrature is not exact.
    tolerance = 2e-2 if method.name in ("integrated_gradients", "guided_ig") else 1e-9
    close(batch.features.pool(got).sum(1), handle.scores() - absent, tolerance)


@pytest.mark.parametrize("method", METHODS)
def test_float64_is_kept_and_agrees_with_float32(method):
    batch, reference = table()
    supports(method, batch)
    single, _ = attribute(method, NETWORKS[table], batch, reference)
    network = networks()[table].double()
    double, _ = attribute(method, network, replace(batch, inputs=batch.inputs.double()), reference.double())
    assert double.dtype == torch.float64
    close(single.double(), double, 2e-4)


CONTRIBUTIONS = [
    "integrated_gradients",
    "expected_gradients",
    "gradient_shap",
    "guided_ig",
    "deep_lift",
    "deep_lift_shap",
    "occlusion",
    "feature_ablation",
    "kernel_shap",
    "lime",
    "shapley_sampling",
    "permutation_shap",
    "exact_shapley",
]


@pytest.mark.parametrize("d", [1, 2, 5, 13])
@pytest.mark.parametrize("name", CONTRIBUTIONS)
def test_contributions_of_a_linear_model_closed_form(name, d):
    generator = torch.Generator().manual_seed(d)
    weight = torch.randn(d, 3, generator=generator, dtype=torch.float64)
    x, x0 = torch.randn(2, 4, d, generator=generator, dtype=torch.float64)
    batch = make_batch(x, torch.tensor([0, 1, 2, 1]))
    method, handle = CLASSES[name](), bind(lambda v: v @ weight + 2.0, batch)
    got = method.attribute(handle, batch, x0[:, None] if method.reads_distribution else x0, draws(batch))
    if isinstance(got, Estimate):  # all samples are equal
        assert float(got.standard_error.abs().max()) < 1e-9
        got = got.values
    close(got, weight.t()[batch.targets] * (x - x0), 1e-9)


@pytest.mark.parametrize("name", ["kernel_shap", "lime"])
def test_random_coalitions_recover_a_linear_model(name):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(40, 2, generator=generator, dtype=torch.float64)
    x, x0 = torch.randn(2, 3, 40, generator=generator, dtype=torch.float64)
    batch = make_batch(x, 1)
    got, counter = attribute(CLASSES[name](n_samples=300), lambda v: v @ weight, batch, x0)
    assert counter.forward == 3 * 302
    close(got, weight[:, 1] * (x - x0), 1e-9)


def test_random_depends_only_on_example_and_feature():
    batch, _ = image()
    got = batch.features.pool(attribute(CLASSES["random"](), NETWORKS[image], batch, None)[0])
    torch.testing.assert_close(got, draws(batch).normal("values", (25,)))


@pytest.mark.parametrize("name", ["kernel_shap", "lime"])
def test_too_many_features_or_too_few_samples_raise(name):
    x = torch.zeros(2, 2100)
    batch = make_batch(x)
    with pytest.raises(Unsupported, match=r"2100 features are too many .*features=grid"):
        attribute(CLASSES[name](), lambda v: v.sum(1), batch, x)
    batch = make_batch(x[:, :50])
    with pytest.raises(
        Unsupported, match=r"no unique solution for 50 features from 40 samples: raise n_samples \(null is 2148\)"
    ):
        attribute(CLASSES[name](n_samples=41), lambda v: v.sum(1), batch, x[:, :50])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sliding_window_shapes": (3,)}, r"sliding_window_shapes must give 3 numbers of at least 1 .* not \[3\]"),
        ({"sliding_window_shapes": (2, 7, 7)}, "does not cover inputs"),
        ({"sliding_window_shapes": (2, 2, 2), "strides": (2, 3, 3)}, "does not cover inputs"),
        ({"strides": 0}, r"strides must give 3 numbers of at least 1 .* not \[0, 0, 0\]"),
    ],
)
def test_windows_that_do_not_match_the_input_raise(parameters, message):
    batch, reference = image()
    with pytest.raises(Unsupported, match=message):
        attribute(CLASSES["occlusion"](**parameters), NETWORKS[image], batch, reference)


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        ("conv_2", ParameterError, r"no submodule of this name \(got 'conv_2'\)\n  nearest: conv2, conv1"),
        ("head", Unsupported, r"layer 'head' returns \[8, 5\], which is neither a spatial map"),
        ("unused", Unsupported, "layer 'unused' does not run"),
    ],
)
def test_layers_without_spatial_activations_raise(layer, error, message):
    network = ImageNetwork().eval()
    network.unused = nn.Conv2d(2, 2, 1)
    batch, _ = image()
    with pytest.raises(error, match=message):
        attribute(CLASSES["grad_cam"](layer=layer), network, batch, None)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(50, 5))
    with pytest.raises(Unsupported, match=r"no nn.Conv2d of the network runs"):
        attribute(CLASSES["grad_cam"](), flat, batch, None)


def test_smooth_grad_without_a_data_range_raises():
    batch, _ = table()
    batch = replace(batch, background=Background("table"))
    for name in ("smooth_grad", "smooth_grad_squared", "var_grad"):
        with pytest.raises(Unsupported, match=f"{name} needs the range of the data"):
            attribute(CLASSES[name](), NETWORKS[table], batch, None)


def test_trapezoidal_rule_with_one_step_raises():
    with pytest.raises(ParameterError, match="must be at least 2 for riemann_trapezoid"):
        CLASSES["integrated_gradients"](n_steps=1, method="riemann_trapezoid")


def test_facts_depend_on_the_parameters():
    assert not CLASSES["saliency"]().signed
    assert CLASSES["saliency"](absolute=False).signed
    assert CLASSES["grad_cam"]().signed
    assert not CLASSES["grad_cam"](relu_attributions=True).signed


@pytest.mark.parametrize("method", METHODS)
def test_unsigned_methods_have_no_negative_attributions(method):
    batch, reference = image()
    if not method.signed and method.space == "input":
        assert float(attribute(method, NETWORKS[image], batch, reference)[0].min()) >= 0.0


def test_importing_the_methods_imports_no_torch():
    code = "import sys, xaiexp.builtin.methods; print([m for m in ('torch', 'numpy', 'captum') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_features_of_several_elements_are_removed_jointly():
    batch, reference = image()
    halves = FeatureMap.from_index((torch.arange(25).view(1, 1, 5, 5) // 13).expand(1, 2, 5, 5))
    batch = replace(batch, features=halves)
    for name in ("feature_ablation", "kernel_shap"):
        got, counter = attribute(CLASSES[name](), NETWORKS[image], batch, reference)
        handle = bind(NETWORKS[image], batch)
        without = [torch.where(halves.index == j, reference, batch.inputs) for j in range(2)]
        one, two = (handle.scores() - handle.scores(x) for x in without)
        if name == "kernel_shap":  # the mean over the two orders
            both = handle.scores() - handle.scores(reference)
            one, two = (one + both - two) / 2, (two + both - one) / 2
        close(halves.pool(got), torch.stack((one, two), 1), 1e-4)
        assert counter.forward == 8 * (3 if name == "feature_ablation" else 4)
