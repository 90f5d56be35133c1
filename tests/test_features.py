from __future__ import annotations

import pytest
import torch

from xaiexp.builtin.features import COMPONENTS
from xaiexp.builtin.features.elements import Column, Element, Pixel, Step
from xaiexp.builtin.features.grid import Grid
from xaiexp.builtin.features.token import Token
from xaiexp.errors import MismatchError
from xaiexp.registry import flaw
from xaiexp.types import Encoded


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.name)
def test_every_kind_of_features_states_its_facts(component):
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
    ],
    ids=lambda p: str(p),
)
def test_the_shape_known_before_torch_is_that_of_the_map(features, inputs):
    built = features.build(Encoded(torch.zeros(2, *inputs)))
    assert features.shape(inputs) == built.shape
    assert built.index.shape == (1, *inputs)
    assert sorted(built.index.unique().tolist()) == list(range(built.d))  # no gaps
    assert not built.ragged


def test_pixel_adds_up_channels():
    inputs = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Pixel().build(Encoded(inputs)).pool(inputs).view(2, 4, 5), inputs.sum(1))


def test_step_adds_up_channels():
    inputs = torch.rand(2, 3, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Step().build(Encoded(inputs)).pool(inputs), inputs.sum(1))


def test_element_and_column_leave_everything_as_it_is():
    for features, inputs in ((Element(), torch.rand(2, 3, 4, 5)), (Column(), torch.rand(2, 7))):
        built = features.build(Encoded(inputs))
        assert built.identity
        assert torch.equal(built.pool(inputs), inputs.flatten(1))


def test_grid_sums_over_its_tiles():
    inputs = torch.rand(2, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    tiles = inputs.unfold(2, 2, 2).unfold(3, 4, 4).sum((1, 4, 5))
    torch.testing.assert_close(Grid(3, 2).build(Encoded(inputs)).pool(inputs).view(2, 3, 2), tiles)


def test_tiles_that_do_not_divide_differ_by_at_most_one_pixel_row():
    sizes = Grid(7, 1).build(Encoded(torch.zeros(1, 1, 24, 5))).sizes.flatten() // 5
    assert sizes.tolist() == [4, 3, 4, 3, 4, 3, 3]


def test_tokens_are_numbered_in_order_and_specials_belong_to_none():
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


def test_a_text_s_map_does_not_depend_on_its_company():
    removable = torch.tensor([[0, 1, 1, 0, 1, 0, 0], [0, 1, 0, 0, 0, 0, 0]], dtype=torch.bool)
    both = Token().build(Encoded(torch.zeros(2, 7, 3), removable=removable))
    alone = Token().build(Encoded(torch.zeros(1, 7, 3), removable=removable[1:]))
    assert torch.equal(alone.index[0], both.index[1])
    assert alone.counts[0] == both.counts[1]


def test_tokens_need_a_model_that_names_them():
    with pytest.raises(MismatchError, match=r"^features\.token: the model does not say which positions are tokens"):
        Token().build(Encoded(torch.zeros(1, 4, 3)))
