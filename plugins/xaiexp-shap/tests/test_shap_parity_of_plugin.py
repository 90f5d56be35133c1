"""Components, compared with direct calls of shap on the same network, and with exact Shapley values, in float64."""

from __future__ import annotations

import contextlib
import random

import pytest

pytest.importorskip("xaiexp_shap", reason="the distribution xaiexp-shap is not installed")

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.distance import pdist, squareform
from torch import nn
from xaiexp_shap.calls import library
from xaiexp_shap.hierarchy import hierarchy
from xaiexp_shap.modules import deep_values

import xaiexp
from xaiexp.plugin import Background, Batch, Draws, FeatureMap, ParameterError, Unsupported

shap = library()
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

N, R, TARGET, COLUMNS = 3, 4, 1, 6


@pytest.fixture(scope="module")
def table():
    """A network of columns, inputs, references and a pool; two references share a value with the first input."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = nn.Sequential(nn.Linear(COLUMNS, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)).double()
        x, references, pool = torch.randn(N, COLUMNS), torch.randn(R, COLUMNS), torch.randn(20, COLUMNS)
    references[:, 2] = x[0, 2]
    references[1, 4] = x[1, 4]
    return net.eval(), x.double(), references.double(), pool.double()


class Net(nn.Module):
    """A convolutional network with modules inside of a class of its own."""

    def __init__(self, pool) -> None:
        super().__init__()
        self.conv, self.relu, self.pool = nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(inplace=True), pool
        self.hidden, self.relu2, self.head = nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.relu2(self.hidden(self.pool(self.relu(self.conv(x))).flatten(1))))


@pytest.fixture(scope="module")
def images():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = Net(nn.AvgPool2d(2)).double().eval()
        x, references = torch.randn(N, 2, 4, 4).double(), torch.randn(R, 2, 4, 4).double()
    return net, x, references


TILES = (torch.arange(4).view(4, 1) // 2 * 2 + torch.arange(4) // 2).expand(2, 4, 4).contiguous()


def close(got, want, rtol=1e-9):
    want = torch.as_tensor(want)
    assert bool(want.any())
    torch.testing.assert_close(got, want.to(got), rtol=rtol, atol=rtol * float(want.abs().max()))


def ours(case, name, **parameters):
    net, x, references = case[:3]
    given = {"background": case[3]} if len(case) > 3 else {}
    return xaiexp.attribute(
        net, x, f"shap_{name}", target=TARGET, baseline=references.unsqueeze(0), **given, **parameters
    )


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


def function(net):
    def scores(rows):
        with torch.no_grad():
            return net(torch.from_numpy(np.asarray(rows)))[:, TARGET].numpy()

    return scores


def drawn():
    return int(np.random.randint(2**31))  # noqa: NPY002


# The values of an example by a direct call: the function, the background and the example as arrays.
DIRECT = {
    "exact": (lambda f, b, x, _tree: shap.ExactExplainer(f, shap.maskers.Independent(b))(x, silent=True).values, {}),
    "kernel": (lambda f, b, x, _tree: shap.KernelExplainer(f, b).shap_values(x, silent=True), {}),
    "kernel, sampled": (
        lambda f, b, x, _tree: shap.KernelExplainer(f, b).shap_values(x, nsamples=20, l1_reg=0, silent=True),
        {"nsamples": 20, "l1_reg": 0},
    ),
    "kernel, few features": (
        lambda f, b, x, _tree: shap.KernelExplainer(f, b).shap_values(x, l1_reg="num_features(2)", silent=True),
        {"l1_reg": "num_features(2)"},
    ),
    "kernel, aic": (
        lambda f, b, x, _tree: shap.KernelExplainer(f, b).shap_values(x, l1_reg="aic", silent=True),
        {"l1_reg": "aic"},
    ),
    "permutation": (
        lambda f, b, x, _tree: (
            shap.PermutationExplainer(f, shap.maskers.Independent(b), seed=drawn())(x, max_evals=40, silent=True).values
        ),
        {"max_evals": 40},
    ),
    "sampling": (
        lambda f, b, x, _tree: shap.SamplingExplainer(f, b).shap_values(x, nsamples=90, min_samples_per_feature=10),
        {"nsamples": 90, "min_samples_per_feature": 10},
    ),
    "partition": (
        lambda f, b, x, tree: (
            shap.PartitionExplainer(f, shap.maskers.Partition(b, clustering=tree))(
                x, max_evals=20, fixed_context=None, silent=True
            ).values
        ),
        {"max_evals": 20},
    ),
    "partition, absent": (
        lambda f, b, x, tree: (
            shap.PartitionExplainer(f, shap.maskers.Partition(b, clustering=tree))(
                x, fixed_context=0, silent=True
            ).values
        ),
        {"fixed_context": 0},
    ),
}


@pytest.mark.parametrize("batch_budget", [None, 5])
@pytest.mark.parametrize("name", DIRECT)
def test_columns_have_the_values_of_shap(table, name, batch_budget, fixed):
    net, x, references, pool = table
    call, parameters = DIRECT[name]
    tree = shap.utils.hclust(pool.numpy(), metric="correlation")
    want = []
    for i in range(N):
        with fixed():
            want.append(call(function(net), references.numpy(), x[i : i + 1].numpy(), tree).reshape(-1))
    got = ours(table, name.split(",")[0], batch_budget=batch_budget, **parameters)
    close(got, np.stack(want), 1e-6)  # shap's hclust adds noise of 1e-8 to the columns, which changes distances only


def test_what_no_reference_changes_is_zero_and_costs_nothing(table):
    net, x, references, _pool = table
    rows = []
    hook = net.register_forward_hook(lambda _module, inputs, _output: rows.append(len(inputs[0])))
    try:
        got = xaiexp.attribute(net, x[:1], "shap_exact", target=TARGET, baseline=references.unsqueeze(0))
    finally:
        hook.remove()
    assert float(got[0, 2]) == 0
    assert int((got != 0).sum()) == COLUMNS - 1
    coalitions = R * 2 ** (COLUMNS - 1)
    assert coalitions <= sum(rows) < 2 * coalitions
    alike = xaiexp.attribute(net, x[:1], "shap_exact", target=TARGET, baseline=x[:1])
    assert not bool(alike.any())


@pytest.mark.parametrize(
    ("name", "parameters", "rtol"),
    [("exact", {}, 1e-9), ("kernel", {"l1_reg": 0}, 1e-9), ("sampling", {"nsamples": 20000}, 0.05)],
)
def test_tiles_have_exact_shapley_values(images, name, parameters, rtol):
    """The core's exact values of all coalitions, averaged over the references."""
    net, x, references = images
    want = xaiexp.attribute(
        net, x, "exact_shapley", target=TARGET, baseline=references.unsqueeze(0), feature_mask=TILES
    )
    got = ours(images, name, feature_mask=TILES, **parameters)
    close(got, want, rtol)
    means = net(x)[:, TARGET] - net(references)[:, TARGET].mean()
    close(got.flatten(1).sum(1) / 8, means.detach(), 1e-5)  # each of a tile's 8 elements has the value of the tile


