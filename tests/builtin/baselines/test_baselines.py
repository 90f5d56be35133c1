from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import draws, make_batch
from scipy import ndimage, stats

from xaiexp.builtin.baselines import COMPONENTS
from xaiexp.builtin.baselines.blur import Blur
from xaiexp.builtin.baselines.constants import Constant, Mean, Zero
from xaiexp.builtin.baselines.dataset_samples import DatasetSample
from xaiexp.builtin.baselines.noise import Gaussian, Uniform
from xaiexp.builtin.baselines.tokens import MaskToken, PadToken
from xaiexp.builtin.gaussian_blur import default_sigma, gaussian_blur
from xaiexp.contract.registry import flaw
from xaiexp.core.batches import Background
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import ParameterError, Unsupported

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def photos(n=3, size=6, seed=0, ids=None):
    """Random photos in [0, 1], normalised as for ImageNet models."""
    generator = torch.Generator().manual_seed(seed)
    pool = (torch.rand(5, 3, size, size, generator=generator) - MEAN) / STD
    background = Background(
        "image",
        pool=pool,
        mean=pool.mean((0, 2, 3)).view(3, 1, 1),
        low=(0 - MEAN) / STD,
        high=(1 - MEAN) / STD,
        shift=MEAN,
        scale=STD,
    )
    return make_batch(pool[torch.arange(n) % 5], background=background, ids=ids)


def texts(special):
    inputs = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    index = torch.tensor([[-1, 0, 1, -1], [-1, 0, -1, -1]]).unsqueeze(-1).expand(2, 4, 3)
    background = Background("text", mean=torch.tensor([1.0, 2.0, 3.0]), special=special)
    features = FeatureMap(index, torch.tensor([2, 1]), (2,))
    return make_batch(inputs, background=background, features=features, modality="text")


def references(baseline, batch, seed=0):
    return baseline.references(batch, draws(batch, seed))


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.name)
def test_every_baseline_declares_its_facts(component):
    assert flaw(component) == ""
    assert component().parameters() is not None


def test_zero_is_black_but_not_zero_in_model_space():
    batch = photos()
    out = references(Zero(), batch)
    torch.testing.assert_close(batch.background.decode(out), torch.zeros_like(out), atol=1e-6, rtol=0)
    torch.testing.assert_close(out[1, :, 2, 3], torch.tensor([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]))


def test_zero_is_the_zero_embedding_of_a_text():
    assert (references(Zero(), texts({})) == 0).all()


def test_constant_is_given_in_data_space():
    batch = photos()
    out = references(Constant(0.25), batch)
    torch.testing.assert_close(batch.background.decode(out), torch.full_like(out, 0.25))


