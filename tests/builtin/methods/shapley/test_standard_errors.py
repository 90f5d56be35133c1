"""Standard errors of coalition methods, and the reliability derived from them."""

from __future__ import annotations

import math

import pytest
import torch
from builders import make_batch, normal
from feature_games import feature_values, same, small_network
from torch import nn

from xaiexp.builtin.methods.perturbation.feature_permutation import FeaturePermutation
from xaiexp.builtin.methods.perturbation.rise import Rise
from xaiexp.builtin.methods.shapley.linear_surrogates import KernelShap, Lime
from xaiexp.builtin.methods.shapley.shapley_values import ExactShapley, PermutationShap, ShapleySampling
from xaiexp.core.batches import Background
from xaiexp.core.feature_map import FeatureMap
from xaiexp.statistics.reliability import reliability

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


# Repeating an example with other ids is equivalent to other seeds, as random numbers depend on the id.
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
def test_standard_errors_equal_the_deviation_over_seeds(deep, method):
    x = normal(1, 12).expand(REPEATED, 12).contiguous()
    batch = make_batch(x, 0)
    got, errors = feature_values(method, deep, batch, torch.zeros_like(x))
    stated = errors.square().mean().sqrt() / got.var(0).mean().sqrt()
    assert 0.85 < float(stated) < 1.15
    features = errors.square().mean(0).sqrt() / got.std(0)
    assert float(features.min()) > 0.7
    assert float(features.max()) < 1.3
    if not isinstance(method, Lime):
        exact, _ = feature_values(ExactShapley(), deep, make_batch(x[:1], 0), torch.zeros_like(x[:1]))
        bias = (got.mean(0) - exact[0]).abs() / got.std(0)
        # KernelSHAP is a ratio of sums and unbiased only asymptotically.
        assert float(bias.max()) < 4 / math.sqrt(REPEATED) + (0.2 if isinstance(method, KernelShap) else 0.0)


@pytest.mark.parametrize(
    ("method", "d"),
    [(KernelShap(), 60), (KernelShap(n_samples=300), 100), (Lime(n_samples=100, alpha=0.2), 40)],
    ids=repr,
)
def test_standard_errors_with_few_samples_per_feature(method, d):
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(d, 24), nn.ReLU(), nn.Linear(24, 1)).double().eval()
    with torch.no_grad():
        network[0].weight *= 4
    x = normal(1, d).expand(150, d).contiguous()
    batch = make_batch(x, 0)
    got, errors = feature_values(method, network, batch, torch.zeros_like(x))
    assert float(errors.square().mean().sqrt() / got.var(0).mean().sqrt()) == pytest.approx(1.0, abs=0.1)


def test_standard_errors_of_a_saturated_fit_are_nan():
    x = normal(1, 8)
    batch = make_batch(x, 0, ids=["example 4"])  # its draws happen to have a unique solution
    network = lambda v: v.tanh().sum(1, keepdim=True) ** 3  # noqa: E731 -- a one-line function
    _, errors = feature_values(KernelShap(n_samples=14), network, batch, torch.zeros_like(x))  # 7 pairs for 8 - 1
    assert bool(errors.isnan().all())
    _, errors = feature_values(KernelShap(n_samples=30), network, batch, torch.zeros_like(x))
    assert bool((errors > 0).all())


def test_standard_errors_are_zero_where_all_coalitions_are_used(network, examples_of_different_sizes):
    batch, reference = examples_of_different_sizes
    for method in (KernelShap(), Lime()):
        assert not feature_values(method, network, batch, reference)[1].any()
    long = make_batch(torch.cat((normal(1, 14), normal(1, 14))), 0)
    index = torch.arange(14).expand(2, 14).clone()
    index[1, 5:] = -1
    long = make_batch(long.inputs, 0, features=FeatureMap(index, torch.tensor([14, 5]), (14,)))
    network = lambda v: v.tanh().sum(1, keepdim=True) ** 3  # noqa: E731 -- a one-line function
    reference = torch.where(index >= 0, 0.0, long.inputs)
    for method in (
        KernelShap(n_samples=100),
        Lime(n_samples=100),
    ):  # sampled for the first example, exhaustive for the second
        errors = feature_values(method, network, long, reference)[1]
        assert bool((errors[0] > 0).all())
        assert not errors[1].any()


def test_reliability_predicts_the_agreement_of_two_runs(deep):
    x = normal(1, 12).expand(400, 12).contiguous()
    batch = make_batch(x, 0)
    predicted, observed = [], []
    for method in (PermutationShap(n_samples=2), PermutationShap(n_samples=12), ShapleySampling(n_samples=3)):
        got, errors = feature_values(method, deep, batch, torch.zeros_like(x))
        predicted.append(float(reliability(got, errors, batch.features.valid).mean()))
        one, other = got[:200] - got[:200].mean(1, keepdim=True), got[200:] - got[200:].mean(1, keepdim=True)
        observed.append(float(((one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1))).mean()))
    assert max(observed) - min(observed) > 0.15  # the agreement differs
    assert predicted == pytest.approx(observed, abs=0.06)


def test_reliability_closed_form():
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
def test_standard_errors_do_not_depend_on_other_examples_or_budget(deep, method):
    index = torch.arange(12).expand(4, 12).clone()
    index[1, 9:], index[2, 3:] = -1, -1
    features = FeatureMap(index, torch.tensor([12, 9, 3, 12]), (12,))
    x = normal(4, 12)
    reference = torch.where(index >= 0, normal(4, 12, seed=1), x)
    background = Background("table", normal(5, 12, seed=2))
    ids = [f"example {i}" for i in range(4)]
    _, whole = feature_values(
        method, deep, make_batch(x, 0, features=features, background=background), reference, budget=1000
    )
    for rows in ([0, 1, 2, 3], [2], [3, 1], [1, 2, 0]):
        selection = make_batch(
            x[rows],
            0,
            ids=[ids[i] for i in rows],
            features=features.rows(torch.tensor(rows)),
            background=background,
        )
        for budget in (5, 64):
            same(feature_values(method, deep, selection, reference[rows], budget=budget)[1], whole[rows], 1e-6)
