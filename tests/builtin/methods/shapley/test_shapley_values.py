"""Exact Shapley values, Shapley sampling and permutation SHAP: definitions, closed forms, cost."""

from __future__ import annotations

import pytest
import torch
from builders import bind, draws, make_batch, normal
from feature_games import feature_values, games, same, small_network
from reference import shapley_slow as slow
from torch import nn

from xaiexp.builtin.methods.shapley.linear_surrogates import KernelShap, Lime, lime_pairs, shapley_pairs
from xaiexp.builtin.methods.shapley.shapley_values import ExactShapley, PermutationShap, ShapleySampling
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported
from xaiexp.inference.passes import Passes

network = pytest.fixture(small_network)


@pytest.fixture
def examples_of_different_sizes():
    """Four examples of 6 elements with 4, 1, 3 and no features; elements with index -1 belong to no feature."""
    index = torch.tensor([[0, 0, 1, 2, 3, -1], [-1, 0, 0, 0, -1, -1], [2, 1, 0, -1, 0, 0], [-1] * 6])
    features = FeatureMap(index, torch.tensor([4, 1, 3, 0]), (4,))
    batch = make_batch(normal(4, 6), torch.tensor([0, 1, 2, 1]), features=features)
    return batch, torch.where(index >= 0, normal(4, 6, seed=1), batch.inputs)


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


@pytest.mark.parametrize("budget", [2, 5, None])
def test_exact_shapley_is_the_mean_over_all_orders(network, examples_of_different_sizes, budget):
    batch, reference = examples_of_different_sizes
    got, _ = feature_values(ExactShapley(), network, batch, reference, budget=budget)
    for i, (game, d) in enumerate(zip(games(network, batch, reference), [4, 1, 3, 0], strict=True)):
        same(got[i], slow.shapley_values(game, d) + [0.0] * (4 - d))


@pytest.mark.parametrize("budget", [2, 7, None])
@pytest.mark.parametrize("paired", [False, True])
def test_mean_and_standard_error_over_random_orders(network, examples_of_different_sizes, paired, budget):
    batch, reference = examples_of_different_sizes
    method = PermutationShap(n_samples=5) if paired else ShapleySampling(n_samples=5)
    got, errors = feature_values(method, network, batch, reference, budget=budget)
    numbers = draws(batch).uniform("order", (4,), samples=range(5))
    for i, (game, d) in enumerate(zip(games(network, batch, reference), [4, 1, 3, 0], strict=True)):
        samples = []
        for sample in range(5):
            order = sorted(range(d), key=lambda j, i=i, s=sample: float(numbers[i, s, j]))
            one = slow.contributions(game, order)
            if paired:
                one = [(a + b) / 2 for a, b in zip(one, slow.contributions(game, order[::-1]), strict=True)]
            samples.append(one)
        want, error = slow.mean_and_error(samples)
        same(got[i], want + [0.0] * (4 - d))
        torch.testing.assert_close(
            errors[i], torch.tensor(error + [0.0] * (4 - d), dtype=torch.float64), rtol=1e-6, atol=1e-12
        )


def test_consecutive_coalitions_share_passes(network, examples_of_different_sizes):
    batch, reference = examples_of_different_sizes
    for method, orders in ((ShapleySampling(n_samples=5), 5), (PermutationShap(n_samples=5), 10)):
        handle = bind(network, batch)
        method.attribute(handle, batch, reference, draws(batch))
        assert handle.counter.forward == 2 * 4 + orders * (
            3 + 0 + 2 + 0
        )  # x and x0, and d - 1 coalitions for each order
        assert method.passes((6,), 4) == Cost(2 + orders * 3)
    handle = bind(network, batch)
    ExactShapley().attribute(handle, batch, reference, draws(batch))
    assert handle.counter.forward == 2**4 + 2**1 + 2**3 + 2


@pytest.mark.parametrize("method", [ExactShapley(), KernelShap(), PermutationShap(n_samples=2)], ids=lambda m: m.name)
def test_pairwise_interactions_closed_form(method):
    d = 7
    w, pairs = normal(d), normal(d, d, seed=1)
    x, x0 = normal(3, d, seed=2), normal(3, d, seed=3)
    batch = make_batch(x, 0)
    got, errors = feature_values(method, lambda v: (v @ w + ((v @ pairs) * v).sum(1)).unsqueeze(1), batch, x0)
    # Each of a pair of features gets half of the change of their product: that of feature j is the change of
    # x_j p_jk x_k with x_k halfway between x0 and x.
    midpoint, symmetric = (x + x0) / 2, pairs + pairs.t()
    off_diagonal = symmetric - torch.diag(symmetric.diagonal())
    want = (x - x0) * (w + midpoint @ off_diagonal) + pairs.diagonal() * (x**2 - x0**2)
    same(got, want)
    assert errors is None or float(errors.max()) < 1e-9


