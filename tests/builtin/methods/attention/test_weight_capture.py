"""Capture of attention weights: scores are unchanged, the network is left unchanged, unsupported networks raise."""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch
import torch.nn.functional as F
from attention_networks import (
    METHODS,
    NETWORKS,
    TEXTS,
    TokenAttention,
    build,
    explained,
    method_id,
    steps_as_tokens,
    text_batch,
)
from builders import make_batch
from torch import nn
from torch.overrides import _get_current_function_mode_stack
from torch.testing import assert_close
from torchvision import models as tv

from xaiexp.builtin.methods.attention.attention_maps import Chefer, RawAttention
from xaiexp.builtin.methods.attention.weight_capture import AttentionWeights
from xaiexp.builtin.models.embeddings import FromEmbeddings
from xaiexp.errors import Unsupported
from xaiexp.testing.snapshots import first_difference, network_state


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_captured_pass_gives_the_scores_of_the_fused_pass(name, dtype, tolerance):
    make_network, make_inputs = NETWORKS[name]
    module, batch = make_network().to(dtype), make_inputs(dtype=dtype)
    with torch.no_grad():
        fused = module(batch.inputs, **batch.context)
        with AttentionWeights(3) as captured:
            scores = module(batch.inputs, **batch.context)
    assert float((scores - fused).abs().max()) <= tolerance * max(1.0, float(fused.abs().max()))
    for weights in captured.layers():
        sums = captured.heads(weights).sum(-1)
        assert_close(sums, torch.ones_like(sums))


def dot_product_cases():
    torch.manual_seed(3)
    q, k, v = (torch.randn(2, 4, 5, 3, dtype=torch.float64) for _ in range(3))
    mask = torch.rand(2, 1, 5, 5) > 0.4
    mask[0, 0, 2] = False  # a query without keys
    return {
        "plain": ((q, k, v), {}),
        "scale": ((q, k, v), {"scale": 0.3}),
        "bool mask": ((q, k, v), {"attn_mask": mask}),
        "float mask": ((q, k, v), {"attn_mask": torch.randn(5, 5, dtype=torch.float64)}),
        "causal": ((q, k, v), {"is_causal": True}),
        "grouped": ((q, k[:, :2], v[:, :2]), {"enable_gqa": True}),
        "three axes": ((q[:, 0], k[:, 0], v[:, 0]), {}),
    }


@pytest.mark.parametrize("case", dot_product_cases())
def test_stepwise_attention_equals_scaled_dot_product_attention(case):
    args, options = dot_product_cases()[case]
    want = F.scaled_dot_product_attention(*args, **options)
    with AttentionWeights(2):
        got = F.scaled_dot_product_attention(*args, **options)
    assert_close(got, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kdim", [None, 16])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mask", ["none", "two axes", "three axes", "padding", "both", "float"])
def test_captured_multi_head_attention_equals_torch(mask, bias, batch_first, kdim):
    torch.manual_seed(4)
    inner = nn.MultiheadAttention(16, 4, bias=bias, batch_first=batch_first, kdim=kdim and 12).double().eval()
    x = torch.randn(3, 5, 16, dtype=torch.float64)
    k = torch.randn(3, 5, 12, dtype=torch.float64) if kdim else x
    v = torch.randn(3, 5, 16, dtype=torch.float64) if kdim else x
    if not batch_first:
        shared = k is x
        x = x.transpose(0, 1)
        k, v = (x, x) if shared else (k.transpose(0, 1), v.transpose(0, 1))
    hidden = torch.rand(5, 5) > 0.6
    hidden.fill_diagonal_(False)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2, [False] * 4 + [True]])
    options = {
        "none": {},
        "two axes": {"attn_mask": hidden},
        "three axes": {"attn_mask": hidden.expand(12, 5, 5)},
        "padding": {"key_padding_mask": padding},
        "both": {"attn_mask": hidden & (torch.arange(5) > 0), "key_padding_mask": padding},
        "float": {"attn_mask": torch.randn(5, 5, dtype=torch.float64)},
    }[mask]
    for need in ({"need_weights": False}, {"average_attn_weights": False}, {}):
        with torch.no_grad():
            want = inner(x, k, v, **options, **need)
        with AttentionWeights(3):
            got = inner(x, k, v, **options, **need)
        assert_close(got[0], want[0], rtol=1e-11, atol=1e-13)
        if want[1] is None:
            assert got[1] is None
        else:
            assert_close(got[1], want[1], rtol=1e-11, atol=1e-13)


