"""Methods that take something away: windows, features from other examples, random masks."""

from __future__ import annotations

import math

import pytest
import torch
from builders import bind, draws, make_batch, normal, pixel_map
from feature_games import explained, same, small_network
from reference import shapley_slow as slow
from torch import nn

from xaiexp.builtin.methods.perturbation.feature_ablation import FeatureAblation
from xaiexp.builtin.methods.perturbation.feature_permutation import FeaturePermutation
from xaiexp.builtin.methods.perturbation.occlusion import Occlusion
from xaiexp.builtin.methods.perturbation.random_masks import image_masks
from xaiexp.builtin.methods.perturbation.rise import Rise
from xaiexp.core.batches import Background
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported
from xaiexp.inference.passes import Passes

network = pytest.fixture(small_network)


@pytest.fixture
def picture_network():
    torch.manual_seed(0)
    convolution = nn.Conv2d(2, 4, 3, padding=1)
    return nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 5, 3)).double().eval()


def score(network, row, target):
    return float(network(row[None])[0, target].detach())


# Occlusion


@pytest.mark.parametrize("modality", ["table", "text"])
def test_where_nothing_slides_a_window_is_a_feature(network, modality):
    index = torch.tensor([[0, 1, 1, 1, 2, 3]])  # a column of three elements
    background = Background(modality)
    batch = make_batch(normal(3, 6), 1, features=FeatureMap.from_index(index), background=background)
    reference = normal(3, 6, seed=1)
    handle = bind(network, batch)
    got = Occlusion().attribute(handle, batch, reference, draws(batch))
    assert handle.counter.forward == 3 * (1 + 4)
    same(batch.features.pool(got), explained(FeatureAblation(), network, batch, reference)[0])
    same(got[:, 1], got[:, 3])
    for i in range(3):
        row = torch.where(index[0] == 1, reference[i], batch.inputs[i])
        same(got[i, 1:4].sum(), score(network, batch.inputs[i], 1) - score(network, row, 1))
    with pytest.raises(Unsupported, match=f"for a {modality} give sliding_window_shapes too"):
        explained(Occlusion(strides=2), network, batch, reference)


def test_windows_of_a_series_go_over_all_its_channels():
    network = nn.Sequential(nn.Flatten(), nn.Linear(2 * 32, 2)).double()
    x = normal(2, 2, 32)
    batch, reference = make_batch(x, 1), normal(2, 2, 32, seed=1)
    got = Occlusion().attribute(bind(network, batch), batch, reference, draws(batch))
    parts = (network[1].weight[1].view(2, 32) * (x - reference)).detach()
    for t in range(32):  # windows of two steps, one step apart
        covering = [parts[:, :, s : s + 2].sum((1, 2)) for s in range(31) if s <= t < s + 2]
        same(got[:, 0, t], torch.stack(covering).mean(0))
        same(got[:, 1, t], got[:, 0, t])


def test_passes_of_occlusion_where_the_shape_tells_them():
    assert Occlusion().passes((9,), 4) == Cost(5)
    assert Occlusion().passes((3, 16, 16), 256) == Cost(1 + 15 * 15)
    assert Occlusion().passes((4, 16), 16) is None  # a text of four tokens, or a series of four channels
    assert Occlusion(sliding_window_shapes=(4, 2)).passes((4, 16), 16) == Cost(1 + 15)


# Feature permutation


@pytest.mark.parametrize("budget", [3, None])
def test_feature_permutation_is_the_mean_over_the_drawn_examples(network, budget):
    index = torch.tensor([[0, 0, 1, 2, 2, -1]])
    features = FeatureMap(index, torch.tensor([3]), (3,))
    pool = normal(7, 6, seed=3)
    batch = make_batch(
        normal(4, 6), torch.tensor([0, 1, 2, 0]), features=features, background=Background("table", pool)
    )
    got, errors = explained(FeaturePermutation(n_samples=5), network, batch, budget=budget)
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