def test_few_unpaired_orders_deviate_for_pairwise_interactions():
    pairs, x = normal(7, 7, seed=1), normal(3, 7, seed=2)
    batch = make_batch(x, 0)
    network = lambda v: ((v @ pairs) * v).sum(1, keepdim=True)  # noqa: E731 -- a one-line function
    exact, _ = feature_values(ExactShapley(), network, batch, torch.zeros_like(x))
    got, errors = feature_values(ShapleySampling(n_samples=2), network, batch, torch.zeros_like(x))
    assert float((got - exact).abs().max()) > 0.5
    assert float(errors.max()) > 0.5
    one, unknown = feature_values(ShapleySampling(n_samples=1), network, batch, torch.zeros_like(x))
    assert bool(unknown.isnan().all())
    torch.testing.assert_close(one.sum(1), network(x)[:, 0])


def test_estimators_converge_to_the_exact_values(deep):
    x = normal(4, 12)
    batch, zero = make_batch(x, 0), torch.zeros(4, 12, dtype=torch.float64)
    exact, _ = feature_values(ExactShapley(), deep, batch, zero)
    same(feature_values(KernelShap(n_samples=2**12), deep, batch, zero)[0], exact)
    for few, many in (
        (ShapleySampling(n_samples=20), ShapleySampling(n_samples=2000)),
        (PermutationShap(n_samples=10), PermutationShap(n_samples=1000)),
        (KernelShap(n_samples=60), KernelShap(n_samples=4000)),
    ):
        deviations = [
            float((feature_values(m, deep, batch, zero)[0] - exact).norm() / exact.norm()) for m in (few, many)
        ]
        assert deviations[1] < 0.05
        assert deviations[1] < deviations[0] / 3


def test_default_number_of_samples_depends_on_features_and_factor():
    assert [shapley_pairs(196, None, factor)[0] for factor in (0.32, 1.0, 4.0)] == [390, 1220, 4880]
    assert lime_pairs(2000, None, 0.32) == (3000, False)  # never below 3 d
    assert KernelShap(sample_factor=4.0).passes((64,), 64) == Cost(2 + 4 * 2176)
    assert KernelShap(sample_factor=4.0, n_samples=100).passes((64,), 64) == Cost(102)
    assert ShapleySampling().passes((64,), 64) == Cost(2 + 25 * 63)


def test_too_many_features_for_exact_shapley_raise_with_a_hint():
    x = torch.zeros(1, 17)
    batch = make_batch(x)
    with pytest.raises(Unsupported, match=r"up to 16 features, but there are 17: .*features=grid .*permutation_shap"):
        feature_values(ExactShapley(), lambda v: v.sum(1), batch, x)
    assert ExactShapley().passes((17,), 17) is None
    assert ExactShapley().passes((16,), 16) == Cost(65536)


def test_exact_shapley_equals_captum(network):
    captum = pytest.importorskip("captum.attr")
    x, x0 = normal(3, 6), normal(3, 6, seed=1)
    targets = torch.tensor([0, 1, 2])
    index = torch.tensor([[0, 0, 1, 2, 2, 3]])
    batch = make_batch(x, targets, features=FeatureMap.from_index(index))
    got, _ = feature_values(ExactShapley(), network, batch, x0)
    want = captum.ShapleyValues(network).attribute(x, x0, targets, feature_mask=index)
    # Captum repeats the value of a feature for each of its elements.
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
    """Within the rounding of a score: one unit in the last place of the largest score."""
    assert precision in method.precisions
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 3)).eval()
    with torch.no_grad():
        for layer in network[::2]:
            layer.weight *= 2
    x = normal(8, 10).float()
    batch = make_batch(x, torch.arange(8) % 3)
    exact, _ = feature_values(method, network, batch, torch.zeros_like(x))
    handle = Passes(network, precision=precision).bind(batch)
    got = method.attribute(handle, batch, torch.zeros_like(x), draws(batch))
    got = batch.features.pool(got.values if isinstance(got, Estimate) else got)
    assert got.dtype == torch.float32
    assert 0 < float((got - exact).abs().max()) < unit * float(bind(network, batch).scores().abs().max())
