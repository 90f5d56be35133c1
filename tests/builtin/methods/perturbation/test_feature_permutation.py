"""Feature permutation: comparison with its definition and with Captum."""

from __future__ import annotations

import pytest
import torch
from builders import draws, make_batch, normal
from feature_games import feature_values, same, small_network
from reference import shapley_slow as slow

from xaiexp.builtin.methods.perturbation.feature_permutation import FeaturePermutation
from xaiexp.core.batches import Background
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported

network = pytest.fixture(small_network)


def score(network, row, target):
    return float(network(row[None])[0, target].detach())


@pytest.mark.parametrize("budget", [3, None])
def test_feature_permutation_is_the_mean_over_the_drawn_examples(network, budget):
    index = torch.tensor([[0, 0, 1, 2, 2, -1]])
    features = FeatureMap(index, torch.tensor([3]), (3,))
    pool = normal(7, 6, seed=3)
    batch = make_batch(
        normal(4, 6), torch.tensor([0, 1, 2, 0]), features=features, background=Background("table", pool)
    )
    got, errors = feature_values(FeaturePermutation(n_samples=5), network, batch, budget=budget)
    rows = draws(batch).integers("row", 7, samples=range(5))
    for i in range(4):
        x, target = batch.inputs[i], int(batch.targets[i])
        changes = []
        for s in range(5):
            others = [torch.where(index[0] == j, pool[rows[i, s]], x) for j in range(3)]
            changes.append([score(network, x, target) - score(network, other, target) for other in others])
        mean, error = slow.mean_and_error(changes)
        same(got[i], mean)
        same(errors[i], error)


def test_one_draw_has_no_standard_error_and_equal_values_no_effect(network):
    x = normal(1, 6)
    batch = make_batch(x, 0, background=Background("table", x))
    got, errors = feature_values(FeaturePermutation(n_samples=1), network, batch)
    assert not got.any()
    assert bool(errors.isnan().all())
    assert not feature_values(FeaturePermutation(n_samples=3), network, batch)[1].any()


def test_feature_permutation_equals_captum_for_the_same_draws(network):
    captum = pytest.importorskip("captum.attr")
    x, targets = normal(5, 6), torch.tensor([0, 1, 2, 0, 1])
    index = torch.tensor([[0, 0, 1, 2, 2, 3]])
    batch = make_batch(x, targets, features=FeatureMap.from_index(index), background=Background("table", x))
    rows = draws(batch).integers("row", 5, samples=range(1))[:, 0]
    captum_method = captum.FeaturePermutation(network, perm_func=lambda v, mask: torch.where(mask, v[rows], v))
    want = captum_method.attribute(x, targets, feature_mask=index)
    got, _ = feature_values(FeaturePermutation(n_samples=1), network, batch)
    same(got, want[:, [0, 2, 3, 5]], 1e-6)


def test_missing_or_differently_shaped_background_examples_raise(network):
    batch = make_batch(normal(2, 6))
    with pytest.raises(Unsupported, match="there are none: pass background="):
        feature_values(FeaturePermutation(), network, batch)
    batch = make_batch(normal(2, 6), background=Background("table", normal(2, 5)))
    with pytest.raises(Unsupported, match=r"the inputs are \[6\], the background examples are \[5\]"):
        feature_values(FeaturePermutation(), network, batch)
