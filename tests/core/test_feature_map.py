from __future__ import annotations

import pytest
import torch
from builders import element_map, pixel_map

from xaiexp.core.feature_map import FeatureMap


@pytest.fixture
def ragged() -> FeatureMap:
    """Two texts of four places and two dimensions: 3 and 1 tokens, the rest is padding or special."""
    index = torch.tensor([[-1, 0, 1, 2], [-1, 0, -1, -1]])
    return FeatureMap.from_index(index.unsqueeze(-1).expand(2, 4, 2))


def test_pooling_adds_up_the_elements_of_each_feature(ragged):
    x = torch.arange(16.0).view(2, 4, 2)
    assert ragged.pool(x).tolist() == [[2 + 3, 4 + 5, 6 + 7], [10 + 11, 0, 0]]
    pixels = pixel_map((3, 2, 2))
    y = torch.randn(5, 3, 2, 2)
    torch.testing.assert_close(pixels.pool(y), y.sum(1).flatten(1))


def test_pooling_with_samples_is_pooling_of_each_sample(ragged):
    x = torch.randn(2, 6, 4, 2)
    torch.testing.assert_close(ragged.pool(x), torch.stack([ragged.pool(x[:, s]) for s in range(6)], 1))


@pytest.mark.parametrize("make", [lambda: element_map((2, 3)), lambda: pixel_map((3, 2, 2))])
def test_spreading_is_undone_by_pooling(make):
    features = make()
    values = torch.randn(4, features.d)
    torch.testing.assert_close(features.pool(features.spread(values)), values)
    torch.testing.assert_close(features.pool(features.spread(values[:, None])), values[:, None])


def test_spreading_leaves_elements_of_no_feature_at_zero(ragged):
    spread = ragged.spread(torch.ones(2, 3))
    assert spread[~ragged.inside].abs().sum() == 0
    assert spread[0, 1].tolist() == [0.5, 0.5]


def test_absent_features_take_the_reference_and_the_rest_stays(ragged):
    x, r = torch.ones(2, 4, 2), torch.zeros(2, 4, 2)
    present = torch.tensor([[[True, False, True]], [[False, True, True]]])
    got = ragged.keep(x, r, present)
    assert got.shape == (2, 1, 4, 2)
    assert got[:, 0, :, 0].tolist() == [[1, 1, 0, 1], [1, 0, 1, 1]]


def test_presence_may_be_a_fraction_of_the_way(ragged):
    got = ragged.keep(torch.full((2, 4, 2), 4.0), torch.zeros(2, 4, 2), torch.full((2, 3), 0.25))
    assert got[0, :, 0].tolist() == [4, 1, 1, 1]


def test_keeping_everything_gives_the_very_same_inputs():
    x, r = torch.randn(3, 5), torch.randn(3, 5) * 1e6
    features = element_map((5,))
    assert torch.equal(features.keep(x, r, torch.ones(3, 5, dtype=torch.bool)), x)


def test_what_is_not_chosen_is_not_read():
    features = element_map((2,))
    present = torch.tensor([[True, False]])
    for missing in (float("nan"), float("inf")):
        got = features.keep(torch.tensor([[1.0, missing]]), torch.tensor([[missing, 2.0]]), present)
        assert got.tolist() == [[1, 2]]


def test_choosing_is_element_by_element_to_the_bit(ragged):
    x, r = torch.randn(2, 4, 2) * 1e30, torch.randn(2, 4, 2) * 1e-30
    present = torch.tensor([[True, False, True], [False, True, True]])
    kept = torch.tensor([[True, True, False, True], [True, False, True, True]]).unsqueeze(-1)
    assert torch.equal(ragged.keep(x, r, present), torch.where(kept, x, r))


def test_natural_shape_marks_what_an_example_does_not_have(ragged):
    values = ragged.natural(torch.ones(2, 3))
    assert values.isnan().tolist() == [[False, False, False], [False, True, True]]
    assert pixel_map((3, 2, 2)).natural(torch.ones(4, 4)).shape == (4, 2, 2)


def test_rows_may_repeat(ragged):
    twice = ragged.rows(torch.tensor([1, 1, 0]))
    assert twice.counts.tolist() == [1, 1, 3]
    shared = pixel_map((1, 2, 2))
    assert shared.rows(torch.tensor([0, 5])) is shared


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("examples", [1, 2])
def test_an_axis_that_changes_nothing_is_looked_up_once_and_gives_the_same(axis, examples):
    shape = [examples, 3, 4, 5]
    shape[axis] = 1
    narrow = torch.randint(-1, 4, shape, generator=torch.Generator().manual_seed(axis))
    index = narrow.expand(examples, 3, 4, 5).clone()
    features = FeatureMap(index, torch.full((examples,), 4), (4,))
    assert torch.equal(features.distinct, narrow)
    values = torch.randn(2, 6, 4)
    want = torch.stack(
        [torch.cat([values[n], torch.full((6, 1), 7.0)], 1)[:, index[n % examples].flatten()] for n in range(2)]
    )
    assert torch.equal(features.expand(values, outside=7.0), want.view(2, 6, 3, 4, 5))
    rows = features.rows(torch.tensor([1, 0, 1]) if examples == 2 else torch.tensor([0, 0, 0]))
    assert torch.equal(rows.distinct, FeatureMap(rows.index, rows.counts, (4,)).distinct)


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 7)])
def test_features_over_channels_need_no_index_and_give_the_same(shape):
    d = int(torch.tensor(shape[1:]).prod())
    index = torch.arange(d).view(1, 1, *shape[1:]).expand(1, *shape)
    quick = FeatureMap.from_index(index, shape[1:])
    assert quick.stacked
    slow = FeatureMap.from_index(index.flip(0).clone(), shape[1:])
    slow.__dict__["stacked"] = False
    elements, values = torch.randn(2, 6, *shape), torch.randn(2, 6, d)
    torch.testing.assert_close(quick.pool(elements), slow.pool(elements))
    torch.testing.assert_close(quick.pool(elements[:, 0]), slow.pool(elements[:, 0]))
    assert torch.equal(quick.expand(values), slow.expand(values))
    assert torch.equal(quick.spread(values), slow.spread(values))
    inputs, reference, present = elements[:, 0], elements[:, 1], values > 0
    assert torch.equal(quick.keep(inputs, reference, present), slow.keep(inputs, reference, present))
    turned = FeatureMap.from_index(index.clone().flip(-1), shape[1:])
    assert not turned.stacked
