from __future__ import annotations

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch
from builders import bind, draws, explain, make_batch, pixel_map
from metric_batches import images, normal, texts
from reference import randomisation_loops
from skimage.metrics import structural_similarity
from torch import nn

from xaiexp.builtin.methods.controls.model_free import Random
from xaiexp.builtin.methods.gradient.saliency import InputXGradient, Saliency
from xaiexp.builtin.metrics.randomisation import map_similarity, random_parameters, randomisation_formulas
from xaiexp.builtin.metrics.randomisation.randomisation import ParameterRandomisation, RandomLogit
from xaiexp.core.draws import Draws
from xaiexp.engine import explainer

ORDERS = ["top_down", "bottom_up", "independent"]


class Layers(nn.Module):
    """Three logits of an image; layers run in another order than defined, some parameters cannot be randomised."""

    def __init__(self, elements=24):
        super().__init__()
        self.last = nn.Linear(4, 3)
        self.unused = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.ones(elements))
        self.first = nn.Linear(elements, 6)
        self.normal = nn.BatchNorm1d(6)
        self.middle = nn.Linear(6, 4)
        with torch.no_grad():
            for k, layer in enumerate((self.last, self.first, self.middle)):
                layer.weight.copy_(normal(*layer.weight.shape, seed=k))
                layer.bias.copy_(normal(*layer.bias.shape, seed=k + 9))
        self.double().eval().requires_grad_(False)

    def forward(self, x):
        x = self.first(x.flatten(1) * self.scale)
        return self.last(self.middle(self.normal(x).tanh()).tanh())


