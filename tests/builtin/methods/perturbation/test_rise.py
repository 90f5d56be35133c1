"""RISE: masks, attributions and standard errors."""

from __future__ import annotations

import math

import pytest
import torch
from builders import bind, draws, make_batch, normal, pixel_map
from feature_games import feature_values, same, small_network
from reference import shapley_slow as slow
from torch import nn

from xaiexp.builtin.methods.perturbation.random_masks import image_masks
from xaiexp.builtin.methods.perturbation.rise import Rise
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Cost
from xaiexp.core.feature_map import FeatureMap

network = pytest.fixture(small_network)


@pytest.fixture
def image_network():
    torch.manual_seed(0)
    convolution = nn.Conv2d(2, 4, 3, padding=1)
    return nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 5, 3)).double().eval()


def score(network, row, target):
    return float(network(row[None])[0, target].detach())


@pytest.mark.parametrize(("shape", "grid"), [((2, 20, 13), 4), ((1, 7, 7), 7), ((3, 5, 6), 8), ((1, 9, 9), 1)])
def test_image_masks_are_upsampled_grids_cropped_at_a_random_offset(shape, grid):
    transform = pytest.importorskip("skimage.transform")
    rng = Draws(0, ("a", "b"))
    masks = image_masks(rng, shape, grid, 0.4, range(3, 9))
    cells = rng.uniform("cells", (grid, grid), samples=range(3, 9)) < 0.4
    height, width = shape[1:]
    down, right = math.ceil(height / grid), math.ceil(width / grid)
    rows = rng.integers("shift/rows", down, samples=range(3, 9))
    columns = rng.integers("shift/columns", right, samples=range(3, 9))
    for i in range(2):
        for s in range(6):
            enlarged = transform.resize(
                cells[i, s].double().numpy(),
                ((grid + 1) * down, (grid + 1) * right),
                order=1,
                mode="edge",
                anti_aliasing=False,
            )
            y, x = int(rows[i, s]), int(columns[i, s])
            want = torch.as_tensor(enlarged[y : y + height, x : x + width])
            torch.testing.assert_close(masks[i, s].double(), want, rtol=0, atol=1e-5)


