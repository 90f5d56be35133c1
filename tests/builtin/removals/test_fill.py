from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import draws, element_map, make_batch, pixel_map
from reference.imputation_sparse import impute as impute_sparse
from scipy.ndimage import gaussian_filter

from xaiexp.builtin.removals import imputation
from xaiexp.builtin.removals.fill import fill_for, removed_inputs
from xaiexp.builtin.removals.multigrid import MultigridSolver
from xaiexp.builtin.removals.named import COMPONENTS
from xaiexp.core.batches import Background
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported

NAMES = [cls.name for cls in COMPONENTS if cls.name not in ("auto", "noisy_linear", "marginal")]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def background(modality, channels=2, **facts):
    ends = torch.full((channels, *[1] * {"image": 2, "series": 1, "table": 0}[modality]), 2.0, dtype=torch.float64)
    return Background(modality, mean=ends / 4, low=-ends, high=ends, **facts)


def images(shape=(2, 5, 7), n=3):
    return make_batch(normal(n, *shape), features=pixel_map(shape), background=background("image"))


def masks(height, width):
    """Known pixels: scattered, in tiles, in smooth patches, a border, a corner."""
    rng = np.random.default_rng(0)
    tiles = (rng.random((-(-height // 4), -(-width // 4))) > 0.5).repeat(4, 0).repeat(4, 1)[:height, :width]
    smooth = gaussian_filter(rng.normal(size=(height, width)), 2)
    half = np.zeros((height, width), dtype=bool)
    half[:, : max(1, width // 8)] = True
    corner = np.zeros((height, width), dtype=bool)
    corner[0, -1] = True
    masks = [rng.random((height, width)) > share for share in (0.1, 0.5, 0.95)]
    masks += [tiles, smooth > np.median(smooth), half, corner, np.ones((height, width), dtype=bool)]
    for mask in masks:
        mask[height // 2, width // 2] = True
    return torch.from_numpy(np.stack(masks))


# Linear imputation


@pytest.mark.parametrize("size", [(32, 32), (33, 20), (7, 50), (5, 5), (2, 9), (1, 8), (8, 1), (1, 1)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float64, 1e-3), (torch.float32, 1e-4)])
def test_imputed_pixels_solve_the_equations(size, dtype, tolerance):
    known = masks(*size)
    planes = normal(len(known), *size)
    want = np.stack([impute_sparse(p.numpy(), k.numpy()) for p, k in zip(planes, known, strict=True)])
    limit = torch.full((len(known), 1, 1), tolerance, dtype=dtype)
    got = imputation.solve(planes.to(dtype), known, limit)
    assert got.dtype == dtype
    # The stopping rule estimates the error from one cycle, which is accurate to a small factor.
    torch.testing.assert_close(got.double(), torch.from_numpy(want), rtol=0, atol=4 * tolerance)
    assert torch.equal(got[known], planes.to(dtype)[known])


def test_the_number_of_cycles_hardly_grows_with_the_image(monkeypatch):
    real, calls = MultigridSolver.correct, []

    def counted(self, x, change, level=0):
        calls.extend([1] if level == 0 else [])
        return real(self, x, change, level)

    monkeypatch.setattr(MultigridSolver, "correct", counted)
    needed = []
    for side in (16, 32, 64, 128):
        calls.clear()
        known = masks(side, side)
        imputation.solve(normal(len(known), side, side), known, torch.full((len(known), 1, 1), 1e-3).double())
        needed.append(len(calls))
    assert max(needed) <= 6
    assert needed[-1] <= needed[0] + 2


def test_the_solution_of_a_plane_does_not_depend_on_the_others():
    known = masks(20, 24)
    planes, limit = normal(len(known), 20, 24), torch.full((len(known), 1, 1), 1e-3).double()
    joint = imputation.solve(planes, known, limit)
    for k in range(len(known)):
        one = imputation.solve(planes[k : k + 1], known[k : k + 1], limit[:1])
        torch.testing.assert_close(one[0], joint[k], rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_channels_that_share_a_mask_have_the_same_solution_as_separate_channels(dtype):
    known = masks(18, 21)
    values = normal(len(known), 3, 18, 21).to(dtype)
    fallback = torch.zeros(3, 1, 1, dtype=dtype)
    joint = imputation.impute(values, known.unsqueeze(1), fallback, 1e-5)
    separate = imputation.impute(values, known.unsqueeze(1).expand(values.shape).clone(), fallback, 1e-5)
    torch.testing.assert_close(joint, separate, rtol=0, atol=8e-5)
    assert torch.equal(torch.where(known.unsqueeze(1), joint, 0.0), torch.where(known.unsqueeze(1), values, 0.0))


def test_one_known_pixel_gives_a_constant_plane_and_known_ends_give_a_ramp():
    known = torch.zeros(1, 16, 16, dtype=torch.bool)
    known[0, 3, 4] = True
    limit = torch.full((1, 1, 1), 1e-12).double()
    got = imputation.solve(normal(1, 16, 16), known, limit)
    torch.testing.assert_close(got, got[0, 3, 4].expand(1, 16, 16))
    ramp = torch.arange(16).double().expand(1, 16, 16).contiguous()
    known = torch.zeros(1, 16, 16, dtype=torch.bool)
    known[0, :, 0] = known[0, :, -1] = True
    torch.testing.assert_close(imputation.solve(ramp * known, known, limit), ramp)


def test_rounding_errors_do_not_accumulate_with_a_single_known_pixel():
    known = torch.zeros(1, 200, 200, dtype=torch.bool)
    known[0, 0, 0] = True
    got = imputation.solve(torch.full((1, 200, 200), 0.7), known, torch.full((1, 1, 1), 1e-3))
    torch.testing.assert_close(got, torch.full((1, 200, 200), 0.7))


def test_values_of_unknown_pixels_are_not_read():
    known = masks(9, 9)[1].expand(2, 3, 9, 9)
    values = normal(2, 3, 9, 9)
    fallback = torch.zeros(3, 1, 1).double()
    first = imputation.impute(values, known, fallback, 1e-9)
    other = imputation.impute(torch.where(known, values, torch.nan), known, fallback, 1e-9)
    assert torch.equal(first, other)
    assert not first.isnan().any()


def test_imputation_does_not_depend_on_the_block_size(monkeypatch):
    known = masks(12, 14).unsqueeze(1)
    values, fallback = normal(len(known), 2, 12, 14), torch.zeros(2, 1, 1).double()
    whole = imputation.impute(values, known, fallback, 1e-3)
    monkeypatch.setattr(imputation, "_BLOCK_VALUES", 3 * values[0].numel())
    torch.testing.assert_close(imputation.impute(values, known, fallback, 1e-3), whole, rtol=0, atol=1e-12)


def test_unknown_steps_of_a_time_series_are_interpolated_linearly():
    rng = np.random.default_rng(0)
    values, known = rng.normal(size=(40, 17)), rng.random((40, 17)) > 0.6
    known[:, 5] = True
    got = imputation.interpolate(torch.from_numpy(values), torch.from_numpy(known))
    for row, mask, line in zip(values, known, got.numpy(), strict=True):
        (known_steps,) = mask.nonzero()
        np.testing.assert_allclose(line, np.interp(np.arange(17), known_steps, row[known_steps]), atol=1e-12)
        # Each step is the mean of its neighbours, as in an image.
        for t in set(range(1, 16)) - set(known_steps):
            assert line[t] == pytest.approx((line[t - 1] + line[t + 1]) / 2)


# The removals


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"token_deletion"}))  # it has none, and is for prompts
def test_every_removal_is_a_baseline_with_one_reference(name):
    modality = "text" if name.endswith("token") else "image"
    if modality == "image":
        batch = images()
    else:
        special = {"pad": normal(3), "mask": normal(3, seed=1)}
        batch = make_batch(normal(2, 4, 3), background=Background("text", special=special))
    replacement = removed_inputs(name, batch, draws(batch))
    assert replacement.shape == batch.inputs.shape
    assert not torch.equal(replacement, batch.inputs)


@pytest.mark.parametrize("name", ["auto", "zero", "blur", "noisy_linear"])
def test_a_fill_replaces_exactly_the_features_that_are_not_present(name):
    batch = images()
    fill = fill_for(name, batch, draws(batch))
    owners, present = torch.tensor([2, 0, 2, 1]), normal(4, 35, seed=3) > 0
    got = fill(owners, present)
    kept = present.view(4, 1, 5, 7).expand(4, 2, 5, 7)
    assert torch.equal(got[kept], batch.inputs[owners][kept])
    assert not torch.isclose(got[~kept], batch.inputs[owners][~kept]).any()
    if fill.reference is not None:
        assert torch.equal(got[~kept], removed_inputs(name, batch, draws(batch))[owners][~kept])
    for k in range(4):
        one = fill(owners[k : k + 1], present[k : k + 1])
        torch.testing.assert_close(one[0], got[k], rtol=0, atol=1e-12)


def test_elements_of_no_feature_are_known_to_the_imputation():
    index = torch.arange(35).view(1, 1, 5, 7).clone() - 7  # the first row belongs to no feature
    index[index < 0] = -1
    batch = replace(images(), features=FeatureMap(index.expand(1, 2, 5, 7), torch.tensor([28]), (28,)))
    nothing = removed_inputs("noisy_linear", batch, draws(batch))
    assert torch.equal(nothing[:, :, 0], batch.inputs[:, :, 0])
    noise = draws(batch).within("removal").normal("noisy_linear", batch.shape) * 0.04
    known = np.zeros((5, 7), dtype=bool)
    known[0] = True
    for n in range(3):
        for c in range(2):
            want = impute_sparse(batch.inputs[n, c].numpy(), known) + np.where(known, 0, noise[n, c].numpy())
            np.testing.assert_allclose(nothing[n, c], want, atol=4 * 4e-3)


def test_the_noise_of_imputed_pixels_is_a_hundredth_of_the_range_and_equal_for_every_mask():
    batch = images((2, 40, 40))
    fill = fill_for("noisy_linear", batch, draws(batch))
    present = normal(3, 1600, seed=3) > 0
    present[:, 0] = True
    examples = torch.arange(3)
    got = fill(examples, present)
    known = present.view(3, 1, 40, 40).expand(3, 2, 40, 40)
    smooth = imputation.impute(batch.inputs, known, batch.background.mean, 1e-9)
    noise = (got - smooth)[~known]
    assert float(noise.std()) == pytest.approx(0.04, rel=0.05)
    assert abs(float(noise.mean())) < 4 * 0.04 / noise.numel() ** 0.5 + 1e-3
    other = fill(examples, ~present)
    both = fill(examples, torch.zeros_like(present))
    mean = batch.background.mean
    # Where everything is missing, the fill is the mean of the data plus the same noise.
    torch.testing.assert_close((both - mean)[~known], noise, rtol=0, atol=2 * 4e-3)
    assert torch.equal(other[~known], batch.inputs[~known])


def test_channels_with_separate_features_are_imputed_separately():
    batch = make_batch(normal(2, 2, 6, 6), background=background("image"), features=element_map((2, 6, 6)))
    present = torch.ones(2, 72, dtype=torch.bool)
    present[:, 40:50] = False  # in the second channel only
    got = fill_for("noisy_linear", batch, draws(batch))(torch.arange(2), present)
    assert torch.equal(got[:, 0], batch.inputs[:, 0])
    known = present[0].view(2, 6, 6)[1].numpy()
    for n in range(2):
        want = impute_sparse(batch.inputs[n, 1].numpy(), known)
        np.testing.assert_allclose(got[n, 1], want, atol=5 * 0.04)


def test_time_series_are_imputed_along_time():
    batch = make_batch(
        normal(2, 2, 9),
        background=background("series"),
        features=FeatureMap.from_index(torch.arange(9).view(1, 1, 9).expand(1, 2, 9)),
    )
    present = torch.ones(2, 9, dtype=torch.bool)
    present[:, 3:6] = False
    got = fill_for("noisy_linear", batch, draws(batch))(torch.arange(2), present)
    noise = draws(batch).within("removal").normal("noisy_linear", batch.shape) * 0.04
    x = batch.inputs
    for k, share in enumerate((0.25, 0.5, 0.75)):
        want = x[:, :, 2] + share * (x[:, :, 6] - x[:, :, 2]) + noise[:, :, 3 + k]
        torch.testing.assert_close(got[:, :, 3 + k], want)


@pytest.mark.parametrize(
    ("modality", "shape", "name", "words"),
    [
        ("table", (4,), "noisy_linear", "is for images and time series; the inputs are tables"),
        ("table", (4,), "blur", "blur"),
        ("text", (4, 3), "noisy_linear", "is for images and time series; the inputs are texts"),
        ("text", (4, 3), "black", "black"),
        ("image", (2, 4, 4), "noisy_linear", "needs low, high of the data"),
        ("image", (2, 4, 4), "pad_token", "pad_token"),
    ],
)
def test_a_removal_that_does_not_support_the_inputs_raises_unsupported(modality, shape, name, words):
    batch = make_batch(normal(2, *shape), background=Background(modality))
    with pytest.raises(Unsupported, match=words):
        fill_for(name, batch, draws(batch))


def test_deleted_tokens_are_embeddings_of_nan_and_need_a_language_model():
    context = {"continuation": torch.zeros(2, 1, 1, dtype=torch.int64)}
    batch = make_batch(normal(2, 4, 3), background=Background("text"), context=context)
    fill = fill_for("token_deletion", batch, draws(batch))
    assert fill.reference is None
    present = torch.ones(2, batch.features.d, dtype=torch.bool)
    present[1, :3] = False  # the elements of the first token
    found = fill(torch.tensor([0, 1]), present)
    assert torch.equal(found[0], batch.inputs[0])
    assert bool(found[1, 0].isnan().all())
    assert torch.equal(found[1, 1:], batch.inputs[1, 1:])
    with pytest.raises(Unsupported, match="needs a language model"):
        fill_for("token_deletion", make_batch(normal(2, 4, 3), background=Background("text")), draws(batch))
