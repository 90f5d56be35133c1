"""Occlusion: comparison with a slow implementation, default windows, tables and texts."""

from __future__ import annotations

import pytest
import torch
from attributions import explained, same
from builders import bind, draws, make_batch, normal
from feature_games import feature_values, small_network
from reference import methods_slow as slow
from torch import nn

from xaiexp.builtin.methods.perturbation.feature_ablation import FeatureAblation
from xaiexp.builtin.methods.perturbation.occlusion import Occlusion
from xaiexp.core.batches import Background
from xaiexp.core.explanations import Cost
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported

network = pytest.fixture(small_network)


@pytest.fixture
def batch():
    return make_batch(normal(3, 6), torch.tensor([0, 1, 2]))


@pytest.fixture
def reference():
    return normal(3, 6, seed=1)


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 1), (3, 2), (4, 3), (6, 1)])
def test_occlusion_is_the_mean_over_the_windows_that_cover_an_element(network, batch, reference, window, stride):
    got = explained(Occlusion(sliding_window_shapes=(window,), strides=stride), network, batch, reference)
    for i in range(3):
        score = lambda v, i=i: float(network(v[None])[0, batch.targets[i]].detach())  # noqa: E731 -- of one example
        same(got[i], slow.occlusion(score, batch.inputs[i], reference[i], window, stride))


@pytest.mark.parametrize(
    ("shape", "window", "strides"),
    [
        ((3, 224, 224), (3, 28, 28), (3, 14, 14)),
        ((1, 8, 8), (1, 1, 1), (1, 1, 1)),
        ((1, 16, 24, 8), (1, 2, 3, 1), (1, 1, 1, 1)),
        ((2, 64), (2, 4), (2, 2)),
    ],
)
def test_default_windows_of_images_volumes_and_series(shape, window, strides):
    assert Occlusion().windows(shape) == (window, strides)


def score(network, row, target):
    return float(network(row[None])[0, target].detach())


@pytest.mark.parametrize("modality", ["table", "text"])
def test_default_windows_of_tables_and_texts_are_features(network, modality):
    index = torch.tensor([[0, 1, 1, 1, 2, 3]])  # a column of three elements
    background = Background(modality)
    batch = make_batch(normal(3, 6), 1, features=FeatureMap.from_index(index), background=background)
    reference = normal(3, 6, seed=1)
    handle = bind(network, batch)
    got = Occlusion().attribute(handle, batch, reference, draws(batch))
    assert handle.counter.forward == 3 * (1 + 4)
    same(batch.features.pool(got), feature_values(FeatureAblation(), network, batch, reference)[0])
    same(got[:, 1], got[:, 3])
    for i in range(3):
        row = torch.where(index[0] == 1, reference[i], batch.inputs[i])
        change = score(network, batch.inputs[i], 1) - score(network, row, 1)
        same(got[i, 1:4].sum(), torch.tensor(change, dtype=torch.float64))
    with pytest.raises(Unsupported, match=f"for a {modality} set sliding_window_shapes too"):
        explained(Occlusion(strides=2), network, batch, reference)


def test_default_windows_of_time_series_cover_all_channels():
    network = nn.Sequential(nn.Flatten(), nn.Linear(2 * 32, 2)).double()
    x = normal(2, 2, 32)
    batch, reference = make_batch(x, 1), normal(2, 2, 32, seed=1)
    got = Occlusion().attribute(bind(network, batch), batch, reference, draws(batch))
    parts = (network[1].weight[1].view(2, 32) * (x - reference)).detach()
    for t in range(32):  # windows of two steps, one step apart
        covering = [parts[:, :, s : s + 2].sum((1, 2)) for s in range(31) if s <= t < s + 2]
        same(got[:, 0, t], torch.stack(covering).mean(0))
        same(got[:, 1, t], got[:, 0, t])


def test_declared_passes_where_the_shape_determines_them():
    assert Occlusion().passes((9,), 4) == Cost(5)
    assert Occlusion().passes((3, 16, 16), 256) == Cost(1 + 15 * 15)
    assert Occlusion().passes((4, 16), 16) is None  # a text of four tokens, or a time series of four channels
    assert Occlusion(sliding_window_shapes=(4, 2)).passes((4, 16), 16) == Cost(1 + 15)