class Embedded(nn.Module):
    """Logits of a text, summed over tokens."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 5), nn.Linear(5, 3)
        with torch.no_grad():
            for k, parameter in enumerate(self.parameters()):
                parameter.copy_(normal(*parameter.shape, seed=k))
        self.double().eval()

    def forward(self, x):
        return self.last(self.first(x).tanh()).sum(1)


def explain_with(method, batch, module):
    handle, rng = bind(module, batch), draws(batch)
    elements = explainer.attributed(method, handle, None, rng)
    return explainer.rebound(explain(batch, elements, signed=method.signed), method, handle, rng)


def score_all(metric, module, batch, methods, budget=None):
    handle = bind(module, batch, budget=budget)
    given = [explain_with(method, batch, module) for method in methods]
    handle.scores()
    before = handle.counter.forward
    values = metric.score_all(handle, batch, given, draws(batch))
    return values, handle.counter.forward - before


def randomised_network(module, batch, names):
    """A copy with the named parameters randomised by the reference implementation."""
    network = copy.deepcopy(module)
    for name in names:
        parameter = network.get_parameter(name)
        numbers = Draws(0, (name,)).normal("parameter", tuple(parameter.shape))[0].flatten().tolist()
        new = randomisation_loops.randomised(parameter.flatten().tolist(), numbers)
        with torch.no_grad():
            parameter.copy_(torch.tensor(new, dtype=torch.float64).view_as(parameter))
    return network


def input_x_gradient(module, x, target):
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(module(x[None])[0, target], x)
    return (slope * x).detach()


RUN = [["first.weight", "first.bias"], ["middle.weight", "middle.bias"], ["last.weight", "last.bias"]]


# Randomised networks


def test_layers_are_in_run_order_without_constant_parameters():
    batch, module = images(), Layers()
    layers = random_parameters.layers_in_run_order(bind(module, batch), module)
    # The unused layer belongs to the enclosing network, which starts first; constants (scale, normal) are left out.
    assert [[name for name, _ in layer.parameters] for layer in layers] == [["unused.weight", "unused.bias"], *RUN]
    assert [layer.name for layer in layers] == ["", "first", "middle", "last"]
    assert not any(part._forward_pre_hooks for part in module.modules())


def test_parameters_of_a_module_that_is_never_called_belong_to_the_enclosing_one():
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.attention(x, x, x)[0].mean(1))

    batch = make_batch(torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)))
    module = Attending().eval()
    layers = random_parameters.layers_in_run_order(bind(module, batch), module)
    assert [layer.name for layer in layers] == ["attention", "head"]
    # The biases of attention are initialised with zeros.
    assert [n for n, _ in layers[0].parameters] == ["attention.in_proj_weight", "attention.out_proj.weight"]


def test_a_layer_that_runs_twice_has_the_position_of_its_last_run():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.a(self.b(self.a(x)))

    batch, module = make_batch(torch.ones(2, 4)), Twice()
    assert [layer.name for layer in random_parameters.layers_in_run_order(bind(module, batch), module)] == ["b", "a"]


def test_randomised_parameters_are_normal_and_depend_on_seed_and_name():
    module = nn.Linear(200, 200).requires_grad_(False)
    module.weight.mul_(0.3).add_(2)
    layer = random_parameters.Layer("", (("weight", module.weight), ("bias", module.bias)))
    before = {name: p.clone() for name, p in module.named_parameters()}
    random_parameters.randomise([layer], Draws(0, ("a", "b")))
    for name, parameter in module.named_parameters():
        numbers = (parameter - before[name].mean()) / before[name].std(correction=0)
        assert scipy.stats.kstest(numbers.flatten().numpy(), "norm").pvalue > 1e-3
        assert float(torch.corrcoef(torch.stack([parameter, before[name]]).flatten(1))[0, 1].abs()) < 0.2
    once = module.weight.clone()
    for rng, same in ((Draws(0, ("c",)), True), (Draws(1, ("a", "b")), False)):
        module.load_state_dict(before)
        random_parameters.randomise([layer], rng)
        assert torch.equal(module.weight, once) is same


# Parameter randomisation


@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("of", ["magnitudes", "values"])
@pytest.mark.parametrize("order", ORDERS)
def test_parameter_randomisation_matches_its_definition(order, of, average):
    batch, module = images(), Layers()
    metric = ParameterRandomisation(order=order, stages=9, of=of, average=average)
    values, made = score_all(metric, module, batch, [InputXGradient()])
    assert made == len(batch)
    run = [["unused.weight", "unused.bias"], *RUN]
    if order != "bottom_up":
        run = run[::-1]
    cumulative = [[name for layer in run[: k + 1] for name in layer] for k in range(4)]
    stages = run if order == "independent" else cumulative
    networks = [randomised_network(module, batch, names) for names in stages]

    def read(values):
        return [abs(v) if of == "magnitudes" else v for v in values.sum(0).flatten().tolist()]

    for n, t in enumerate(batch.targets.tolist()):
        original = read(input_x_gradient(module, batch.inputs[n], t))
        similarities = [
            randomisation_loops.spearman(original, read(input_x_gradient(m, batch.inputs[n], t))) for m in networks
        ]
        assert float(values[0, n]) == pytest.approx(sum(similarities) / 4 if average else similarities[-1])


def test_stages_are_evenly_spaced_and_end_with_all_layers():
    batch, module = images(), Layers()
    changed_layers = []

    def explain_network(network):
        changed = [n for n, p in network.named_parameters() if not torch.equal(p, module.get_parameter(n))]
        changed_layers.append({name.partition(".")[0] for name in changed})
        return batch.inputs

    given = [explain(batch, batch.inputs, explain_network=explain_network)]
    for order, stages in (("top_down", 2), ("bottom_up", 1), ("independent", 2)):
        metric = ParameterRandomisation(order=order, stages=stages)
        metric.score_all(bind(module, batch), batch, given, draws(batch))
    everything = {"unused", "first", "middle", "last"}
    assert changed_layers == [{"middle", "last"}, everything, everything, {"middle"}, {"unused"}]


@pytest.mark.parametrize("metric", [*(ParameterRandomisation(order=o) for o in ORDERS), RandomLogit()], ids=repr)
@pytest.mark.parametrize("make", [images, texts])
def test_values_do_not_depend_on_batch_size_other_examples_or_other_explanations(metric, make):
    batch, module = make(), Layers() if make is images else Embedded()
    methods = [InputXGradient(), Saliency(absolute=False)]
    joint, _ = score_all(metric, module, batch, methods)
    assert not joint[:, :2].isnan().any()
    assert joint[:, 2].isnan().all() == (make is texts)  # a text without tokens
    torch.testing.assert_close(score_all(metric, module, batch, methods, 2)[0], joint, equal_nan=True)
    torch.testing.assert_close(score_all(metric, module, batch, methods[1:])[0], joint[1:], equal_nan=True)
    for row in range(len(batch)):
        part = replace(
            batch,
            ids=batch.ids[row : row + 1],
            inputs=batch.inputs[row : row + 1],
            targets=batch.targets[row : row + 1],
            features=batch.features.rows(torch.tensor([row])),
        )
        got, _ = score_all(metric, module, part, methods)
        torch.testing.assert_close(got[:, 0], joint[:, row], equal_nan=True)


@pytest.mark.parametrize("metric", [*(ParameterRandomisation(order=o) for o in ORDERS), RandomLogit()], ids=repr)
def test_a_model_free_method_does_not_change_and_gradients_do(metric):
    batch, module = images(6), Layers()
    values, _ = score_all(metric, module, batch, [Random(), InputXGradient()])
    torch.testing.assert_close(values[0], torch.ones(6, dtype=torch.float64))
    assert float(values[1].mean()) < 0.8


@pytest.mark.parametrize("order", [*ORDERS, "efficient"])
def test_the_study_network_is_unchanged_and_one_copy_serves_all_explanations(order):
    batch, module = images(), Layers()
    before = copy.deepcopy(module.state_dict())
    networks = []

    def explain_network(network):
        networks.append(network)
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
        return batch.inputs * float(network.last.weight.sum())

    given = [explain(batch, batch.inputs, explain_network=explain_network) for _ in range(3)]
    ParameterRandomisation(order=order).score_all(bind(module, batch), batch, given, draws(batch))
    assert len({id(network) for network in networks}) == 1
    assert networks[0] is not module
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_explanations_without_a_method_and_constant_maps_have_the_value_nan():
    batch, module = images(), Layers()
    maps = {"first": batch.inputs, "flat": torch.ones_like(batch.inputs)}
    given = [
        explain(batch, batch.inputs),
        explain(batch, maps["flat"], explain_network=lambda _: batch.inputs, explain_targets=lambda _: batch.inputs),
        explain(batch, batch.inputs, explain_network=lambda _: maps["flat"], explain_targets=lambda _: maps["flat"]),
    ]
    for metric in (ParameterRandomisation(), RandomLogit()):
        assert metric.score_all(bind(module, batch), batch, given, draws(batch)).isnan().all()


def test_a_stage_at_which_a_map_is_constant_is_excluded_from_the_mean():
    batch, module = images(), Layers()
    answers = iter([torch.ones_like(batch.inputs), batch.inputs, -batch.inputs, batch.inputs])
    given = [explain(batch, batch.inputs, explain_network=lambda _: next(answers))]
    metric = ParameterRandomisation(stages=9, of="values")
    values = metric.score_all(bind(module, batch), batch, given, draws(batch))
    torch.testing.assert_close(values[0], torch.full((3,), 1 / 3, dtype=torch.float64))


# Efficient MPRT


def test_the_rise_of_the_entropy_matches_its_definition():
    batch, module = images(), Layers()
    metric = ParameterRandomisation(order="efficient", bins=5, of="values")
    values, _ = score_all(metric, module, batch, [InputXGradient()])
    randomised = randomised_network(
        module, batch, [name for layer in [["unused.weight", "unused.bias"], *RUN] for name in layer]
    )
    for n, t in enumerate(batch.targets.tolist()):
        maps = [input_x_gradient(m, batch.inputs[n], t).sum(0).flatten().tolist() for m in (module, randomised)]
        before, after = (randomisation_loops.histogram_entropy(phi, 5) for phi in maps)
        assert float(values[0, n]) == pytest.approx((after - before) / before)


def test_the_entropy_of_a_histogram_equals_numpy_and_scipy():
    values = normal(5, 200)
    values[1] = 3.0
    values[2, 4] = math.nan
    valid = torch.ones(5, 200, dtype=torch.bool)
    valid[3, 50:] = False
    got = randomisation_formulas.histogram_entropy(values, valid, 20)
    for n in (0, 1, 3, 4):
        counts, _ = np.histogram(values[n][valid[n]].numpy(), bins=20)
        assert float(got[n]) == pytest.approx(scipy.stats.entropy(counts), abs=1e-12)
    assert got[2].isnan()


def test_efficient_mprt_declares_other_facts():
    plain, efficient = ParameterRandomisation(), ParameterRandomisation(order="efficient")
    assert (plain.higher_is_better, plain.bounds) == (False, (-1.0, 1.0))
    assert (efficient.higher_is_better, efficient.bounds) == (True, (-1.0, None))
    assert ParameterRandomisation(similarity="ssim").modalities == ("image",)
    assert len(ParameterRandomisation().modalities) == 4


# Another class


def test_random_logit_matches_its_definition():
    batch, module = images(6), Layers()
    values, made = score_all(RandomLogit(), module, batch, [InputXGradient()])
    assert made == 0
    other = randomisation_formulas.random_other_class(batch.targets, 3, draws(batch))
    for n, t in enumerate(batch.targets.tolist()):
        maps = [input_x_gradient(module, batch.inputs[n], c).sum(0).flatten().tolist() for c in (t, int(other[n]))]
        assert float(values[0, n]) == pytest.approx(randomisation_loops.spearman(*maps))


def test_every_other_class_is_equally_likely_and_never_the_target():
    ids = tuple(str(i) for i in range(6000))
    targets = torch.arange(6000) % 4
    other = randomisation_formulas.random_other_class(targets, 4, Draws(0, ids))
    steps = (other - targets) % 4
    assert [int((steps == k).sum()) for k in range(4)] == [0, *[pytest.approx(2000, abs=4 * 37)] * 3]


def test_random_logit_of_a_single_class_is_nan():
    batch = images()
    given = [explain(batch, batch.inputs, explain_targets=lambda _: batch.inputs)]
    module = lambda x: x.flatten(1).sum(1, keepdim=True)  # noqa: E731
    assert RandomLogit().score_all(bind(module, batch), batch, given, draws(batch)).isnan().all()


# Similarity


@pytest.mark.parametrize("of", ["magnitudes", "values"])
def test_the_rank_correlation_matches_its_definition_and_scipy(of):
    a, b = normal(6, 15).mul(2).round(), normal(6, 15, seed=1).mul(2).round()
    a[4] = 1.0
    b[5, 3] = math.nan
    valid = torch.ones(6, 15, dtype=torch.bool)
    valid[2, 9:] = False
    features = make_batch(a).features
    got = map_similarity.spearman(*((x.abs() if of == "magnitudes" else x) for x in (a, b)), valid)
    for n in range(4):
        pair = [(x.abs() if of == "magnitudes" else x)[n][valid[n]].tolist() for x in (a, b)]
        assert float(got[n]) == pytest.approx(randomisation_loops.spearman(*pair))
        assert float(got[n]) == pytest.approx(scipy.stats.spearmanr(*pair).statistic)
    assert got[4:].isnan().all()
    whole = map_similarity.map_similarity(a, b, features, "spearman", of)
    torch.testing.assert_close(whole[[0, 1, 3]], got[[0, 1, 3]])


@pytest.mark.parametrize(("side", "window"), [((9, 12), 7), ((5, 8), 5), ((4, 4), 3)])
@pytest.mark.parametrize("of", ["magnitudes", "values"])
def test_structural_similarity_equals_scikit_image(side, window, of):
    a, b = normal(4, *side), normal(4, *side, seed=1)
    b[1] = a[1] + b[1] / 5
    a[3] = 0
    features = pixel_map((1, *side))
    got = map_similarity.map_similarity(a.flatten(1), b.flatten(1), features, "ssim", of)
    for n in range(3):
        x, y = ((m[n].abs() if of == "magnitudes" else m[n]).numpy() for m in (a, b))
        reach = 1 if of == "magnitudes" else 2
        want = structural_similarity(x / abs(x).max(), y / abs(y).max(), win_size=window, data_range=reach)
        assert float(got[n]) == pytest.approx(want, abs=1e-12)
    assert got[3].isnan()


def test_structural_similarity_of_small_images_and_other_features_is_nan():
    for shape in ((2, 8), (12,), (2, 3, 4)):
        size = math.prod(shape)
        features = replace(make_batch(normal(2, size)).features, shape=shape)
        a = normal(2, size)
        assert map_similarity.map_similarity(a, a, features, "ssim", "values").isnan().all()
