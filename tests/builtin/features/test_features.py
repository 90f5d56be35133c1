from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.segmentation import slic

from xaiexp.builtin.features import COMPONENTS
from xaiexp.builtin.features.grid_tiles import Grid
from xaiexp.builtin.features.input_axes import Column, Element, Pixel, Step
from xaiexp.builtin.features.superpixels import Slic, superpixels
from xaiexp.builtin.features.time_windows import Window
from xaiexp.builtin.features.tokens_and_words import Token, Word
from xaiexp.contract.registry import flaw
from xaiexp.core.samples import Encoded
from xaiexp.errors import MismatchError


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.name)
def test_all_features_declare_their_facts(component):
    assert flaw(component) == ""


@pytest.mark.parametrize(
    ("features", "inputs"),
    [
        (Element(), (3, 4, 5)),
        (Element(), (6,)),
        (Pixel(), (3, 4, 5)),
        (Grid(), (1, 8, 8)),
        (Grid(3, 2), (3, 10, 7)),
        (Grid(9, 9), (3, 4, 20)),
        (Column(), (6,)),
        (Step(), (2, 9)),
        (Window(), (2, 20)),
        (Window(1), (2, 9)),
        (Window(9), (1, 9)),
        (Window(50), (1, 9)),
    ],
    ids=lambda p: str(p),
)
def test_the_declared_shape_is_that_of_the_map(features, inputs):
    built = features.build(Encoded(torch.zeros(2, *inputs)))
    assert features.shape(inputs) == built.shape
    assert built.index.shape == (1, *inputs)
    assert sorted(built.index.unique().tolist()) == list(range(built.d))  # no gaps
    assert not built.ragged


def test_pixel_sums_over_channels():
    inputs = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Pixel().build(Encoded(inputs)).pool(inputs).view(2, 4, 5), inputs.sum(1))


def test_step_sums_over_channels():
    inputs = torch.rand(2, 3, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Step().build(Encoded(inputs)).pool(inputs), inputs.sum(1))


def test_element_and_column_keep_every_element():
    for features, inputs in ((Element(), torch.rand(2, 3, 4, 5)), (Column(), torch.rand(2, 7))):
        built = features.build(Encoded(inputs))
        assert built.identity
        assert torch.equal(built.pool(inputs), inputs.flatten(1))


