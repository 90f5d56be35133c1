"""Layer attribution: against one point at a time, Captum, and closed forms."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from builders import bind, draws, make_batch, normal
from layer_networks import (
    QUADRATURES,
    Smooth,
    bert,
    explained,
    parts,
    quiet_captum,
    same,
    smooth_network,
    three_references,
    three_rows,
)
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
from xaiexp.errors import ParameterError, Unsupported
from xaiexp.inference.passes import Passes

METHODS = [LayerActivation, LayerGradientXActivation, LayerConductance, LayerIntegratedGradients, InternalInfluence]
ON_PATHS = METHODS[2:]


smooth = pytest.fixture(smooth_network)
batch = pytest.fixture(three_rows)
reference = pytest.fixture(three_references)
captum = pytest.fixture(quiet_captum, scope="module")


@pytest.mark.parametrize("layer", ["stem", "inner"])
@pytest.mark.parametrize(
    ("method", "twin", "tolerance"),
    [
        (LayerConductance(n_steps=200), slow.conductance, 1e-4),
        (InternalInfluence(n_steps=20), slow.internal_influence, 2e-5),
        (LayerIntegratedGradients(n_steps=20), slow.layer_integrated_gradients, 2e-5),
    ],
    ids=lambda m: getattr(m, "name", ""),
)
def test_each_is_its_integral(smooth, batch, reference, method, twin, tolerance, layer):
    want = []
    for x, x0, target in zip(batch.inputs, reference, batch.targets.tolist(), strict=True):
        front, score = parts(smooth, target)[layer]
        want.append(twin(front, score, x, x0, 200))
    same(explained(replace(method, layer=layer), smooth, batch, reference), torch.stack(want), tolerance)


@pytest.mark.parametrize("layer", ["stem", "inner"])
def test_activation_and_gradient_times_activation(smooth, batch, layer):
    for i, (x, target) in enumerate(zip(batch.inputs, batch.targets.tolist(), strict=True)):
        front, score = parts(smooth, target)[layer]
        h = front(x).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(score(h, x), h)
        same(explained(LayerActivation(layer=layer), smooth, batch)[i], h)
        same(explained(LayerGradientXActivation(layer=layer), smooth, batch)[i], gradient * h)


def test_the_error_of_conductance_falls_with_the_square_of_the_steps(smooth, batch, reference):
    change = bind(smooth, batch).scores() - bind(smooth, batch).scores(reference)

    def missed(**parameters):
        return float(
            (explained(LayerConductance("stem", **parameters), smooth, batch, reference).sum(1) - change).abs().max()
        )

    coarse, fine = missed(n_steps=10), missed(n_steps=40)
    assert coarse / fine > 12
    assert missed(n_steps=40, method="riemann_trapezoid") > 5 * fine  # the gradient at the start of a step alone


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize("method", [LayerConductance("stem", 400), LayerIntegratedGradients("stem")])
def test_where_nothing_goes_round_the_layer_its_units_add_up_to_the_change(smooth, batch, reference, method, output):
    change = bind(smooth, batch, output=output).scores() - bind(smooth, batch, output=output).scores(reference)
    got = explained(method, smooth, batch, reference, output=output)
    same(got.sum(1), change, 1e-4)
    assert not method.complete  # because of the layers that something goes round:
    beside = explained(replace(method, layer="inner"), smooth, batch, reference, output=output).sum(1)
    assert float((beside - change).abs().max()) > 0.1 * float(change.abs().max())


@pytest.mark.parametrize("n_steps", [1, 2, 7])
def test_on_a_linear_network_every_number_is_known(n_steps):
    front, back = normal(4, 5, seed=3), normal(5, 3, seed=4)
    network = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3)).double()
    with torch.no_grad():
        network[0].weight.copy_(front.t())
        network[1].weight.copy_(back.t())
    x, x0 = normal(3, 4, seed=5), normal(3, 4, seed=6)
    batch = make_batch(x, torch.tensor([0, 2, 1]))
    weights, change = back[:, batch.targets].t(), (x - x0) @ front
    for layer in ("0", "auto"):  # auto: what the last linear layer reads
        same(explained(LayerConductance(layer, n_steps), network, batch, x0), weights * change)
        same(explained(LayerIntegratedGradients(layer, n_steps), network, batch, x0), weights * change)
        same(explained(InternalInfluence(layer, n_steps), network, batch, x0), weights)
        same(explained(LayerActivation(layer), network, batch), network[0](x))
        same(explained(LayerGradientXActivation(layer), network, batch), weights * network[0](x))
    scores = bind(network, batch)
    for method in (LayerConductance("0", n_steps), LayerIntegratedGradients("0", n_steps)):
        same(explained(method, network, batch, x0).sum(1), scores.scores() - scores.scores(x0))


def captums(captum, method, network, layer, batch, reference, context=()):
    """What Captum says: the first tensor, where a layer gives several."""
    x, options = batch.inputs, {"additional_forward_args": context or None}
    theirs = {
        LayerActivation: captum.attr.LayerActivation,
        LayerGradientXActivation: captum.attr.LayerGradientXActivation,
        LayerConductance: captum.attr.LayerConductance,
        LayerIntegratedGradients: captum.attr.LayerIntegratedGradients,
        InternalInfluence: captum.attr.InternalInfluence,
    }[type(method)](network, layer)
    if isinstance(method, LayerActivation):
        got = theirs.attribute(x, **options)
    elif isinstance(method, LayerGradientXActivation):
        got = theirs.attribute(x, target=batch.targets, **options)
    else:
        options |= {"n_steps": method.n_steps, "method": method.method}
        got = theirs.attribute(x, reference, target=batch.targets, **options)
    return got[0] if isinstance(got, tuple) else got


CHECKED = [
    LayerActivation(),
    LayerGradientXActivation(),
    *[method(n_steps=5, method=name) for method in ON_PATHS for name in QUADRATURES],
]
QUICK = [LayerActivation(), LayerGradientXActivation(), *[m(n_steps=3, method="gausslegendre") for m in ON_PATHS]]


@pytest.mark.filterwarnings("ignore::UserWarning")  # Captum announces its hooks by a warning
class TestCaptum:
    # Captum holds the weights of its steps in float32.
    def check(self, captum, methods, network, names, batch, reference, ours=None):
        for name in names:
            for method in methods:
                want = captums(captum, method, network, network.get_submodule(name), batch, reference)
                assert bool(want.any())
                same(explained(replace(method, layer=name), ours or network, batch, reference), want, 1e-6)

    @pytest.mark.parametrize("method", CHECKED, ids=repr)
    @pytest.mark.parametrize("layer", ["conv1", "relu1", "pool2", "fc1", "relu3", "fc2"])
    def test_captums_convolutions(self, captum, method, layer):
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
    def test_captums_layers_in_a_row(self, captum, layer, inplace):
        # Captum 0.9 raises where a layer whose values it replaces is followed by a change in place.
        theirs, ours = (captum.testing.helpers.basic_models.BasicModel_MultiLayer(way) for way in (False, inplace))
        batch = make_batch(normal(3, 3), torch.tensor([1, 0, 1]))
        reference = normal(3, 3, seed=3)
        self.check(captum, QUICK, theirs.double().eval(), [layer], batch, reference, ours.double().eval())

    @pytest.mark.parametrize(
        ("name", "shape", "layers"),
        [
            ("BasicLinearReLULinear", (5,), ["fc1", "relu1", "fc2"]),
            ("LinearMaxPoolLinearModel", (4,), ["lin1", "pool1", "lin2"]),
            ("BasicModel_ConvNet_MaxPool1d", (1, 10), ["conv1", "pool1", "relu2", "fc1"]),
            ("BasicModel_ConvNet_MaxPool3d", (1, 10, 10, 10), ["conv1", "pool2", "fc1"]),
        ],
    )
    def test_captums_other_toys(self, captum, name, shape, layers):
        torch.manual_seed(0)
        module = getattr(captum.testing.helpers.basic_models, name)
        network = (module(5) if name == "BasicLinearReLULinear" else module()).double().eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(0.3 * torch.randn_like(parameter))
        batch = make_batch(normal(2, *shape), 0, modality="table")
        self.check(captum, QUICK, network, layers, batch, normal(2, *shape, seed=3))

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
        self.check(captum, QUICK, network, layers, batch, normal(2, 3, 64, 64, seed=3))

    def test_lenet(self, captum, kit):
        network, x = lenet(kit)
        batch = make_batch(x, network(x).argmax(1))
        self.check(captum, QUICK, network, ["conv_1", "conv_2", "fc_1", "fc_2"], batch, torch.zeros_like(x))

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
            for method in QUICK:
                layer = network.get_submodule(name)
                try:
                    want = captums(captum, method, called, layer, batch, reference, (batch.context["attention_mask"],))
                except (AssertionError, AttributeError, RuntimeError, TypeError):
                    assert name.endswith("attention")  # Captum takes tuples of tensors alone, and here is a None
                    continue
                same(explained(replace(method, layer=name), network, batch, reference), want, 1e-6)


def test_the_first_tensor_of_a_tuple_and_of_a_mapping_counts():
    network, batch, reference = bert()
    seen = {}
    for name in ("model.bert.encoder.layer.0.attention", "model.bert.encoder", "model.bert"):
        network.get_submodule(name).register_forward_hook(lambda _m, _a, out, name=name: seen.update({name: out}))
    network(batch.inputs, **batch.context)
    for name, out in list(seen.items()):
        same(explained(LayerActivation(name), network, batch), out[0])
    # The encoder's output is that of its last block, and all goes through it.
    change = bind(network, batch).scores() - bind(network, batch).scores(reference)
    for name in ("model.bert.encoder", "model.bert.encoder.layer.1"):
        got = explained(LayerIntegratedGradients(name, 100), network, batch, reference)
        same(got.flatten(1).sum(1), change, 1e-6)
        same(got, explained(LayerIntegratedGradients("model.bert.encoder", 100), network, batch, reference))


@pytest.mark.parametrize(("arch", "layer"), [("resnet18", "layer4"), ("mobilenet_v2", "features.18.0")])
def test_conductance_and_layer_gradients_of_real_architectures_add_up(arch, layer):
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.get_model(arch, weights=None, num_classes=7).double().eval()
    batch, reference = make_batch(normal(1, 3, 32, 32), 3), torch.zeros(1, 3, 32, 32).double()
    change = bind(network, batch).scores() - bind(network, batch).scores(reference)
    for method in (LayerConductance(layer, 10), LayerIntegratedGradients(layer, 10)):
        got = explained(method, network, batch, reference).flatten(1).sum(1)
        same(got, change, 1e-3)


class Pieces(nn.Module):
    """What ``auto`` has to choose from."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.conv1, self.conv2, self.squeeze = nn.Conv1d(2, 3, 3), nn.Conv2d(2, 3, 3), nn.Conv2d(3, 4, 1)
        self.wide, self.narrow = nn.Linear(12, 6), nn.Linear(6, 3)

    def forward(self, x):
        if self.kind == "picture":
            x = self.squeeze(self.conv2(x).mean((2, 3), keepdim=True)).flatten(1)  # the last one gives 1 x 1
            return self.narrow(torch.cat([x, x[:, :2]], 1))
        if self.kind == "series":
            return self.narrow(torch.relu(self.wide(self.conv1(x).flatten(1))))
        return self.narrow(torch.relu(self.wide(x)))