def test_many_orders_converge_to_exact_values(images):
    exact, orders = (ours(images, name, feature_mask=TILES, **p) for name, p in (("exact", {}), ("permutation", {})))
    close(orders, exact, 0.02)


def test_a_hierarchy_with_two_features_has_exact_values(images):
    """Shapley and Owen values of two features are the same."""
    halves = (torch.arange(4) // 2).expand(2, 4, 4).contiguous()
    close(*(ours(images, name, feature_mask=halves) for name in ("partition", "exact")), 1e-9)


def test_owen_values_of_tiles_follow_from_their_definition(images):
    """Four tiles in a tree of two pairs: a tile gets the mean over its pair's and its own two places in an order."""
    net, x, references = images
    mask = TILES[0]

    def value(row, present):
        kept = torch.isin(mask, torch.tensor(present, dtype=torch.int64))
        with torch.no_grad():
            return float(net(torch.where(kept, row, references))[:, TARGET].mean())

    want = torch.zeros(N, 4)
    pairs = ((0, 1), (2, 3))  # rows of tiles, as the image is not wider than high
    for i in range(N):
        for own, other in (pairs, pairs[::-1]):
            for tile, mate in (own, own[::-1]):
                places = [(o, m) for o in ([], list(other)) for m in ([], [mate])]
                changes = [value(x[i], [*o, *m, tile]) - value(x[i], [*o, *m]) for o, m in places]
                want[i, tile] = sum(changes) / 4
    got = ours(images, "partition", feature_mask=TILES)
    close(torch.stack([got[:, 0, t // 2 * 2, t % 2 * 2] for t in range(4)], dim=1), want, 1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_gradients_are_those_of_shap(images, smoothing, fixed):
    net, x, references = images
    want = []
    for i in range(N):
        with fixed():
            vectors = nn.Sequential(nn.Unflatten(1, (2, 4, 4)), Target(net))
            explainer = shap.GradientExplainer(vectors, references.flatten(1), local_smoothing=smoothing)
            want.append(explainer.shap_values(x[i : i + 1].flatten(1), nsamples=30).reshape(2, 4, 4))
    got = ours(images, "gradient", nsamples=30, local_smoothing=smoothing, batch_budget=7)
    close(got, np.stack(want), 1e-5)


class Target(nn.Module):
    """One score of a network, in the precision of its weights."""

    def __init__(self, net) -> None:
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.double())[:, TARGET : TARGET + 1]


def sequential(net):
    """The same network in a form that shap explains: containers of torch, nothing in place."""
    return nn.Sequential(net.conv, nn.ReLU(), net.pool, nn.Flatten(), net.hidden, net.relu2, net.head).eval()


@pytest.mark.parametrize("batch_budget", [None, 4])
@pytest.mark.parametrize("pool", [nn.AvgPool2d(2), nn.MaxPool2d(2)], ids=["average pool", "max pool"])
def test_deep_values_are_those_of_shap(images, pool, batch_budget):
    _, x, references = images
    with torch.random.fork_rng():
        torch.manual_seed(6)
        net = Net(pool).double().eval()
    want = shap.DeepExplainer(sequential(net), references).shap_values(x)[..., TARGET]
    close(ours((net, x, references), "deep", batch_budget=batch_budget), want, 1e-9)


def state(net):
    modules = dict(net.named_modules())
    hooks = [len(vars(m)[k]) for m in modules.values() for k in ("_forward_hooks", "_backward_hooks")]
    parameters = {name: (p.data_ptr(), p.grad, p.requires_grad) for name, p in net.named_parameters()}
    flags = [(m.training, getattr(m, "inplace", None), m._is_full_backward_hook) for m in modules.values()]
    return {name: set(vars(m)) for name, m in modules.items()}, hooks, parameters, flags


class Scores(nn.Module):
    """Stands in for ``ScoreModule`` without the guard that undoes what a method leaves behind."""

    def __init__(self, network) -> None:
        super().__init__()
        self.network, self.owners = network, None

    def forward(self, rows, _owners):
        return self.network(rows)[:, TARGET]


def test_the_network_is_left_as_it_was_also_after_an_error(images):
    net, x, references = images
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = state(net)
    assert bool(deep_values(shap, Scores(net).eval(), x[:1], references, True).any())
    assert state(net) == before
    ran = []

    def fail(_module, _inputs, _output):
        ran.append(1)
        if len(ran) > 1:  # after the first pass, in which shap has no hooks yet
            raise KeyError("a pass failed")

    hook = net.head.register_forward_hook(fail)
    hooked = state(net)
    try:
        with pytest.raises(KeyError, match="a pass failed"):
            deep_values(shap, Scores(net).eval(), x[:1], references, True)
        assert state(net) == hooked
    finally:
        hook.remove()
    assert len(ran) > 1
    assert state(net) == before
    net.zero_grad()


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.relu = nn.Linear(COLUMNS, 8), nn.Linear(8, 2), nn.ReLU()
        self.twice = False

    def forward(self, x):
        return self.last(self.relu(self.relu(self.first(x)) - 0.2) if self.twice else F.gelu(self.first(x) * 3))


def test_networks_that_shap_has_no_rules_for_are_refused(table):
    _, x, references, _ = table
    given = {"target": TARGET, "baseline": references.unsqueeze(0)}
    normed = nn.Sequential(nn.Linear(COLUMNS, 4), nn.LayerNorm(4), nn.Linear(4, 2)).double().eval()
    with pytest.raises(Unsupported, match=r"1 \(LayerNorm\) has no rule in shap's DeepExplainer"):
        xaiexp.attribute(normed, x, "shap_deep", **given)
    functional = Functional().double().eval()
    with pytest.raises(Unsupported, match="do not sum to the change of the score"):
        xaiexp.attribute(functional, x, "shap_deep", **given)
    assert bool(xaiexp.attribute(functional, x, "shap_deep", check_additivity=False, **given).any())
    functional.twice = True
    with pytest.raises(Unsupported, match=r"relu \(ReLU\) runs 2 times in a pass"):
        xaiexp.attribute(functional, x, "shap_deep", **given)
    with pytest.raises(Unsupported, match="output=logit"):
        xaiexp.attribute(functional, x, "shap_deep", output="probability", task="multiclass", **given)


def test_too_few_evaluations_and_wrong_words_are_refused(table, images):
    for name, parameters, message in (
        ("exact", {"max_evals": 31}, "6 features differ from the references, which makes 64 coalitions"),
        ("permutation", {"max_evals": 12}, "takes 13"),
        ("sampling", {"nsamples": 10}, "two samples for each"),
    ):
        with pytest.raises(Unsupported, match=message):
            ours((table[0], table[1][1:], *table[2:]), name, **parameters)
    with pytest.raises(ParameterError, match=r"num_features\(x\)"):
        ours(table, "kernel", l1_reg="num_features(x)")
    with pytest.raises(Unsupported, match="no other examples"):
        ours(table[:3], "partition")


def test_passes_are_counted_and_none_has_more_rows_than_the_budget(images):
    net = images[0]
    rows = []
    hook = net.register_forward_hook(lambda _module, inputs, _output: rows.append(len(inputs[0])))
    try:
        for name in ("exact", "kernel", "permutation", "sampling", "partition", "gradient", "deep"):
            rows.clear()
            parameters = {"nsamples": 20} if name in ("kernel", "sampling", "gradient") else {}
            ours(images, name, feature_mask=TILES, batch_budget=8, **parameters)
            assert 0 < max(rows) <= 8, name
    finally:
        hook.remove()


def batch_of(x, index, modality, pool):
    features = FeatureMap.from_index(index)
    return Batch(("a",), x, torch.zeros(1, dtype=torch.int64), features, Background(modality, pool))


def leaves_below(tree, d):
    """The sets of features of the nodes of a linkage matrix."""
    sets = [{i} for i in range(d)]
    for row in tree:
        sets.append(sets[int(row[0])] | sets[int(row[1])])
        assert len(sets[-1]) == row[3]
    return sets[d:]


def test_columns_of_a_feature_stay_together_and_constant_columns_join_last():
    generator = torch.Generator().manual_seed(4)
    pool = torch.randn(30, 5, generator=generator)
    pool[:, 3] = pool[:, 0] + 0.01 * pool[:, 3]  # like column 0
    pool[:, 4] = 1.0
    batch = batch_of(pool[:1], torch.tensor([[0, 0, 1, 2, 3]]), "table", pool)
    sets = leaves_below(hierarchy(shap, batch, 0, 4, "correlation"), 4)
    assert sets[0] == {0, 2}  # columns 0 and 1 are one feature, and column 3 is like one of them
    distances = squareform(np.nan_to_num(pdist(pool.numpy().T, "correlation"), nan=1.0))
    assert distances[0, 3] < 0.01
    assert sets[-1] == {0, 1, 2, 3}


def test_segments_of_an_image_are_clustered_by_their_places():
    index = torch.tensor([[0, 0, 2, 3], [0, 1, 2, 3]]).expand(1, 1, 2, 4)
    batch = batch_of(torch.zeros(1, 1, 2, 4), index.contiguous(), "image", None)
    sets = leaves_below(hierarchy(shap, batch, 0, 4, "correlation"), 4)
    assert sorted(map(sorted, sets)) == [[0, 1], [0, 1, 2, 3], [2, 3]]
