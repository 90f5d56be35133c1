"""Shapley values: of all orders, of some, of coalitions; and what their standard errors are worth."""

from __future__ import annotations

import math

import pytest
import torch
from builders import bind, draws, make_batch, normal
from feature_games import explained, games, same, small_network
from reference import shapley_slow as slow
from torch import nn

from xaiexp.builtin.methods.perturbation.feature_permutation import FeaturePermutation
from xaiexp.builtin.methods.perturbation.rise import Rise
from xaiexp.builtin.methods.shapley.linear_surrogates import KernelShap, Lime, lime_pairs, shapley_pairs
from xaiexp.builtin.methods.shapley.shapley_values import ExactShapley, PermutationShap, ShapleySampling
from xaiexp.core.batches import Background
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported
from xaiexp.inference.passes import Passes
from xaiexp.statistics.reliability import reliability

network = pytest.fixture(small_network)


@pytest.fixture
def ragged():
    """Four examples of 6 elements with 4, 1, 3 and no features; the elements of index -1 belong to none."""
    index = torch.tensor([[0, 0, 1, 2, 3, -1], [-1, 0, 0, 0, -1, -1], [2, 1, 0, -1, 0, 0], [-1] * 6])
    features = FeatureMap(index, torch.tensor([4, 1, 3, 0]), (4,))
    batch = make_batch(normal(4, 6), torch.tensor([0, 1, 2, 1]), features=features)
    return batch, torch.where(index >= 0, normal(4, 6, seed=1), batch.inputs)


@pytest.mark.parametrize("budget", [2, 5, None])
def test_exact_shapley_is_the_mean_over_all_orders(network, ragged, budget):
    batch, reference = ragged
    got, _ = explained(ExactShapley(), network, batch, reference, budget=budget)
    for i, (game, d) in enumerate(zip(games(network, batch, reference), [4, 1, 3, 0], strict=True)):
        same(got[i], slow.shapley_values(game, d) + [0.0] * (4 - d))


@pytest.mark.parametrize("budget", [2, 7, None])
@pytest.mark.parametrize("paired", [False, True])
def test_drawn_orders_are_averaged_with_their_spread(network, ragged, paired, budget):
    batch, reference = ragged
    method = PermutationShap(n_samples=5) if paired else ShapleySampling(n_samples=5)
    got, errors = explained(method, network, batch, reference, budget=budget)
    numbers = draws(batch).uniform("order", (4,), samples=range(5))
    for i, (game, d) in enumerate(zip(games(network, batch, reference), [4, 1, 3, 0], strict=True)):
        added = []
        for sample in range(5):
            order = sorted(range(d), key=lambda j, i=i, s=sample: float(numbers[i, s, j]))
            one = slow.contributions(game, order)
            if paired:
                one = [(a + b) / 2 for a, b in zip(one, slow.contributions(game, order[::-1]), strict=True)]
            added.append(one)
        want, spread = slow.mean_and_error(added)
        same(got[i], want + [0.0] * (4 - d))
        torch.testing.assert_close(
            errors[i], torch.tensor(spread + [0.0] * (4 - d), dtype=torch.float64), rtol=1e-6, atol=1e-12
        )


def test_neighbours_in_an_order_share_their_inputs(network, ragged):
    batch, reference = ragged
    for method, orders in ((ShapleySampling(n_samples=5), 5), (PermutationShap(n_samples=5), 10)):
        handle = bind(network, batch)
        method.attribute(handle, batch, reference, draws(batch))
        assert handle.counter.forward == 2 * 4 + orders * (3 + 0 + 2 + 0)  # x and x0; d - 1 between them
        assert method.passes((6,), 4) == Cost(2 + orders * 3)
    handle = bind(network, batch)
    ExactShapley().attribute(handle, batch, reference, draws(batch))
    assert handle.counter.forward == 2**4 + 2**1 + 2**3 + 2