@pytest.mark.parametrize(
    ("kind", "shape", "want"),
    [
        ("picture", (2, 6, 5), lambda net, x: net.conv2(x)),
        ("series", (2, 6), lambda net, x: net.conv1(x)),
        ("table", (12,), lambda net, x: torch.relu(net.wide(x))),
    ],
)
def test_auto_is_the_last_convolution_or_what_the_last_linear_layer_reads(kind, shape, want):
    torch.manual_seed(0)
    network, x = Pieces(kind).double().eval(), normal(3, *shape)
    batch = make_batch(x, torch.tensor([0, 1, 2]), modality=kind if kind != "picture" else "image")
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


def test_auto_of_texts_is_what_the_classifier_reads():
    network, batch, reference = bert()
    for method in METHODS:
        assert explained(method(), network, batch, reference).shape == (3, 8)
    seen = []
    network.model.classifier.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    network(batch.inputs, **batch.context)
    same(explained(LayerActivation(), network, batch), seen[0])


class Twice(nn.Module):
    """A layer that runs twice, with changes in place behind it."""

    def __init__(self, inplace):
        super().__init__()
        self.inplace, self.layer, self.head = inplace, nn.Linear(4, 4), nn.Linear(4, 3)

    def between(self, x):
        return self.layer(x).tanh_() if self.inplace else torch.tanh(self.layer(x))

    def behind(self, h):
        return self.head(h.sigmoid_() if self.inplace else torch.sigmoid(h))

    def forward(self, x):
        return self.behind(self.layer(self.between(x)))


