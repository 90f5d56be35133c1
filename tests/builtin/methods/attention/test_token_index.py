"""The mapping of input elements to tokens."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from attention_networks import TokenAttention, explained, steps_as_tokens
from builders import make_batch
from torch.testing import assert_close

from xaiexp.builtin.methods.attention.attention_maps import RawAttention
from xaiexp.builtin.methods.attention.token_index import spread, token_index
from xaiexp.builtin.methods.attention.weight_capture import Patches


def test_pixels_outside_all_patches_get_zero():
    index, before = token_index((2, 7, 11), "image", 7, Patches((2, 3), (3, 3), (7, 11)))
    assert before == 1
    for y in range(7):
        for x in range(11):
            want = 1 + 3 * (y // 3) + x // 3 if y < 6 and x < 9 else -1
            assert (index[:, y, x] == want).all()
    relevance = torch.rand(2, 7, dtype=torch.float64)
    shared = spread(relevance, index)
    assert_close(shared[:, :, 0:3, 3:6].sum((1, 2, 3)), relevance[:, 2])
    assert (shared[:, :, 6:] == 0).all()
    assert (shared[:, :, :, 9:] == 0).all()


@pytest.mark.parametrize(
    ("shape", "modality", "tokens", "patches", "grid", "before"),
    [
        ((3, 8, 8), "image", 17, None, (4, 4), 1),  # cut without a convolution
        ((3, 8, 12), "image", 6, None, (2, 3), 0),
        ((3, 8, 8), "image", 64, None, (8, 8), 0),  # every pixel a token
        ((3, 9, 9), "image", 17, Patches((4, 4), None, (9, 9)), (4, 4), 1),  # windows that overlap
        ((3, 8, 8), "image", 19, Patches((4, 4), (1, 1), (4, 4)), (4, 4), 3),  # a stem before the patches
        ((2, 9), "series", 4, Patches((3,), (3,), (9,)), (3,), 1),
        ((5,), "table", 6, None, (5,), 1),
    ],
)
def test_tokens_are_in_row_major_order_of_positions(shape, modality, tokens, patches, grid, before):
    index, leading = token_index(shape, modality, tokens, patches)
    assert leading == before
    sizes = shape[1:] if len(shape) > 1 else shape
    flat = index[0] if len(shape) > 1 else index
    for position in torch.cartesian_prod(*[torch.arange(n) for n in sizes]).view(-1, len(sizes)).tolist():
        number = 0
        for at, size, cells in zip(position, sizes, grid, strict=True):
            number = number * cells + at * cells // size
        assert flat[tuple(position)] == before + number


def test_time_steps_may_be_the_first_axis():
    index, _ = token_index((5, 16), "series", 5, None)
    assert torch.equal(index, torch.arange(5).unsqueeze(1).expand(5, 16))


def test_leading_class_token_of_a_time_series_is_dropped():
    module = TokenAttention(lambda x: torch.cat([x.mean(2).unsqueeze(1), steps_as_tokens(x)], 1))
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    got = explained(RawAttention(), module, make_batch(x, 0))
    tokens = torch.cat([x.mean(2).unsqueeze(1), steps_as_tokens(x)], 1)
    weights = (tokens @ tokens.transpose(1, 2) / 3**0.5).softmax(-1)[:, 0, 1:]
    assert_close(got.sum(1), weights)


def test_causal_attention_reads_the_last_token():
    torch.manual_seed(0)
    module = TokenAttention(steps_as_tokens, 5, lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True))
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    weights = (steps_as_tokens(x) @ x / 3**0.5)[:, 5].softmax(-1)
    assert_close(explained(RawAttention(), module, make_batch(x, 0)).sum(1), weights)


def test_convolution_after_the_attention_does_not_define_tokens():
    def attend(x):
        out = F.scaled_dot_product_attention(x, x, x).transpose(1, 2)
        return F.conv1d(out, out.new_ones(3, 3, 2), stride=2).transpose(1, 2)

    x = torch.randn(2, 3, 6, dtype=torch.float64)
    got = explained(RawAttention(), TokenAttention(steps_as_tokens, 0, attend), make_batch(x, 0))
    weights = (steps_as_tokens(x) @ x / 3**0.5).softmax(-1)
    assert_close(got.sum(1), weights[:, :2].mean(1))  # the first window reads two tokens