@pytest.mark.parametrize("method", [ExactShapley(), KernelShap(), PermutationShap(n_samples=2)], ids=lambda m: m.name)
def test_features_that_interact_in_pairs_share_what_they_make_together(method):
    d = 7
    w, pairs = normal(d), normal(d, d, seed=1)
    x, x0 = normal(3, d, seed=2), normal(3, d, seed=3)
    batch = make_batch(x, 0)
    got, errors = explained(method, lambda v: (v @ w + ((v @ pairs) * v).sum(1)).unsqueeze(1), batch, x0)
    # Half of every difference of products goes to either partner: the part of j is x_j p_jk x_k with the partner's
    # value halfway between x0 and x.
    middle, both = (x + x0) / 2, pairs + pairs.t()
    off = both - torch.diag(both.diagonal())
    want = (x - x0) * (w + middle @ off) + pairs.diagonal() * (x**2 - x0**2)
    same(got, want)
    assert errors is None or float(errors.max()) < 1e-9


def test_single_orders_do_not_know_what_pairs_share():
    pairs, x = normal(7, 7, seed=1), normal(3, 7, seed=2)
    batch = make_batch(x, 0)
    network = lambda v: ((v @ pairs) * v).sum(1, keepdim=True)  # noqa: E731 -- a function of one line
    exact, _ = explained(ExactShapley(), network, batch, torch.zeros_like(x))
    got, errors = explained(ShapleySampling(n_samples=2), network, batch, torch.zeros_like(x))
    assert float((got - exact).abs().max()) > 0.5
    assert float(errors.max()) > 0.5
    one, unknown = explained(ShapleySampling(n_samples=1), network, batch, torch.zeros_like(x))
    assert bool(unknown.isnan().all())
    torch.testing.assert_close(one.sum(1), network(x)[:, 0])


@pytest.fixture(scope="module")
def deep():
    torch.manual_seed(3)
    network = (
        nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)).double().eval()
    )
    with torch.no_grad():
        for layer in (network[0], network[2]):
            layer.weight *= 3
    return network


# Repetitions of one example under other names are what other seeds are: all random numbers belong to the name.
REPEATED = 600


@pytest.mark.parametrize(
    "method",
    [
        ShapleySampling(n_samples=12),
        PermutationShap(n_samples=8),
        KernelShap(n_samples=60),
        KernelShap(n_samples=300),
        Lime(n_samples=60),
        Lime(n_samples=300),
        Lime(n_samples=100, alpha=0.05),
    ],
    ids=repr,
)
def test_standard_errors_are_the_spread_over_seeds(deep, method):
    x = normal(1, 12).expand(REPEATED, 12).contiguous()
    batch = make_batch(x, 0)
    got, errors = explained(method, deep, batch, torch.zeros_like(x))
    stated = errors.square().mean().sqrt() / got.var(0).mean().sqrt()
    assert 0.85 < float(stated) < 1.15
    features = errors.square().mean(0).sqrt() / got.std(0)
    assert float(features.min()) > 0.7
    assert float(features.max()) < 1.3
    if not isinstance(method, Lime):
        exact, _ = explained(ExactShapley(), deep, make_batch(x[:1], 0), torch.zeros_like(x[:1]))
        off = (got.mean(0) - exact[0]).abs() / got.std(0)
        # KernelSHAP, a ratio of sums, is unbiased only in the long run.
        assert float(off.max()) < 4 / math.sqrt(REPEATED) + (0.2 if isinstance(method, KernelShap) else 0.0)


@pytest.mark.parametrize(
    ("method", "d"),
    [(KernelShap(), 60), (KernelShap(n_samples=300), 100), (Lime(n_samples=100, alpha=0.2), 40)],
    ids=repr,
)
def test_standard_errors_where_samples_are_few_for_the_features(method, d):
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(d, 24), nn.ReLU(), nn.Linear(24, 1)).double().eval()
    with torch.no_grad():
        network[0].weight *= 4
    x = normal(1, d).expand(150, d).contiguous()
    batch = make_batch(x, 0)
    got, errors = explained(method, network, batch, torch.zeros_like(x))
    assert float(errors.square().mean().sqrt() / got.var(0).mean().sqrt()) == pytest.approx(1.0, abs=0.1)