@pytest.mark.parametrize("method", METHODS)
def test_of_a_layer_that_runs_twice_the_last_run_counts_and_nothing_in_place_disturbs_it(batch, reference, method):
    torch.manual_seed(0)
    plain, inplace = Twice(False).double(), Twice(True).double()
    inplace.load_state_dict(plain.state_dict())
    chain = nn.Sequential(plain.layer, nn.Tanh(), nn.Linear(4, 4), nn.Sigmoid(), plain.head).double()
    chain[2].load_state_dict(plain.layer.state_dict())
    want = explained(method(layer="2"), chain, batch, reference)
    for network in (plain, inplace):
        same(explained(method(layer="layer"), network, batch, reference), want)


@pytest.mark.parametrize("method", METHODS)
def test_an_example_is_explained_alike_for_every_budget_and_company(smooth, batch, reference, method):
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
def test_the_cost_is_what_is_counted(smooth, batch, reference, method, cost, budget):
    handle = bind(smooth, batch, budget=budget)
    method.attribute(handle, batch, reference, draws(batch))
    assert Cost(handle.counter.forward, handle.counter.backward) == cost * 3
    assert method.passes(batch.shape, 4) == cost


@pytest.mark.parametrize("method", METHODS)
def test_memory_that_runs_out_is_met_with_smaller_passes(smooth, batch, reference, method):
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


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_left_behind_even_after_errors(smooth, batch, reference, method):
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