def test_expected_mask_value_is_p_everywhere():
    masks = image_masks(Draws(0, ("a",)), (1, 12, 12), 3, 0.3, range(6000))
    assert float((masks.mean((0, 1)) - 0.3).abs().max()) < 0.03
    shifted = image_masks(Draws(0, ("a",)), (1, 12, 12), 3, 0.3, range(400))[0]
    edges = (shifted.diff(dim=2).abs() > 0.1).any(1).float().mean(0)
    assert float(edges.min()) > 0.1  # no cell border of the grid has a fixed position


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("budget", [7, None])
def test_rise_of_images_is_the_weighted_mean_of_the_scores(image_network, centered, budget):
    x, x0 = normal(2, 2, 6, 5), normal(2, 2, 6, 5, seed=1)
    halves = FeatureMap.from_index((torch.arange(5) // 2).view(1, 1, 1, 5).expand(1, 2, 6, 5).contiguous())
    for features in (pixel_map((2, 6, 5)), halves):
        batch = make_batch(x, torch.tensor([0, 2]), features=features)
        method = Rise(n_masks=25, grid=3, p=0.3, centered=centered)
        got, errors = feature_values(method, image_network, batch, x0, budget=budget)
        masks = image_masks(draws(batch), (2, 6, 5), 3, 0.3, range(25)).double()
        for i in range(2):
            points = [x0[i] + mask * (x[i] - x0[i]) for mask in masks[i]]
            scores = [score(image_network, point, int(batch.targets[i])) for point in points]
            mask_values = [
                [float(mask[features.index[0, 0] == j].mean()) for j in range(features.d)] for mask in masks[i]
            ]
            same(got[i], slow.rise(scores, mask_values, 0.3, centered), 1e-6)
            same(errors[i], slow.rise_error(scores, mask_values, 0.3, centered), 1e-6)


@pytest.mark.parametrize("centered", [True, False])
def test_rise_of_examples_with_different_numbers_of_features(network, centered):
    index = torch.tensor([[0, 0, 1, 2, 3, -1], [-1, 0, 0, 0, -1, -1], [-1] * 6])
    batch = make_batch(normal(3, 6), 1, features=FeatureMap(index, torch.tensor([4, 1, 0]), (4,)))
    reference = torch.where(index >= 0, normal(3, 6, seed=1), batch.inputs)
    handle = bind(network, batch)
    method = Rise(sample_factor=0.01, centered=centered)
    got = method.attribute(handle, batch, reference, draws(batch))
    counts = [round(0.01 * (2 * 4 + 2048)), round(0.01 * (2 + 2048)), 0]
    assert handle.counter.forward == sum(counts)
    values = batch.features.pool(got.values)
    for i, d in enumerate((4, 1)):
        masks = (draws(batch).uniform("shown", (4,), samples=range(counts[i]))[i, :, :d] < 0.5).double()
        scores = []
        for mask in masks:
            kept = torch.cat((mask.bool(), torch.tensor([True])))[index[i]]  # index -1 is the last element: always kept
            scores.append(score(network, torch.where(kept, batch.inputs[i], reference[i]), 1))
        same(values[i, :d], slow.rise(scores, masks.tolist(), 0.5, centered))
        same(got.standard_error[i, :d], slow.rise_error(scores, masks.tolist(), 0.5, centered))
        assert not values[i, d:].any()
        assert not got.standard_error[i, d:].any()
    assert not values[2].any()
    assert not got.standard_error[2].any()


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_standard_errors_equal_the_deviation_over_seeds(network, centered, output):
    x = normal(1, 6).expand(600, 6).contiguous()
    batch = make_batch(x, 0)
    got, errors = feature_values(
        Rise(n_masks=80, centered=centered), network, batch, torch.zeros_like(x), output=output
    )
    ratio = errors.square().mean(0).sqrt() / got.std(0)
    assert float((ratio - 1).abs().max()) < 0.12


def test_standard_errors_of_images(image_network):
    x = normal(1, 2, 6, 5).expand(300, 2, 6, 5).contiguous()
    batch = make_batch(x, 0, features=pixel_map((2, 6, 5)))
    got, errors = feature_values(Rise(n_masks=60, grid=3), image_network, batch, torch.zeros_like(x))
    assert float(errors.square().mean().sqrt() / got.var(0).mean().sqrt()) == pytest.approx(1.0, abs=0.08)


def test_centred_rise_of_a_linear_model_closed_form():
    w, x, x0 = normal(6), normal(1, 6, seed=1), normal(1, 6, seed=2)
    batch = make_batch(x, 0)
    network = lambda v: (v @ w + 30.0).unsqueeze(1)  # noqa: E731 -- a one-line function
    got, errors = feature_values(Rise(n_masks=20000, p=0.7), network, batch, x0)
    want = 0.3 * w * (x - x0)
    assert float(((got - want) / errors).abs().max()) < 4
    assert float((errors / want.abs().max()).max()) < 0.05
    # The paper's formula is the same up to a constant, with the noise of the large mean.
    plain, noise = feature_values(Rise(n_masks=20000, p=0.7, centered=False), network, batch, x0)
    shifted = want + float((x0 @ w + 0.7 * ((x - x0) @ w)) + 30.0)
    assert float(((plain - shifted) / noise).abs().max()) < 4
    assert float(noise.min()) > 5 * float(errors.max())
    assert Rise().signed
    assert not Rise(centered=False).signed


def test_number_of_masks_depends_on_grid_cells_or_features():
    assert Rise().passes((3, 224, 224), 50176) == Cost(2 * 49 + 2048)
    assert Rise().passes((30,), 30) == Cost(2 * 30 + 2048)
    assert Rise(sample_factor=4.0).passes((30,), 30) == Cost(4 * 2108)
    assert Rise(n_masks=10).passes((30,), 30) == Cost(10)