def test_a_fit_without_a_spare_pair_has_no_standard_error():
    x = normal(1, 8)
    batch = make_batch(x, 0, ids=["example 7"])  # whose draws happen to tell all features apart
    network = lambda v: v.tanh().sum(1, keepdim=True) ** 3  # noqa: E731 -- a function of one line
    _, errors = explained(KernelShap(n_samples=14), network, batch, torch.zeros_like(x))  # 7 pairs for 8 - 1
    assert bool(errors.isnan().all())
    _, errors = explained(KernelShap(n_samples=30), network, batch, torch.zeros_like(x))
    assert bool((errors > 0).all())


def test_nothing_is_sampled_where_all_coalitions_are_taken(network, ragged):
    batch, reference = ragged
    for method in (KernelShap(), Lime()):
        assert not explained(method, network, batch, reference)[1].any()
    long = make_batch(torch.cat((normal(1, 14), normal(1, 14))), 0)
    index = torch.arange(14).expand(2, 14).clone()
    index[1, 5:] = -1
    long = make_batch(long.inputs, 0, features=FeatureMap(index, torch.tensor([14, 5]), (14,)))
    network = lambda v: v.tanh().sum(1, keepdim=True) ** 3  # noqa: E731 -- a function of one line
    reference = torch.where(index >= 0, 0.0, long.inputs)
    for method in (KernelShap(n_samples=100), Lime(n_samples=100)):  # drawn for the first, all for the second
        errors = explained(method, network, long, reference)[1]
        assert bool((errors[0] > 0).all())
        assert not errors[1].any()


def test_all_ways_lead_to_the_exact_values(deep):
    x = normal(4, 12)
    batch, zero = make_batch(x, 0), torch.zeros(4, 12, dtype=torch.float64)
    exact, _ = explained(ExactShapley(), deep, batch, zero)
    same(explained(KernelShap(n_samples=2**12), deep, batch, zero)[0], exact)
    for few, many in (
        (ShapleySampling(n_samples=20), ShapleySampling(n_samples=2000)),
        (PermutationShap(n_samples=10), PermutationShap(n_samples=1000)),
        (KernelShap(n_samples=60), KernelShap(n_samples=4000)),
    ):
        off = [float((explained(m, deep, batch, zero)[0] - exact).norm() / exact.norm()) for m in (few, many)]
        assert off[1] < 0.05
        assert off[1] < off[0] / 3


def test_samples_follow_the_number_of_features_and_the_factor():
    assert [shapley_pairs(196, None, factor)[0] for factor in (0.32, 1.0, 4.0)] == [390, 1220, 4880]
    assert lime_pairs(2000, None, 0.32) == (3000, False)  # never below 3 d
    assert KernelShap(sample_factor=4.0).passes((64,), 64) == Cost(2 + 4 * 2176)
    assert KernelShap(sample_factor=4.0, n_samples=100).passes((64,), 64) == Cost(102)
    assert ShapleySampling().passes((64,), 64) == Cost(2 + 25 * 63)


def test_too_many_features_for_all_coalitions_are_refused_with_advice():
    x = torch.zeros(1, 17)
    batch = make_batch(x)
    with pytest.raises(Unsupported, match=r"up to 16 features, and these are 17: .*features=grid .*permutation_shap"):
        explained(ExactShapley(), lambda v: v.sum(1), batch, x)
    assert ExactShapley().passes((17,), 17) is None
    assert ExactShapley().passes((16,), 16) == Cost(65536)


def test_exact_shapley_is_that_of_captum(network):
    captum = pytest.importorskip("captum.attr")
    x, x0 = normal(3, 6), normal(3, 6, seed=1)
    targets = torch.tensor([0, 1, 2])
    index = torch.tensor([[0, 0, 1, 2, 2, 3]])
    batch = make_batch(x, targets, features=FeatureMap.from_index(index))
    got, _ = explained(ExactShapley(), network, batch, x0)
    want = captum.ShapleyValues(network).attribute(x, x0, targets, feature_mask=index)
    # Captum repeats the value of a feature at each of its elements.
    same(got, want[:, [0, 2, 3, 5]].detach(), 1e-6)