def test_one_drawn_example_has_no_standard_error_and_itself_makes_no_difference(network):
    x = normal(1, 6)
    batch = make_batch(x, 0, background=Background("table", x))
    got, errors = explained(FeaturePermutation(n_samples=1), network, batch)
    assert not got.any()
    assert bool(errors.isnan().all())
    assert not explained(FeaturePermutation(n_samples=3), network, batch)[1].any()


def test_feature_permutation_is_that_of_captum_given_who_is_taken_from(network):
    captum = pytest.importorskip("captum.attr")
    x, targets = normal(5, 6), torch.tensor([0, 1, 2, 0, 1])
    index = torch.tensor([[0, 0, 1, 2, 2, 3]])
    batch = make_batch(x, targets, features=FeatureMap.from_index(index), background=Background("table", x))
    rows = draws(batch).integers("row", 5, samples=range(1))[:, 0]
    taken = captum.FeaturePermutation(network, perm_func=lambda v, mask: torch.where(mask, v[rows], v))
    want = taken.attribute(x, targets, feature_mask=index)
    got, _ = explained(FeaturePermutation(n_samples=1), network, batch)
    same(got, want[:, [0, 2, 3, 5]], 1e-6)


def test_other_examples_are_needed_and_of_the_same_shape(network):
    batch = make_batch(normal(2, 6))
    with pytest.raises(Unsupported, match="there are none here: give background="):
        explained(FeaturePermutation(), network, batch)
    batch = make_batch(normal(2, 6), background=Background("table", normal(2, 5)))
    with pytest.raises(Unsupported, match=r"these are \[6\], those to take values from are \[5\]"):
        explained(FeaturePermutation(), network, batch)


# RISE


@pytest.mark.parametrize(("shape", "grid"), [((2, 20, 13), 4), ((1, 7, 7), 7), ((3, 5, 6), 8), ((1, 9, 9), 1)])
def test_masks_of_pictures_are_enlarged_grids_cut_out_at_a_random_place(shape, grid):
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


