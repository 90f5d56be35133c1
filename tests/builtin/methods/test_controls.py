"""The controls: what the input itself shows."""

from __future__ import annotations

import pytest
import torch
from builders import bind, draws, make_batch

from xaiexp.builtin.methods.controls.model_free import InputMagnitude, Sobel
from xaiexp.core.batches import Background
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shown(method, batch):
    """What a method says without a network: any pass would fail."""
    return method.attribute(bind(None, batch), batch, None, draws(batch))


def test_sobel_is_that_of_scikit_image_in_data_space():
    filters = pytest.importorskip("skimage.filters")
    data = normal(2, 3, 9, 7)
    shift, scale = normal(3, 1, 1, seed=1), normal(3, 1, 1, seed=2).abs() + 0.5
    background = Background("image", shift=shift, scale=scale)
    batch = make_batch((data - shift) / scale, background=background)
    got = shown(Sobel(), batch)
    for i in range(2):
        grey = data[i].mean(0).numpy()
        # scikit-image does not halve the differences, and takes the mean of their two squares.
        torch.testing.assert_close(got[i].sum(0), torch.as_tensor(filters.sobel(grey, mode="nearest")) / 2**0.5)
    torch.testing.assert_close(got[:, 0], got[:, 2])  # the channels share the edge of their pixel


def test_a_constant_picture_has_no_edge_not_even_at_its_border():
    assert not shown(Sobel(), make_batch(torch.full((1, 3, 5, 5), 0.7, dtype=torch.float64))).any()


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 6), (5,)])
def test_input_magnitude_is_the_absolute_value(shape):
    x = normal(3, *shape)
    mean = normal(shape[0], *[1] * (len(shape) - 1), seed=1)
    batch = make_batch(x, background=Background({3: "image", 2: "series", 1: "table"}[len(shape)], mean=mean))
    assert torch.equal(shown(InputMagnitude(), batch), x.abs())
    assert torch.equal(shown(InputMagnitude(distance_from="mean"), batch), (x - mean).abs())


def test_input_magnitude_of_a_text_is_the_length_of_its_embeddings():
    x, mean = normal(2, 4, 3), normal(3, seed=1)
    index = torch.tensor([-1, 0, 0, 1]).view(1, 4, 1).expand(1, 4, 3).contiguous()  # a word of two tokens
    features = FeatureMap(index, torch.tensor([2]), (2,))
    batch = make_batch(x, features=features, background=Background("text", mean=mean))
    for method, start in ((InputMagnitude(), torch.zeros(3)), (InputMagnitude(distance_from="mean"), mean)):
        lengths = (x - start).norm(dim=2)
        want = torch.stack((lengths[:, 1] + lengths[:, 2], lengths[:, 3]), dim=1)
        torch.testing.assert_close(features.pool(shown(method, batch)), want)


def test_the_distance_from_an_unknown_mean_is_refused():
    batch = make_batch(normal(1, 4), background=Background("table"))
    with pytest.raises(Unsupported, match="needs examples of the data"):
        shown(InputMagnitude(distance_from="mean"), batch)


def test_controls_cost_no_pass():
    for method in (Sobel(), InputMagnitude()):
        assert method.passes((3, 8, 8), 64).total == 0
        assert not method.target_specific
        assert not method.signed
