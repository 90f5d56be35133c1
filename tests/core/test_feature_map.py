from __future__ import annotations

import pytest
import torch
from builders import element_map, pixel_map

from xaiexp.core.feature_map import FeatureMap


@pytest.fixture
def ragged() -> FeatureMap:
    """Two texts with 3 and 1 tokens; four positions of two dimensions, the others are padding or special tokens."""
    index = torch.tensor([[-1, 0, 1, 2], [-1, 0, -1, -1]])
    return FeatureMap.from_index(index.unsqueeze(-1).expand(2, 4, 2))


def test_pooling_sums_the_elements_of_each_feature(ragged):
    x = torch.arange(16.0).view(2, 4, 2)
    assert ragged.pool(x).tolist() == [[2 + 3, 4 + 5, 6 + 7], [10 + 11, 0, 0]]
    pixels = pixel_map((3, 2, 2))
    y = torch.randn(5, 3, 2, 2)
    torch.testing.assert_close(pixels.pool(y), y.sum(1).flatten(1))


def test_pooling_with_samples_is_pooling_of_each_sample(ragged):
    x = torch.randn(2, 6, 4, 2)
    torch.testing.assert_close(ragged.pool(x), torch.stack([ragged.pool(x[:, s]) for s in range(6)], 1))


@pytest.mark.parametrize("make", [lambda: element_map((2, 3)), lambda: pixel_map((3, 2, 2))])
def test_pooling_inverts_spreading(make):
    features = make()
    values = torch.randn(4, features.d)
    torch.testing.assert_close(features.pool(features.spread(values)), values)
    torch.testing.assert_close(features.pool(features.spread(values[:, None])), values[:, None])


def test_spreading_leaves_elements_of_no_feature_at_zero(ragged):
    spread = ragged.spread(torch.ones(2, 3))
    assert spread[~ragged.inside].abs().sum() == 0
    assert spread[0, 1].tolist() == [0.5, 0.5]


def test_absent_features_are_replaced_by_the_reference(ragged):
    x, r = torch.ones(2, 4, 2), torch.zeros(2, 4, 2)
    present = torch.tensor([[[True, False, True]], [[False, True, True]]])
    got = ragged.keep(x, r, present)
    assert got.shape == (2, 1, 4, 2)
    assert got[:, 0, :, 0].tolist() == [[1, 1, 0, 1], [1, 0, 1, 1]]


def test_fractional_presence_interpolates(ragged):
    got = ragged.keep(torch.full((2, 4, 2), 4.0), torch.zeros(2, 4, 2), torch.full((2, 3), 0.25))
    assert got[0, :, 0].tolist() == [4, 1, 1, 1]


def test_keeping_all_features_returns_the_inputs_bitwise():
    x, r = torch.randn(3, 5), torch.randn(3, 5) * 1e6
    features = element_map((5,))
    assert torch.equal(features.keep(x, r, torch.ones(3, 5, dtype=torch.bool)), x)


def test_nan_and_infinite_values_of_the_other_side_do_not_propagate():
    features = element_map((2,))
    present = torch.tensor([[True, False]])
    for missing in (float("nan"), float("inf")):
        got = features.keep(torch.tensor([[1.0, missing]]), torch.tensor([[missing, 2.0]]), present)
        assert got.tolist() == [[1, 2]]


def test_boolean_presence_equals_where_bitwise(ragged):
    x, r = torch.randn(2, 4, 2) * 1e30, torch.randn(2, 4, 2) * 1e-30
    present = torch.tensor([[True, False, True], [False, True, True]])
    kept = torch.tensor([[True, True, False, True], [True, False, True, True]]).unsqueeze(-1)
    assert torch.equal(ragged.keep(x, r, present), torch.where(kept, x, r))


def test_natural_shape_has_nan_beyond_the_features_of_an_example(ragged):
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
def test_the_index_without_redundant_axes_gives_equal_results(axis, examples):
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
def test_features_shared_by_channels_give_equal_results_without_an_index(shape):
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
