"""The controls: random values, Sobel edges, magnitude of the input."""

from __future__ import annotations

import pytest
import torch
from attributions import explained
from builders import bind, draws, make_batch, normal

from xaiexp.builtin.methods.controls.model_free import InputMagnitude, Random, Sobel
from xaiexp.core.batches import Background
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported


def test_random_ranks_each_feature_first_equally_often():
    batch = make_batch(torch.zeros(4000, 4))
    first = explained(Random(), None, batch).argmax(1).bincount(minlength=4)
    assert float((first - 1000).abs().max()) < 4 * (4000 * 0.25 * 0.75) ** 0.5


def model_free(method, batch):
    """The attributions without a network, so that any pass would fail."""
    return method.attribute(bind(None, batch), batch, None, draws(batch))


def test_sobel_in_data_space_equals_scikit_image():
    filters = pytest.importorskip("skimage.filters")
    data = normal(2, 3, 9, 7)
    shift, scale = normal(3, 1, 1, seed=1), normal(3, 1, 1, seed=2).abs() + 0.5
    background = Background("image", shift=shift, scale=scale)
    batch = make_batch((data - shift) / scale, background=background)
    got = model_free(Sobel(), batch)
    for i in range(2):
        grey = data[i].mean(0).numpy()
        # scikit-image does not halve the differences, and uses the mean of their squares.
        torch.testing.assert_close(got[i].sum(0), torch.as_tensor(filters.sobel(grey, mode="nearest")) / 2**0.5)
    torch.testing.assert_close(got[:, 0], got[:, 2])  # the value of a pixel is divided equally among its channels


def test_constant_image_has_no_edges():
    assert not model_free(Sobel(), make_batch(torch.full((1, 3, 5, 5), 0.7, dtype=torch.float64))).any()


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 6), (5,)])
def test_input_magnitude_is_the_absolute_value(shape):
    x = normal(3, *shape)
    mean = normal(shape[0], *[1] * (len(shape) - 1), seed=1)
    batch = make_batch(x, background=Background({3: "image", 2: "series", 1: "table"}[len(shape)], mean=mean))
    assert torch.equal(model_free(InputMagnitude(), batch), x.abs())
    assert torch.equal(model_free(InputMagnitude(distance_from="mean"), batch), (x - mean).abs())


def test_input_magnitude_of_a_text_is_the_norm_of_its_embeddings():
    x, mean = normal(2, 4, 3), normal(3, seed=1)
    index = torch.tensor([-1, 0, 0, 1]).view(1, 4, 1).expand(1, 4, 3).contiguous()  # a word of two tokens
    features = FeatureMap(index, torch.tensor([2]), (2,))
    batch = make_batch(x, features=features, background=Background("text", mean=mean))
    for method, start in ((InputMagnitude(), torch.zeros(3)), (InputMagnitude(distance_from="mean"), mean)):
        lengths = (x - start).norm(dim=2)
        want = torch.stack((lengths[:, 1] + lengths[:, 2], lengths[:, 3]), dim=1)
        torch.testing.assert_close(features.pool(model_free(method, batch)), want)


def test_distance_from_an_unknown_mean_raises():
    batch = make_batch(normal(1, 4), background=Background("table"))
    with pytest.raises(Unsupported, match="needs examples of the data"):
        model_free(InputMagnitude(distance_from="mean"), batch)


def test_controls_make_no_pass():
    for method in (Sobel(), InputMagnitude()):
        assert method.passes((3, 8, 8), 64).total == 0
        assert not method.target_specific
        assert not method.signed