class RaisingModule(nn.Module):
    def forward(self, *args, **kwargs):
        raise ZeroDivisionError("in the middle")


@pytest.mark.parametrize("method", METHODS, ids=method_id)
@pytest.mark.parametrize("raises", [False, True])
def test_network_is_unchanged_also_after_errors(method, raises):
    module, batch = FromEmbeddings(build(TEXTS["bert"](), "Sequence", "sdpa")), text_batch()
    if raises:
        module.model.bert.encoder.layer[2].attention = RaisingModule()
    config = copy.deepcopy(module.model.config.__dict__)
    before = network_state(module)
    with pytest.raises(ZeroDivisionError) if raises else contextlib.nullcontext():
        explained(method, module, batch)
    assert first_difference(before, network_state(module)) == ""
    assert module.model.config.__dict__ == config
    assert module.model.config._attn_implementation == "sdpa"
    assert not _get_current_function_mode_stack()


def scaled_weights(x):
    weights = (x @ x.transpose(1, 2)).softmax(-1)
    return (weights * 0.5) @ x


def query_pooling(x):
    x = F.scaled_dot_product_attention(x, x, x)
    return F.scaled_dot_product_attention(x[:, :1], x, x)


def merging(x):
    x = F.scaled_dot_product_attention(x, x, x)[:, ::2]
    return F.scaled_dot_product_attention(x, x, x)


def class_token_last(x):
    return torch.cat([steps_as_tokens(x), x.mean(2).unsqueeze(1)], 1)


UNSUPPORTED = {
    "windows": (lambda: tv.swin_t(num_classes=3), (3, 64, 64), "attends within windows"),
    "windows of einsum": (lambda: tv.maxvit_t(num_classes=3, input_size=(224, 224)), (3, 224, 224), "within windows"),
    "no attention": (lambda: tv.squeezenet1_1(num_classes=3), (3, 64, 64), "runs no visible self-attention"),
    "a gate": (lambda: TokenAttention(steps_as_tokens, attend=scaled_weights), (3, 6), "may be attention"),
    "a query": (lambda: TokenAttention(steps_as_tokens, attend=query_pooling), (3, 6), "from 1 to 6 tokens"),
    "a class token at the end": (lambda: TokenAttention(class_token_last, 6), (3, 6), "depends on token 6 of 7"),
    "merging": (lambda: TokenAttention(steps_as_tokens, attend=merging), (3, 6), "6 and 3 tokens"),
    "tokens without positions": (
        lambda: TokenAttention(lambda x: steps_as_tokens(x)[:, :4]), (2, 6), "cannot be mapped"
    ),
    "a decoder": (
        lambda: nn.Sequential(nn.TransformerDecoderLayer(6, 2, batch_first=True)), (3, 6), "cross-attention"
    ),
}  # fmt: skip


@pytest.mark.parametrize("method", [RawAttention(), Chefer()], ids=method_id)
@pytest.mark.parametrize("case", UNSUPPORTED)
def test_unsupported_networks_raise_with_the_reason(case, method):
    make_network, shape, reason = UNSUPPORTED[case]
    torch.manual_seed(0)
    module = make_network().eval().requires_grad_(False)
    batch = make_batch(torch.rand(2, *shape), 0)
    with pytest.raises(Unsupported, match=reason):
        explained(method, module, batch)
    assert not _get_current_function_mode_stack()


def test_explicit_attention_by_einsum_and_modules_is_captured():
    def einsum(x):
        weights = torch.einsum("bic,bjc->bij", x, x)
        weights = nn.Dropout(0.5).eval()(nn.Softmax(dim=-1)(weights)).to(torch.float64).contiguous()
        return torch.einsum("bij,bjc->bic", weights, x)

    x = torch.randn(2, 3, 6, dtype=torch.float64)
    got = explained(RawAttention(), TokenAttention(steps_as_tokens, 0, einsum), make_batch(x, 0))
    assert_close(got.sum(1), (steps_as_tokens(x) @ x)[:, 0].softmax(-1))
