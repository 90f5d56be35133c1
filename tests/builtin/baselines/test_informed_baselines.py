"""Baselines that depend on the explained input, its features or other examples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import bind, draws, make_batch
from reference.baselines_slow import farthest_corner, inpainted, nearest_unlike
from torch import nn

from xaiexp.builtin.baselines import COMPONENTS
from xaiexp.builtin.baselines.blur import Blur
from xaiexp.builtin.baselines.constants import Constant, Zero
from xaiexp.builtin.baselines.inpaint import Inpaint, harmonic_interpolation
from xaiexp.builtin.baselines.mixture import Mixture, combined_references
from xaiexp.builtin.baselines.noise import Uniform
from xaiexp.builtin.baselines.opposite_class import OppositeClass
from xaiexp.builtin.baselines.range_ends import Black, MaxDistance, White, farther_end
from xaiexp.builtin.baselines.series_mean import SeriesMean
from xaiexp.builtin.baselines.tokens import NeutralSentence, PadToken
from xaiexp.builtin.features.grid_tiles import Grid
from xaiexp.builtin.features.superpixels import Slic
from xaiexp.builtin.features.time_windows import Window
from xaiexp.builtin.features.tokens_and_words import Token
from xaiexp.builtin.methods.path.integrated_gradients import IntegratedGradients
from xaiexp.builtin.methods.perturbation.feature_ablation import FeatureAblation
from xaiexp.core.batches import Background
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.samples import Encoded
from xaiexp.engine.explainer import attributed, referenced
from xaiexp.errors import ParameterError, Unsupported
from xaiexp.testing import check

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def photos(n=3, size=6, **extra):
    """Random photos in [0, 1], normalised as for ImageNet models."""
    pool = (torch.rand(5, 3, size, size, generator=seeded()) - MEAN) / STD
    ends = {"low": (0 - MEAN) / STD, "high": (1 - MEAN) / STD}
    background = Background("image", pool, pool.mean((0, 2, 3)).view(3, 1, 1), **ends, shift=MEAN, scale=STD)
    return make_batch(pool[torch.arange(n) % 5], background=background, **extra)


def references(baseline, batch, seed=0):
    return baseline.references(batch, draws(batch, seed))


@pytest.mark.parametrize(
    "baseline",
    [
        Mixture(("zero", "blur")),
        Mixture(("uniform", "uniform", "dataset_sample", "inpaint")),
        Mixture(("pad_token", "neutral_sentence")),
        OppositeClass("mean"),
        NeutralSentence("one two three four five six seven"),
    ],
    ids=str,
)
def test_variants_pass_the_conformance_checks(baseline):
    texts = {"data_space"} if baseline.modalities == ("text",) else set()  # which have no normalisation
    verdicts = [v for v in check(baseline) if v.check not in texts]
    assert [str(v) for v in verdicts if v.outcome != "passed"] == []


# Range of the data


def test_black_and_white_are_the_ends_of_the_valid_range_of_every_channel():
    batch = photos()
    for baseline, value in ((Black(), 0.0), (White(), 1.0)):
        out = references(baseline, batch)
        torch.testing.assert_close(batch.background.decode(out), torch.full_like(out, value), atol=1e-6, rtol=0)
    torch.testing.assert_close(references(Black(), batch), references(Zero(), batch))


def test_black_is_the_lowest_value_of_a_range_that_does_not_begin_at_zero():
    low = torch.tensor([-1.0, -3.0]).view(2, 1, 1)
    batch = make_batch(torch.zeros(2, 2, 4, 4), background=Background("image", low=low, high=-low))
    assert references(Black(), batch)[1, :, 2, 3].tolist() == [-1.0, -3.0]
    assert references(White(), batch)[0, :, 0, 1].tolist() == [1.0, 3.0]


def test_max_distance_is_the_farthest_valid_input():
    inputs = torch.rand(6, 5, dtype=torch.float64, generator=seeded()) * 4 - 2
    low, high = -torch.arange(1, 6, dtype=torch.float64), torch.tensor([3.0, 2.5, 2.0, 4.0, 9.0], dtype=torch.float64)
    batch = make_batch(inputs, background=Background("table", low=low, high=high))
    out = references(MaxDistance(), batch)
    for row, result in zip(inputs.tolist(), out.tolist(), strict=True):
        assert tuple(result) == farthest_corner(row, low.tolist(), high.tolist())


def test_max_distance_replaces_dark_by_white_and_bright_by_black():
    batch = photos()
    data, out = (batch.background.decode(x) for x in (batch.inputs, references(MaxDistance(), batch)))
    torch.testing.assert_close(out, (data < 0.5).float(), atol=1e-6, rtol=0)


def test_elements_in_the_middle_get_the_lower_end():
    assert farther_end(torch.tensor([[0.5, 0.4, 0.6]]), torch.tensor([0.0]), torch.tensor([1.0])).tolist() == [
        [0, 1, 0]
    ]


@pytest.mark.parametrize("baseline", [Black(), White(), MaxDistance()], ids=lambda b: b.name)
def test_an_unknown_range_raises(baseline):
    batch = make_batch(torch.zeros(2, 3, 4, 4), background=Background("image"))
    with pytest.raises(Unsupported, match=f"'{baseline.name}' needs the range of the data"):
        references(baseline, batch)


# Inpaint


@pytest.mark.parametrize("kind", ["tiles", "blobs", "pixels", "with none"])
def test_every_feature_satisfies_the_discrete_laplace_equation(kind):
    rng = np.random.default_rng(0)
    image = rng.random((9, 8))
    features = {
        "tiles": np.arange(9)[:, None] // 4 * 2 + np.arange(8) // 4,
        "blobs": rng.integers(0, 4, (9, 8)),
        "pixels": np.arange(72).reshape(9, 8),
        "with none": rng.integers(-1, 2, (9, 8)),
    }[kind]
    expected = inpainted(image.tolist(), features.tolist())
    result = harmonic_interpolation(image[None], features)[0]
    np.testing.assert_allclose(result, expected, atol=1e-11)
    assert (result[features < 0] == image[features < 0]).all()


def test_a_pixel_is_the_mean_of_its_neighbours():
    batch = photos(1)
    x, out = batch.inputs[0], references(Inpaint(), batch)[0]
    torch.testing.assert_close(out[:, 2, 3], (x[:, 1, 3] + x[:, 3, 3] + x[:, 2, 2] + x[:, 2, 4]) / 4)
    torch.testing.assert_close(out[:, 0, 0], (x[:, 0, 1] + x[:, 1, 0]) / 2)


def test_a_window_is_interpolated_linearly():
    x = torch.randn(2, 3, 20, dtype=torch.float64, generator=seeded())
    batch = make_batch(x, features=Window(6).build(Encoded(x)))
    out = references(Inpaint(), batch).numpy()
    for i, channel in np.ndindex(2, 3):
        for start in (6, 12):  # windows with neighbours on both sides
            ends, steps = [start - 1, start + 6], np.arange(start, start + 6)
            line = np.interp(steps, ends, x[i, channel, ends].numpy())
            np.testing.assert_allclose(out[i, channel, steps], line, atol=1e-12)
        np.testing.assert_allclose(out[i, channel, :6], x[i, channel, 6])  # with one neighbour: its value
        np.testing.assert_allclose(out[i, channel, 18:], x[i, channel, 17])


def test_a_linear_image_is_reconstructed():
    """Harmonic functions, such as linear ones, are reconstructed within an image."""
    y, x = np.mgrid[:12, :12].astype(float)
    features = np.where((y > 2) & (y < 9) & (x > 3) & (x < 8), 0, -1)
    np.testing.assert_allclose(
        harmonic_interpolation((3 * x - 2 * y + 1)[None], features)[0], 3 * x - 2 * y + 1, atol=1e-12
    )


def test_each_example_is_inpainted_with_its_own_superpixels():
    x = torch.rand(3, 3, 16, 16, generator=seeded())
    features = Slic(9, sigma=2.0).build(Encoded(x))
    batch = make_batch(x, features=features)
    out = references(Inpaint(), batch)
    for i, channel in np.ndindex(3, 3):
        expected = inpainted(x[i, channel].double().tolist(), features.index[i, channel].tolist())
        np.testing.assert_allclose(out[i, channel].numpy(), expected, atol=1e-5)
    inner = features.pool(torch.ones_like(x)) > 0
    assert inner.sum(1).tolist() == features.counts.tolist()
    single = make_batch(x[1:2], features=features.rows(torch.tensor([1])))
    torch.testing.assert_close(references(Inpaint(), single)[0], out[1], atol=1e-6, rtol=0)


def test_channels_with_different_features_are_inpainted_separately():
    x = torch.rand(2, 2, 6, 6, dtype=torch.float64, generator=seeded())
    rows = torch.arange(6).view(6, 1).expand(6, 6) // 2
    index = torch.stack([rows, 3 + rows.T]).unsqueeze(0)
    out = references(Inpaint(), make_batch(x, features=FeatureMap.from_index(index)))
    for i, channel in np.ndindex(2, 2):
        expected = inpainted(x[i, channel].tolist(), index[0, channel].tolist())
        np.testing.assert_allclose(out[i, channel].numpy(), expected, atol=1e-11)


def test_versions_of_one_example_share_its_feature_map():
    x = torch.rand(2, 3, 16, 16, generator=seeded())
    batch = make_batch(x, features=Slic(9).build(Encoded(x)))
    versions = batch.repeated(torch.stack([x, x + 1, 2 * x], dim=1))
    out, plain = references(Inpaint(), versions).view(2, 3, 3, 16, 16), references(Inpaint(), batch)
    for version, expected in enumerate((plain, plain + 1, 2 * plain)):
        torch.testing.assert_close(out[:, version], expected, atol=1e-5, rtol=0)


def test_a_feature_that_fills_the_input_raises():
    batch = photos(features=FeatureMap.from_index(torch.zeros(1, 3, 6, 6, dtype=torch.int64)))
    with pytest.raises(Unsupported, match="needs surroundings, but a feature fills the whole input"):
        references(Inpaint(), batch)


def test_inpaint_does_not_support_tables():
    with pytest.raises(Unsupported, match="needs images or series, but the inputs are table"):
        references(Inpaint(), make_batch(torch.zeros(2, 5)))


def test_removing_a_tile_gives_the_image_with_this_tile_inpainted():
    x = torch.rand(1, 1, 8, 8, dtype=torch.float64, generator=seeded())
    features = Grid(2, 2).build(Encoded(x))
    batch = make_batch(x, features=features)
    present = torch.tensor([[True, False, True, True]])
    shown = features.keep(x, references(Inpaint(), batch), present)[0, 0]
    only = np.where(np.arange(64).reshape(8, 8) % 8 > 3, 0, -1)
    only[4:] = -1
    np.testing.assert_allclose(shown.numpy(), harmonic_interpolation(x[0].numpy(), only)[0], atol=1e-12)


# Series and classes


def test_series_mean_is_the_mean_of_each_series():
    x = torch.randn(4, 2, 30, dtype=torch.float64, generator=seeded())
    out = references(SeriesMean(), make_batch(x))
    for i, channel in np.ndindex(4, 2):
        np.testing.assert_allclose(out[i, channel].numpy(), np.full(30, np.mean(x[i, channel].numpy())))
    out.add_(1)  # a new tensor
    with pytest.raises(Unsupported, match="needs series"):
        references(SeriesMean(), make_batch(torch.zeros(2, 5)))


def labelled(n=12, shape=(2, 7), labels=None, targets=None, inputs=None):
    pool = torch.randn(n, *shape, dtype=torch.float64, generator=seeded(1))
    labels = torch.arange(n) % 3 if labels is None else torch.tensor(labels)
    inputs = torch.randn(5, *shape, dtype=torch.float64, generator=seeded(2)) if inputs is None else inputs(pool)
    targets = torch.arange(len(inputs)) % 3 if targets is None else torch.tensor(targets)
    background = Background("series", pool, labels=labels)
    return make_batch(inputs, targets, background=background), pool, labels


def test_opposite_class_is_the_nearest_example_of_another_class():
    batch, pool, labels = labelled(labels=[0, 1, 2, 0, 1, 2, -1, -1, 0, 1, 2, 0])
    out = references(OppositeClass(), batch)
    for i in range(5):
        rows = [member.flatten().tolist() for member in pool]
        expected = nearest_unlike(batch.inputs[i].flatten().tolist(), int(batch.targets[i]), rows, labels.tolist())
        assert out[i].flatten().tolist() == expected


def test_a_misclassified_example_is_not_its_own_reference():
    batch, pool, labels = labelled(inputs=lambda pool: pool[[4]], targets=[0])  # label 1, explained as 0
    assert int(labels[4]) == 1
    out = references(OppositeClass(), batch)
    rows = [member.flatten().tolist() for member in pool]
    assert out[0].flatten().tolist() == nearest_unlike(pool[4].flatten().tolist(), 0, rows, labels.tolist())
    assert not torch.equal(out[0], pool[4])


def test_opposite_class_mean_is_the_mean_of_the_other_class():
    batch, pool, labels = labelled(labels=[0, 1] * 5 + [-1, -1], targets=[0, 1, 0, 1, 0])
    out = references(OppositeClass("mean"), batch)
    for i, target in enumerate((0, 1, 0, 1, 0)):
        torch.testing.assert_close(out[i], pool[labels == 1 - target].mean(0))


def test_data_without_another_class_raise():
    batch, _, _ = labelled(labels=[1] * 12, targets=[0, 0, 1, 0, 0])
    with pytest.raises(Unsupported, match="a class other than 1, but there are none among the 12"):
        references(OppositeClass(), batch)
    unknown = replace(batch, background=replace(batch.background, labels=torch.full((12,), -1)))
    none = replace(batch, background=replace(batch.background, labels=None))
    for labelless in (unknown, none):
        with pytest.raises(Unsupported, match="needs labelled examples of the data, but there are none"):
            references(OppositeClass(), labelless)
    other = replace(batch, background=replace(batch.background, pool=torch.zeros(12, 2, 9)))
    with pytest.raises(Unsupported, match=r"the inputs are \[2, 7\], the examples to choose from \[2, 9\]"):
        references(OppositeClass(), other)


# Texts


def texts(embed):
    inputs = torch.randn(2, 7, 3, generator=seeded())
    index = torch.tensor([[-1, 0, 1, -1, 2, 3, -1], [-1, 0, -1, -1, -1, -1, -1]]).unsqueeze(-1).expand(2, 7, 3)
    features = FeatureMap(index, torch.tensor([4, 1]), (4,))
    return make_batch(inputs, background=Background("text", embed=embed), features=features, modality="text")


def test_a_neutral_sentence_is_repeated_along_the_tokens_of_the_text():
    asked = []

    def embed(text):
        asked.append(text)
        return torch.tensor([[1.0, 1, 1], [2, 2, 2], [3, 3, 3]])

    batch = texts(embed)
    out = references(NeutralSentence("it is so"), batch)
    assert asked == ["it is so"]
    assert out[0, [1, 2, 4, 5], 0].tolist() == [1, 2, 3, 1]
    assert out[1, 1].tolist() == [1, 1, 1]
    kept = referenced(NeutralSentence("it is so"), batch, draws(batch))[:, 0]
    assert torch.equal(kept[:, 0], batch.inputs[:, 0])  # [CLS] is kept


def test_a_model_that_cannot_embed_texts_does_not_support_neutral_sentence():
    with pytest.raises(Unsupported, match=r"needs a model that can embed other texts.*'pad_token' or 'zero'"):
        references(NeutralSentence(), texts(None))
    with pytest.raises(Unsupported, match="needs a sentence with tokens, but '' has none"):
        references(NeutralSentence(""), texts(lambda text: torch.zeros(0, 3)))


# Mixture


class Wavy(nn.Module):
    def forward(self, x):
        flat = x.flatten(1)
        return torch.stack([(flat.sin() * flat.cos().roll(1, 1)).sum(1), flat.square().sum(1).sqrt()], dim=1)


@pytest.mark.parametrize("method", [IntegratedGradients(n_steps=8), FeatureAblation()], ids=lambda m: m.name)
@pytest.mark.parametrize("target", [0, 1])
def test_a_mixture_averages_the_attributions_of_its_references(method, target):
    batch = photos()
    batch = replace(batch, targets=torch.full((3,), target))
    handle, rng = bind(Wavy(), batch), draws(batch)

    def explained(baseline):
        return attributed(method, handle, referenced(baseline, batch, rng), rng)

    average = (explained(Zero()) + explained(Blur())) / 2
    torch.testing.assert_close(explained(Mixture(("zero", "blur"))), average, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(explained(Zero()), average, atol=1e-2)


def test_every_baseline_of_a_mixture_has_the_same_weight():
    batch = photos()
    one, many = torch.zeros(3, 1, 3, 6, 6), torch.ones(3, 4, 3, 6, 6)
    assert combined_references([one, many]).shape[1] == 8
    assert (combined_references([one, many]).mean(1) == 0.5).all()
    assert combined_references([one, many[:, :3], many[:, :2]]).shape[1] == 18
    out = references(Mixture(("zero", "dataset_sample")), batch)  # 1 and 8 references
    assert out.shape == (3, 16, 3, 6, 6)
    torch.testing.assert_close(out[:, :8], references(Zero(), batch).unsqueeze(1).expand(3, 8, 3, 6, 6))


def test_a_baseline_named_twice_is_drawn_independently():
    batch = photos()
    out = references(Mixture(("uniform", "uniform")), batch)
    assert out.shape[1] == 2
    assert not torch.equal(out[:, 0], out[:, 1])
    assert not torch.equal(out[:, 0], references(Uniform(), batch)[:, 0])


def test_a_mixture_supports_the_modalities_of_all_its_parts():
    assert Mixture().modalities == ("image", "text", "table", "series")
    assert Mixture(("zero", "blur")).modalities == ("image", "series")
    assert Mixture(("pad_token", "mask_token")).modalities == ("text",)
    assert Mixture(("zero", "constant", "mean")).modalities == ("image", "table", "series")


def test_every_other_built_in_baseline_can_be_mixed():
    names = sorted(component.name for component in COMPONENTS if component is not Mixture)
    for name in names:
        assert [part.name for part in Mixture((name,)).parts()] == [name]
    with pytest.raises(ParameterError, match=r"(?s)baseline\.mixture\.names.*nearest: max_distance"):
        Mixture(("max_distanc",))
    with pytest.raises(ParameterError, match=r"baseline\.mixture\.names: must name a baseline"):
        Mixture(())


def test_a_mixture_raises_what_its_parts_raise():
    batch = make_batch(torch.zeros(2, 3, 4, 4), background=Background("image"))
    with pytest.raises(Unsupported, match="'mean' needs examples"):
        references(Mixture(), batch)
    assert references(Mixture(("zero", "constant")), batch)[0, :, 0, 0, 0].tolist() == [0.0, Constant().value]


def test_a_classifier_is_less_confident_on_the_neutral_sentence_than_on_padding(kit):
    """The probabilities in the docstring of the baseline, measured on the model of the kit."""
    from xaiexp.builtin.models.transformers_classifiers import Transformers
    from xaiexp.core.samples import LoadContext, Sample

    network = Transformers(str(kit / "models" / "minilm_sst2")).load(LoadContext(kit))
    sentence = network.embed("this is a sentence.")
    plain = network.encode([Sample("0", "this is a sentence.")])
    assert torch.equal(sentence, plain.inputs[0, plain.removable[0]])
    assert network.embed("").shape == (0, sentence.shape[1])
    texts = [Sample(str(n), " ".join(["film"] * n)) for n in (5, 10, 20, 40)]
    encoded = network.encode(texts)
    background = Background("text", special=network.special, embed=network.embed)
    features = Token().build(encoded)
    batch = make_batch(encoded.inputs, features=features, background=background, context=encoded.context)

    def probability(baseline):
        with torch.no_grad():
            logits = network.module(referenced(baseline, batch, draws(batch))[:, 0], **batch.context)
        return logits.softmax(1)[:, 1]

    neutral, nothing, padding = (probability(b) for b in (NeutralSentence(), Zero(), PadToken()))
    assert ((neutral > 0.46) & (neutral < 0.63)).all()
    assert ((nothing > 0.94) & (nothing < 0.99)).all()
    assert ((padding > 0.59) & (padding < 0.92)).all()