def test_a_pixel_shows_as_often_as_was_asked_for():
    masks = image_masks(Draws(0, ("a",)), (1, 12, 12), 3, 0.3, range(6000))
    assert float((masks.mean((0, 1)) - 0.3).abs().max()) < 0.03
    shifted = image_masks(Draws(0, ("a",)), (1, 12, 12), 3, 0.3, range(400))[0]
    edges = (shifted.diff(dim=2).abs() > 0.1).any(1).float().mean(0)
    assert float(edges.min()) > 0.1  # no seam of the grid stays in its place


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("budget", [7, None])
def test_rise_over_pictures_is_the_weighed_mean_of_the_scores(picture_network, centered, budget):
    x, x0 = normal(2, 2, 6, 5), normal(2, 2, 6, 5, seed=1)
    halves = FeatureMap.from_index((torch.arange(5) // 2).view(1, 1, 1, 5).expand(1, 2, 6, 5).contiguous())
    for features in (pixel_map((2, 6, 5)), halves):
        batch = make_batch(x, torch.tensor([0, 2]), features=features)
        method = Rise(n_masks=25, grid=3, p=0.3, centered=centered)
        got, errors = explained(method, picture_network, batch, x0, budget=budget)
        masks = image_masks(draws(batch), (2, 6, 5), 3, 0.3, range(25)).double()
        for i in range(2):
            points = [x0[i] + mask * (x[i] - x0[i]) for mask in masks[i]]
            scores = [score(picture_network, point, int(batch.targets[i])) for point in points]
            shown = [[float(mask[features.index[0, 0] == j].mean()) for j in range(features.d)] for mask in masks[i]]
            same(got[i], slow.rise(scores, shown, 0.3, centered), 1e-6)
            same(errors[i], slow.rise_error(scores, shown, 0.3, centered), 1e-6)


@pytest.mark.parametrize("centered", [True, False])
def test_rise_over_features_that_differ_in_number(network, centered):
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
            kept = torch.cat((mask.bool(), torch.tensor([True])))[index[i]]  # -1 is the last: always kept
            scores.append(score(network, torch.where(kept, batch.inputs[i], reference[i]), 1))
        same(values[i, :d], slow.rise(scores, masks.tolist(), 0.5, centered))
        same(got.standard_error[i, :d], slow.rise_error(scores, masks.tolist(), 0.5, centered))
        assert not values[i, d:].any()
        assert not got.standard_error[i, d:].any()
    assert not values[2].any()
    assert not got.standard_error[2].any()


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_standard_errors_of_rise_are_the_spread_over_seeds(network, centered, output):
    x = normal(1, 6).expand(600, 6).contiguous()
    batch = make_batch(x, 0)
    got, errors = explained(Rise(n_masks=80, centered=centered), network, batch, torch.zeros_like(x), output=output)
    ratio = errors.square().mean(0).sqrt() / got.std(0)
    assert float((ratio - 1).abs().max()) < 0.12


def test_standard_errors_of_rise_over_pictures(picture_network):
    x = normal(1, 2, 6, 5).expand(300, 2, 6, 5).contiguous()
    batch = make_batch(x, 0, features=pixel_map((2, 6, 5)))
    got, errors = explained(Rise(n_masks=60, grid=3), picture_network, batch, torch.zeros_like(x))
    assert float(errors.square().mean().sqrt() / got.var(0).mean().sqrt()) == pytest.approx(1.0, abs=0.08)


def test_centred_rise_of_a_linear_model_is_each_part_times_the_chance_to_hide_it():
    w, x, x0 = normal(6), normal(1, 6, seed=1), normal(1, 6, seed=2)
    batch = make_batch(x, 0)
    network = lambda v: (v @ w + 30.0).unsqueeze(1)  # noqa: E731 -- a function of one line
    got, errors = explained(Rise(n_masks=20000, p=0.7), network, batch, x0)
    want = 0.3 * w * (x - x0)
    assert float(((got - want) / errors).abs().max()) < 4
    assert float((errors / want.abs().max()).max()) < 0.05
    # The paper's sum is the same up to a constant, under the noise of the large mean.
    plain, noise = explained(Rise(n_masks=20000, p=0.7, centered=False), network, batch, x0)
    away = want + float((x0 @ w + 0.7 * ((x - x0) @ w)) + 30.0)
    assert float(((plain - away) / noise).abs().max()) < 4
    assert float(noise.min()) > 5 * float(errors.max())
    assert Rise().signed
    assert not Rise(centered=False).signed


def test_masks_follow_the_cells_of_a_picture_or_the_features_elsewhere():
    assert Rise().passes((3, 224, 224), 50176) == Cost(2 * 49 + 2048)
    assert Rise().passes((30,), 30) == Cost(2 * 30 + 2048)
    assert Rise(sample_factor=4.0).passes((30,), 30) == Cost(4 * 2108)
    assert Rise(n_masks=10).passes((30,), 30) == Cost(10)


@pytest.mark.parametrize(
    "method", [FeatureAblation(), Occlusion(), FeaturePermutation(), Rise(n_masks=200)], ids=lambda m: m.name
)
@pytest.mark.parametrize(("precision", "unit"), [("bf16", 2**-7), ("fp16", 2**-10)])
def test_half_precision(method, precision, unit):
    """A difference of two scores: within two units of the last place of the largest score of the network."""
    assert precision in method.precisions
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 3)).eval()
    with torch.no_grad():
        for layer in network[::2]:
            layer.weight *= 2
    x = normal(8, 10).float()
    batch = make_batch(x, torch.arange(8) % 3, background=Background("table", normal(9, 10, seed=1).float()))
    exact, _ = explained(method, network, batch, torch.zeros_like(x))
    handle = Passes(network, precision=precision).bind(batch)
    got = method.attribute(handle, batch, torch.zeros_like(x), draws(batch))
    got = batch.features.pool(got.values if isinstance(got, Estimate) else got)
    assert 0 < float((got - exact).abs().max()) < 2 * unit * float(bind(network, batch).scores().abs().max())