def test_mean_is_the_mean_of_the_background():
    batch = photos()
    out = references(Mean(), batch)
    torch.testing.assert_close(out[2, :, 5, 0], batch.background.pool.mean((0, 2, 3)))
    torch.testing.assert_close(references(Mean(), texts({}))[1, 3], torch.tensor([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("sigma", [0.4, 1.7, 9.0])
@pytest.mark.parametrize("shape", [(7, 12), (3, 5)])
def test_blur_equals_scipy(sigma, shape):
    x = torch.rand(2, 3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = ndimage.gaussian_filter(x.numpy(), (0, 0, sigma, sigma), mode="reflect", truncate=4.0)
    np.testing.assert_allclose(gaussian_blur(x, sigma).numpy(), expected, atol=1e-12)


def test_blur_of_a_series_equals_scipy_per_channel():
    x = torch.rand(2, 3, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    out = references(Blur(sigma=2.5), make_batch(x))
    np.testing.assert_allclose(out.numpy(), ndimage.gaussian_filter1d(x.numpy(), 2.5, mode="reflect"), atol=1e-12)


def test_blur_commutes_with_normalisation():
    batch = photos(size=16)
    data = batch.background.decode(batch.inputs)
    out = batch.background.decode(references(Blur(), batch))
    torch.testing.assert_close(out, gaussian_blur(data, default_sigma((16, 16))), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.mean((2, 3)), data.mean((2, 3)), atol=1e-5, rtol=0)


def test_uniform_fills_the_range_of_the_data():
    batch = photos(size=24)
    data = batch.background.decode(references(Uniform(n_references=4), batch))
    assert data.shape == (3, 4, 3, 24, 24)
    for channel in range(3):
        assert stats.kstest(data[:, :, channel].flatten().numpy(), "uniform").pvalue > 1e-3


def test_gaussian_is_the_input_plus_noise_in_fractions_of_the_range():
    batch = photos(size=24)
    out = references(Gaussian(noise_level=0.2, n_references=4), batch)
    noise = batch.background.decode(out) - batch.background.decode(batch.inputs).unsqueeze(1)
    for channel in range(3):  # the data's range is 1 in every channel
        assert stats.kstest(noise[:, :, channel].flatten().numpy(), "norm", (0, 0.2)).pvalue > 1e-3


def test_dataset_sample_draws_uniformly_from_the_pool():
    batch = photos(n=60)
    out = references(DatasetSample(n_references=20), batch)
    matches = (out.unsqueeze(2) == batch.background.pool).flatten(3).all(3)
    assert matches.shape == (60, 20, 5)
    assert (matches.sum(2) == 1).all()
    assert stats.chisquare(matches.sum((0, 1)).numpy()).pvalue > 1e-3


@pytest.mark.parametrize(
    "baseline", [Zero(), Constant(), Mean(), Blur(), Uniform(2), Gaussian(), DatasetSample(3)], ids=lambda b: b.name
)
def test_references_do_not_depend_on_the_batch(baseline):
    ids = ("a", "b", "c")
    batch = photos(ids=ids)
    single = make_batch(batch.inputs[1:2], ids=ids[1:2], background=batch.background)
    before = batch.inputs.clone()
    joint = references(baseline, batch)
    torch.testing.assert_close(references(baseline, single)[0], joint[1], atol=1e-6, rtol=0)
    assert torch.equal(references(baseline, batch), joint)
    assert torch.equal(batch.inputs, before)
    joint.add_(1)  # the returned tensor belongs to the caller
    assert torch.equal(batch.inputs, before)


@pytest.mark.parametrize("baseline", [Uniform(), Gaussian(), DatasetSample()], ids=lambda b: b.name)
def test_random_references_differ_between_seeds_and_examples(baseline):
    batch = photos()
    assert not torch.equal(references(baseline, batch, 0), references(baseline, batch, 1))
    same = make_batch(batch.inputs[[0, 0]], ids=("a", "b"), background=batch.background)
    out = references(baseline, same)
    assert not torch.equal(out[0], out[1])


def test_references_keep_the_dtype_of_the_inputs():
    batch = photos()
    double = make_batch(batch.inputs.double(), background=batch.background)
    for baseline in (Zero(), Mean(), Blur(), Uniform(), Gaussian(), DatasetSample()):
        assert references(baseline, double).dtype == torch.float64


def test_token_baselines_are_the_embedding_of_their_token():
    pad, mask = torch.tensor([1.0, 0.0, -1.0]), torch.tensor([5.0, 6.0, 7.0])
    batch = texts({"pad": pad, "mask": mask})
    assert torch.equal(references(PadToken(), batch)[1, 2], pad)
    assert torch.equal(references(MaskToken(), batch)[0, 3], mask)


def test_a_missing_token_raises_with_the_available_ones():
    with pytest.raises(Unsupported, match="has none: use baseline 'pad_token' or 'zero'"):
        references(MaskToken(), texts({"pad": torch.zeros(3)}))
    with pytest.raises(Unsupported, match="has none: use baseline 'zero'"):
        references(PadToken(), texts({}))


@pytest.mark.parametrize(
    ("baseline", "reason"),
    [
        (Mean(), "'mean' needs examples of the data .* 'zero' or 'constant'"),
        (Uniform(), "'uniform' needs the range of the data"),
        (Gaussian(), "'gaussian' needs the range of the data"),
        (DatasetSample(), "'dataset_sample' needs examples .* 'zero' or 'uniform'"),
    ],
    ids=lambda b: getattr(b, "name", ""),
)
def test_an_unknown_background_raises(baseline, reason):
    batch = make_batch(torch.zeros(2, 3, 4, 4), background=Background("image"))
    with pytest.raises(Unsupported, match=reason):
        references(baseline, batch)


def test_blur_does_not_support_tables():
    with pytest.raises(Unsupported, match="needs images or series, but the inputs are table"):
        references(Blur(), make_batch(torch.zeros(2, 5)))


def test_a_pool_of_another_shape_raises():
    background = Background("image", pool=torch.zeros(2, 3, 5, 5))
    with pytest.raises(Unsupported, match=r"the inputs are \[3, 4, 4\], the examples to draw from \[3, 5, 5\]"):
        references(DatasetSample(), make_batch(torch.zeros(2, 3, 4, 4), background=background))


def test_sigma_must_be_positive():
    with pytest.raises(ParameterError, match=r"baseline\.blur\.sigma: must be more than 0"):
        Blur(sigma=0.0)