def test_grid_sums_over_its_tiles():
    inputs = torch.rand(2, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    tiles = inputs.unfold(2, 2, 2).unfold(3, 4, 4).sum((1, 4, 5))
    torch.testing.assert_close(Grid(3, 2).build(Encoded(inputs)).pool(inputs).view(2, 3, 2), tiles)


def test_tile_heights_differ_by_at_most_one_pixel():
    sizes = Grid(7, 1).build(Encoded(torch.zeros(1, 1, 24, 5))).sizes.flatten() // 5
    assert sizes.tolist() == [4, 3, 4, 3, 4, 3, 3]


def test_tokens_are_numbered_in_order_without_special_tokens():
    removable = torch.tensor([[0, 1, 1, 0, 1, 0, 0], [0, 1, 0, 0, 0, 0, 0]], dtype=torch.bool)
    inputs = torch.rand(2, 7, 3, generator=torch.Generator().manual_seed(0))
    built = Token().build(Encoded(inputs, removable=removable))
    assert built.index[:, :, 0].tolist() == [[-1, 0, 1, -1, 2, -1, -1], [-1, 0, -1, -1, -1, -1, -1]]
    assert built.counts.tolist() == [3, 1]
    assert built.index.stride(-1) == 0  # expanded, not copied
    expected = torch.stack([inputs[0, [1, 2, 4]].sum(-1), torch.tensor([inputs[1, 1].sum(), 0, 0])])
    torch.testing.assert_close(built.pool(inputs), expected)
    assert built.natural(built.pool(inputs)).isnan().tolist() == [[False] * 3, [False, True, True]]
    assert Token().shape((7, 3)) == (7,)


def test_the_map_of_a_text_does_not_depend_on_the_batch():
    removable = torch.tensor([[0, 1, 1, 0, 1, 0, 0], [0, 1, 0, 0, 0, 0, 0]], dtype=torch.bool)
    both = Token().build(Encoded(torch.zeros(2, 7, 3), removable=removable))
    single = Token().build(Encoded(torch.zeros(1, 7, 3), removable=removable[1:]))
    assert torch.equal(single.index[0], both.index[1])
    assert single.counts[0] == both.counts[1]


def test_token_raises_if_the_model_does_not_define_tokens():
    with pytest.raises(MismatchError, match=r"^features\.token: the model does not define which positions are tokens"):
        Token().build(Encoded(torch.zeros(1, 4, 3)))


# Columns


def test_a_one_hot_group_is_one_feature_named_as_its_column():
    inputs = torch.rand(3, 6, generator=torch.Generator().manual_seed(0))
    built = Column().build(Encoded(inputs, columns=("age", "port", "port", "sex", "port", "fare")))
    assert built.names == ("age", "port", "sex", "fare")
    assert built.index.tolist() == [[0, 1, 1, 2, 1, 3]]
    assert built.shape == (4,)
    pooled = torch.stack([inputs[:, 0], inputs[:, [1, 2, 4]].sum(1), inputs[:, 3], inputs[:, 5]], dim=1)
    torch.testing.assert_close(built.pool(inputs), pooled)
    assert Column().shape((6,)) == (6,)  # an upper bound: the dataset is not open when the study is planned


def test_columns_of_one_element_are_the_elements_with_names():
    built = Column().build(Encoded(torch.zeros(2, 3), columns=("a", "b", "c")))
    assert built.identity
    assert built.names == ("a", "b", "c")


def test_column_names_of_another_number_of_elements_raise():
    with pytest.raises(MismatchError, match=r"^features\.column: .* columns of 2 elements, but a row has 3"):
        Column().build(Encoded(torch.zeros(1, 3), columns=("a", "b")))


# Windows


def test_windows_have_the_given_size_and_are_named_by_their_steps():
    inputs = torch.rand(2, 3, 10, generator=torch.Generator().manual_seed(0))
    built = Window(4).build(Encoded(inputs))
    assert built.index[0].tolist() == [[0] * 4 + [1] * 4 + [2] * 2] * 3
    assert built.names == ("0..3", "4..7", "8..9")
    total = torch.stack([inputs[..., :4].sum((1, 2)), inputs[..., 4:8].sum((1, 2)), inputs[..., 8:].sum((1, 2))], 1)
    torch.testing.assert_close(built.pool(inputs), total)


# Words

WORDS = torch.tensor([[-1, 0, 0, 1, 2, 2, -1, -1], [-1, 0, 1, 1, 1, -1, -1, -1]])


def test_the_tokens_of_a_word_are_one_feature():
    inputs = torch.rand(2, 8, 3, generator=torch.Generator().manual_seed(0))
    built = Word().build(Encoded(inputs, removable=WORDS >= 0, words=WORDS))
    assert built.index[:, :, 0].tolist() == WORDS.tolist()
    assert built.counts.tolist() == [3, 2]
    assert built.shape == (3,)
    sums = [inputs[0, 1:3].sum(), inputs[0, 3].sum(), inputs[0, 4:6].sum()]
    torch.testing.assert_close(built.pool(inputs)[0], torch.stack(sums))
    torch.testing.assert_close(built.pool(inputs)[1, :2], torch.stack([inputs[1, 1].sum(), inputs[1, 2:5].sum()]))
    assert built.natural(built.pool(inputs)).isnan().tolist() == [[False] * 3, [False, False, True]]


def test_words_without_tokens_are_skipped_in_the_numbering():
    words = torch.tensor([[-1, 4, 4, 7, -1], [2, 2, 2, 9, 9]])
    built = Word().build(Encoded(torch.zeros(2, 5, 2), words=words))
    assert built.index[:, :, 0].tolist() == [[-1, 0, 0, 1, -1], [0, 0, 0, 1, 1]]
    assert built.counts.tolist() == [2, 2]


def test_the_words_of_a_text_do_not_depend_on_the_batch():
    both = Word().build(Encoded(torch.zeros(2, 8, 3), words=WORDS))
    single = Word().build(Encoded(torch.zeros(1, 8, 3), words=WORDS[1:]))
    assert torch.equal(single.index[0], both.index[1])
    assert single.counts[0] == both.counts[1]


def test_word_raises_if_the_tokenizer_does_not_define_words():
    removable = torch.tensor([[False, True, True]])
    with pytest.raises(MismatchError, match=r"^features\.word: .*does not define the word of each token"):
        Word().build(Encoded(torch.zeros(1, 3, 2), removable=removable))
    with pytest.raises(MismatchError, match=r"^features\.word: .*assigns no word to some tokens of the text"):
        Word().build(Encoded(torch.zeros(1, 3, 2), removable=removable, words=torch.tensor([[-1, 0, -1]])))


# Superpixels


def blobs(n, side=48, channels=3, seed=0):
    """Smooth random images with a few edges."""
    noise = np.random.default_rng(seed).random((n, channels, 4, 6))
    out = [[np.asarray(Image.fromarray(p.astype(np.float32)).resize((side, side))) for p in image] for image in noise]
    return torch.from_numpy(np.array(out)).float()


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_superpixels_equal_scikit_image_unless_there_are_too_many(channels):
    inputs = 5 * blobs(3, channels=channels) - 2  # as after normalisation: SLIC rescales the values
    built = Slic(20, compactness=3.0, sigma=0.5).build(Encoded(inputs))
    assert built.shape == (20,)
    for i, image in enumerate(inputs):
        expected = slic(image.permute(1, 2, 0).double().numpy(), 20, 3.0, sigma=0.5, start_label=0, channel_axis=-1)
        assert 2 < expected.max() + 1 <= 20
        for channel in range(channels):
            assert built.index[i, channel].tolist() == expected.tolist()
        assert built.counts[i] == expected.max() + 1


def test_scaling_the_values_does_not_change_superpixels():
    inputs = blobs(2)
    plain, scaled = (Slic(20).build(Encoded(x)).index for x in (inputs, 4 * inputs - 2))
    assert torch.equal(plain, scaled)


def test_no_superpixel_crosses_an_edge():
    image = torch.zeros(1, 3, 24, 24)
    image[..., 9:] = 1.0
    index = Slic(4, compactness=0.1, sigma=0.0).build(Encoded(image)).index[0, 0]
    left, right = index[:, :9].unique().tolist(), index[:, 9:].unique().tolist()
    assert not set(left) & set(right)
    assert sorted(left + right) == [0, 1, 2, 3]


@pytest.mark.parametrize("n_segments", [1, 2, 5, 17, 50, 64, 100])
def test_there_are_at_most_n_segments_superpixels(n_segments):
    for image in np.random.default_rng(0).standard_normal((3, 8, 8, 3)):
        labels = superpixels(image, n_segments, 10.0, 0.0)
        assert sorted(np.unique(labels)) == list(range(labels.max() + 1))
        assert labels.max() + 1 <= n_segments
        # The result equals that of SLIC for some requested number, and for n_segments if this gives few enough.
        given = [slic(image, k, 10.0, sigma=0.0, start_label=0, channel_axis=-1) for k in range(1, n_segments + 1)]
        assert any((labels == segments).all() for segments in given)
        assert given[-1].max() + 1 > n_segments or (labels == given[-1]).all()


def test_scikit_image_may_return_more_segments_than_requested():
    image = np.random.default_rng(0).standard_normal((8, 8, 3))
    assert slic(image, 50, 10.0, sigma=0.0, start_label=0, channel_axis=-1).max() + 1 == 64


def test_superpixels_do_not_depend_on_the_batch_and_are_reproducible():
    inputs = blobs(3)
    both = Slic(12).build(Encoded(inputs))
    single = Slic(12).build(Encoded(inputs[2:]))
    assert torch.equal(single.index[0], both.index[2])
    assert single.counts[0] == both.counts[2]
    assert single.shape == both.shape == Slic(12).shape((3, 48, 48)) == (12,)
    assert torch.equal(Slic(12).build(Encoded(inputs)).index, both.index)
    assert both.index.stride(1) == 0  # expanded over the channels, not copied


def test_superpixels_of_photos_follow_their_edges_better_than_a_grid(kit):
    """The variance of colours within a feature, which superpixels reduce."""
    files = sorted((kit / "photos").glob("*.jp*g"))[:4]
    photos = np.stack([np.asarray(Image.open(f).convert("RGB").resize((112, 112))) / 255 for f in files])
    inputs = torch.from_numpy(photos).permute(0, 3, 1, 2).float()

    def within(built):
        means = built.pool(inputs) / built.sizes.clamp(min=1)
        return (inputs - built.expand(means)).square().mean((1, 2, 3))

    assert (within(Slic(49).build(Encoded(inputs))) < within(Grid(7, 7).build(Encoded(inputs)))).all()