@pytest.mark.parametrize(
    "method",
    [
        ExactShapley(),
        ShapleySampling(n_samples=10),
        PermutationShap(n_samples=5),
        KernelShap(),
        KernelShap(n_samples=200),
        Lime(),
        Lime(n_samples=200),
    ],
    ids=repr,
)
@pytest.mark.parametrize(("precision", "unit"), [("bf16", 2**-7), ("fp16", 2**-10)])
def test_half_precision(method, precision, unit):
    """Within the rounding of a score: one unit of the last place of the largest score of the network."""
    assert precision in method.precisions
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 3)).eval()
    with torch.no_grad():
        for layer in network[::2]:
            layer.weight *= 2
    x = normal(8, 10).float()
    batch = make_batch(x, torch.arange(8) % 3)
    exact, _ = explained(method, network, batch, torch.zeros_like(x))
    handle = Passes(network, precision=precision).bind(batch)
    got = method.attribute(handle, batch, torch.zeros_like(x), draws(batch))
    got = batch.features.pool(got.values if isinstance(got, Estimate) else got)
    assert got.dtype == torch.float32
    assert 0 < float((got - exact).abs().max()) < unit * float(bind(network, batch).scores().abs().max())


def test_reliability_foretells_how_far_two_runs_agree(deep):
    x = normal(1, 12).expand(400, 12).contiguous()
    batch = make_batch(x, 0)
    told, found = [], []
    for method in (PermutationShap(n_samples=2), PermutationShap(n_samples=12), ShapleySampling(n_samples=3)):
        got, errors = explained(method, deep, batch, torch.zeros_like(x))
        told.append(float(reliability(got, errors, batch.features.valid).mean()))
        one, other = got[:200] - got[:200].mean(1, keepdim=True), got[200:] - got[200:].mean(1, keepdim=True)
        found.append(float(((one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1))).mean()))
    assert max(found) - min(found) > 0.15  # they differ in how far they agree
    assert told == pytest.approx(found, abs=0.06)


def test_reliability_by_hand():
    values = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 9.0], [1.0, 1.0, 1.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    errors = torch.tensor([[0.5] * 3, [0.5] * 3, [0.5] * 3, [0.5, 0.5, math.nan], [2.0] * 3])
    valid = torch.tensor([[True] * 3, [True, True, False], [True] * 3, [True] * 3, [True] * 3])
    got = reliability(values, errors, valid)
    want = torch.tensor([1 - 0.25 / 1.0, 1 - 0.25 / 0.5, math.nan, math.nan, 0.0], dtype=torch.float64)
    torch.testing.assert_close(got, want, equal_nan=True)
    assert bool(reliability(values[:1], errors[:1], torch.tensor([[True, False, False]])).isnan().all())


@pytest.mark.parametrize(
    "method",
    [
        ShapleySampling(n_samples=6),
        PermutationShap(n_samples=6),
        KernelShap(n_samples=200),
        Lime(n_samples=200),
        Rise(n_masks=50),
        FeaturePermutation(n_samples=6),
    ],
    ids=lambda m: m.name,
)
def test_standard_errors_do_not_depend_on_company_or_budget(deep, method):
    index = torch.arange(12).expand(4, 12).clone()
    index[1, 9:], index[2, 3:] = -1, -1
    features = FeatureMap(index, torch.tensor([12, 9, 3, 12]), (12,))
    x = normal(4, 12)
    reference = torch.where(index >= 0, normal(4, 12, seed=1), x)
    background = Background("table", normal(5, 12, seed=2))
    ids = [f"example {i}" for i in range(4)]
    _, whole = explained(
        method, deep, make_batch(x, 0, features=features, background=background), reference, budget=1000
    )
    for rows in ([0, 1, 2, 3], [2], [3, 1], [1, 2, 0]):
        few = make_batch(
            x[rows],
            0,
            ids=[ids[i] for i in rows],
            features=features.rows(torch.tensor(rows)),
            background=background,
        )
        for budget in (5, 64):
            same(explained(method, deep, few, reference[rows], budget=budget)[1], whole[rows], 1e-6)
