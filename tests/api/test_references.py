"""Tensors of references: which shapes are one reference, one for each example, or a distribution."""

from __future__ import annotations

import pytest
import torch
from attributions import quiet_captum, same
from builders import normal
from own_tensors import seeded
from torch import nn

import xaiexp
from xaiexp.errors import MismatchError

pytestmark = [
    pytest.mark.filterwarnings("ignore:(?s).*did not already require gradients"),
    pytest.mark.filterwarnings("ignore:Setting forward, backward hooks and attributes"),
]
N, F = 4, 5
X, POOL, EACH = normal(N, F, seed=1), normal(7, F, seed=2), normal(N, 3, F, seed=3)


@pytest.fixture(scope="module")
def linear():
    return seeded(nn.Linear(F, 3))


@pytest.fixture(scope="module")
def network():
    return seeded(nn.Sequential(nn.Linear(F, 6), nn.ReLU(), nn.Linear(6, 3)))


SHAPES = [
    ("number", 0.3, torch.full((N, F), 0.3, dtype=torch.float64)),
    ("[F]", POOL[0], POOL[0].expand(N, F)),
    ("[1, F]", POOL[:1], POOL[0].expand(N, F)),
    ("[N, F], one for each", POOL[:N], POOL[:N]),
    ("[R, F]", POOL, POOL.mean(0).expand(N, F)),
    ("[1, R, F]", POOL.unsqueeze(0), POOL.mean(0).expand(N, F)),
    ("[1, R, F] with R = N", POOL[None, :N], POOL[:N].mean(0).expand(N, F)),
    ("[N, 1, F]", EACH[:, :1], EACH[:, 0]),
    ("[N, R, F]", EACH, EACH.mean(1)),
]


@pytest.mark.parametrize("method", ["integrated_gradients", "feature_ablation", "deep_lift_shap", "exact_shapley"])
@pytest.mark.parametrize(("baseline", "mean"), [s[1:] for s in SHAPES], ids=[s[0] for s in SHAPES])
def test_contributions_of_a_linear_network_are_relative_to_the_mean_reference(linear, method, baseline, mean):
    if method == "deep_lift_shap" and baseline is SHAPES[3][1]:
        with pytest.raises(MismatchError, match=r"may be 4 references for all examples or one for each of the 4"):
            xaiexp.attribute(linear, X, method, target=2, baseline=baseline)
        return
    got = xaiexp.attribute(linear, X, method, target=2, baseline=baseline)
    same(got, linear.weight[2] * (X - mean))


@pytest.mark.parametrize("method", ["deep_lift_shap", "gradient_shap", "expected_gradients"])
def test_a_method_that_reads_distributions_refuses_as_many_references_as_examples(network, method):
    with pytest.raises(
        MismatchError, match=r"unsqueeze\(0\), \[1, R, \.\.\.\]; one for each: baseline\.unsqueeze\(1\)"
    ):
        xaiexp.attribute(network, X, method, target=0, baseline=POOL[:N])
    alone = xaiexp.attribute(network, X[:1], method, target=0, baseline=POOL[:1])
    same(alone, xaiexp.attribute(network, X[:1], method, target=0, baseline=POOL[0]))
    each = xaiexp.attribute(network, X, method, target=0, baseline=POOL[:N].unsqueeze(1))
    same(each[:1], alone)
    shared = xaiexp.attribute(network, X, method, target=0, baseline=POOL[None, :N])
    same(shared[:3], xaiexp.attribute(network, X[:3], method, target=0, baseline=POOL[:N]))  # R is not N


@pytest.mark.parametrize("count", [3, N, 7])
def test_deep_lift_shap_over_a_distribution_is_that_of_captum(network, count):
    want = quiet_captum().attr.DeepLiftShap(network).attribute(X, POOL[:count], 1)
    same(xaiexp.attribute(network, X, "deep_lift_shap", target=1, baseline=POOL[None, :count]), want)


def test_gradient_shap_over_a_distribution_is_that_of_captum_within_the_error_of_sampling(network):
    torch.manual_seed(0)
    explainer = quiet_captum().attr.GradientShap(network)
    runs = torch.stack([explainer.attribute(X, POOL, n_samples=100, stdevs=0.0, target=1) for _ in range(20)])
    error = runs.std(0) / 20**0.5
    got = xaiexp.attribute(network, X, "gradient_shap", target=1, baseline=POOL[None], n_samples=8000)
    assert bool(((got - runs.mean(0)).abs() < 5 * error + 1e-9).all())
    # The test sees another distribution.
    other = xaiexp.attribute(network, X, "gradient_shap", target=1, baseline=POOL[None, :3], n_samples=8000)
    assert bool(((other - runs.mean(0)).abs() > 5 * error + 1e-9).any())


@pytest.mark.filterwarnings("ignore:You are providing multiple inputs for Lime")
def test_kernel_shap_with_one_reference_for_each_example_is_that_of_captum(linear):
    torch.manual_seed(0)
    want = quiet_captum().attr.KernelShap(linear).attribute(X, POOL[:N], 1, n_samples=200)
    got = xaiexp.attribute(linear, X, "kernel_shap", target=1, baseline=POOL[:N])
    torch.testing.assert_close(got, want.double(), rtol=1e-3, atol=1e-4)


def test_a_method_of_one_reference_averages_over_a_distribution(network):
    for method in ("integrated_gradients", "occlusion", "shapley_sampling"):
        got = xaiexp.attribute(network, X, method, target=1, baseline=EACH, seed=4)
        single = [xaiexp.attribute(network, X, method, target=1, baseline=EACH[:, r], seed=4) for r in range(3)]
        same(got, torch.stack(single).mean(0))


@pytest.mark.parametrize("baseline", [POOL[None], POOL[None, :N], EACH])
def test_a_metric_reads_the_same_references(network, baseline):
    maps = xaiexp.attribute(network, X, "deep_lift_shap", target=1, baseline=baseline)
    value = xaiexp.score(network, X, maps, "completeness", target=1, baseline=baseline)
    assert float(value.max()) < 1e-6
    shift = xaiexp.score(network, X, maps + 0.1, "completeness", target=1, baseline=baseline)
    assert float(shift.min()) > 1e-3


def test_a_metric_that_explains_again_refuses_what_the_method_refuses(network):
    given = {"target": 1, "method": "deep_lift_shap"}
    with pytest.raises(MismatchError, match="deep_lift_shap reads distributions"):
        xaiexp.score(network, X, X, "sensitivity_max", baseline=POOL[:N], **given)
    whole = xaiexp.score(network, X, X, "sensitivity_max", baseline=POOL[None, :N], **given)
    same(whole[:1], xaiexp.score(network, X[:1], X[:1], "sensitivity_max", baseline=POOL[None, :N], **given))


@pytest.mark.parametrize(
    "baseline", [POOL[:, :3], POOL[None, None], EACH[:2], EACH[:, :0], POOL[:0], [[1.0], "a"], object()]
)
def test_references_of_another_shape_are_refused(network, baseline):
    with pytest.raises(MismatchError, match=r"^baseline: must"):
        xaiexp.attribute(network, X, "integrated_gradients", target=0, baseline=baseline)