def test_a_replaced_layer_that_raises_leaves_no_hook(smooth, batch, reference):
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
def test_frozen_parameters_and_layers_beside_the_input_are_no_obstacle(smooth, batch, reference, method):
    want = explained(method(layer="stem"), smooth, batch, reference)
    for parameter in smooth.parameters():
        parameter.requires_grad_(False)
    same(explained(method(layer="stem"), smooth, batch, reference), want)


def test_a_layer_that_does_not_depend_on_the_input_has_its_gradient_and_no_conductance(batch, reference):
    class Beside(nn.Module):
        def __init__(self):
            super().__init__()
            self.place, self.head = nn.Embedding(4, 4), nn.Linear(4, 3)

        def forward(self, x):
            return self.head(x + 2 * self.place(torch.arange(4).expand(len(x), 4)).sum(1))

    torch.manual_seed(0)
    network = Beside().double()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    weights = 2 * network.head.weight[batch.targets].unsqueeze(1).expand(-1, 4, -1)
    values = network.place.weight.expand(3, 4, 4)
    same(explained(LayerGradientXActivation("place"), network, batch), weights * values)
    same(explained(InternalInfluence("place"), network, batch, reference), weights)
    assert not explained(LayerConductance("place"), network, batch, reference).any()
    assert not explained(LayerIntegratedGradients("place"), network, batch, reference).any()


def test_a_layer_whose_output_nobody_reads_has_no_part(batch, reference):
    class Idle(Smooth):
        def forward(self, x):
            self.inner(torch.tanh(self.stem(x)))
            return self.head(torch.tanh(self.stem(x)))

    network = Idle().double()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for method in METHODS[1:]:
        assert not explained(method(layer="inner"), network, batch, reference).any()


@pytest.mark.parametrize("method", [LayerIntegratedGradients, InternalInfluence])
def test_a_trapezoid_of_one_step_is_refused(method):
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
def test_half_precision_is_near(kit, method, tolerance, precision):
    assert precision in method.precisions
    network, x = lenet(kit, count=8)
    network, x = network.float(), x.float()
    batch, reference = make_batch(x, network(x).argmax(1)), torch.zeros_like(x)
    want = explained(method, network, batch, reference)
    handle = Passes(network, precision=precision).bind(batch)
    got = method.attribute(handle, batch, reference if method.reads_baseline else None, draws(batch))
    assert got.dtype == torch.float32
    apart = float((got - want).norm() / want.norm())
    assert 0 < apart < tolerance
    assert isinstance(network, LeNet)
