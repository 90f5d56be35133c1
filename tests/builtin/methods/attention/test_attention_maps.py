"""Attention methods: comparison with loop implementations on encoders, and general properties."""

from __future__ import annotations

import contextlib

import pytest
import torch
import torch.nn.functional as F
import transformers
from attention_networks import (
    IMAGE,
    IMAGES,
    LENGTHS,
    METHODS,
    NETWORKS,
    TEXTS,
    MeanPoolingEncoder,
    build,
    expected,
    explained,
    image_batch,
    method_id,
    reference_weights,
    text_batch,
    vision_transformer,
)
from builders import bind, draws, make_batch
from torch import nn
from torch.testing import assert_close

from xaiexp.builtin.methods.attention.attention_maps import AttentionRollout, AttentionXGradient, Chefer, RawAttention
from xaiexp.builtin.models.embeddings import FromEmbeddings
from xaiexp.builtin.models.image_models import FromPixels
from xaiexp.core.explanations import Cost
from xaiexp.core.feature_map import FeatureMap
from xaiexp.inference.counter import Counter
from xaiexp.inference.passes import Passes
from xaiexp.testing import check


@pytest.mark.parametrize("method", METHODS, ids=method_id)
@pytest.mark.parametrize("family", TEXTS)
def test_token_relevance_of_texts_equals_the_loops(family, method):
    batch = text_batch()
    plain = build(TEXTS[family](), "Sequence", "eager")
    leaf = batch.inputs.clone().requires_grad_()
    weights, gradients = reference_weights(plain, batch, inputs_embeds=leaf * 1, **batch.context)
    want = expected(method, weights, gradients, [[0]] * 3)
    with contextlib.suppress(ValueError):  # some families have no fused way
        plain = build(TEXTS[family](), "Sequence", "sdpa")
    got = explained(method, FromEmbeddings(plain), batch)
    assert_close(got, got[..., :1].expand_as(got))  # divided equally among the elements of an embedding
    for i, length in enumerate(LENGTHS):
        assert_close(got[i].sum(-1)[1 : length - 1], want[i, 1 : length - 1], rtol=1e-9, atol=1e-12)
        assert (got[i, length - 1 :] == 0).all()  # the last special token and the padding
        assert (got[i, 0] == 0).all()


@pytest.mark.parametrize("method", METHODS, ids=method_id)
@pytest.mark.parametrize("family", IMAGES)
def test_patch_relevance_of_images_equals_the_loops(family, method):
    config, before, read = IMAGES[family]
    batch = image_batch()
    plain = build(config(), "Image", "eager")
    weights, gradients = reference_weights(plain, batch, pixel_values=batch.inputs.clone().requires_grad_())
    want = expected(method, weights, gradients, [read] * 3)
    assert want.shape[1] == before + 6
    got = explained(method, FromPixels(build(config(), "Image", "sdpa")), batch)
    for y in range(2):
        for x in range(3):
            patch = got[:, :, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
            # The eager softmax of transformers is computed in float32.
            assert_close(
                patch.sum((1, 2, 3)), want[:, before + 3 * y + x], rtol=1e-5, atol=1e-7 * float(want.abs().max())
            )
            assert_close(patch, patch[:, :1, :1, :1].expand_as(patch))


def test_register_tokens_between_class_token_and_patches_are_skipped():
    """DINOv2 reads its class token and the mean of all other tokens, including registers."""
    config = {**IMAGE, "image_size": 8, "num_register_tokens": 3}
    batch = image_batch((2, 8, 8))
    models = [
        build(transformers.Dinov2WithRegistersConfig(**config), "Image", implementation)
        for implementation in ("eager", "sdpa")
    ]
    weights, gradients = reference_weights(models[0], batch, pixel_values=batch.inputs.clone().requires_grad_())
    read = [i for i in range(8) if bool((gradients[-1][:, :, i] != 0).any())]
    for method in METHODS:
        want = expected(method, weights, gradients, [read] * 3)[:, 4:].reshape(3, 2, 2)
        got = F.avg_pool2d(explained(method, FromPixels(models[1]), batch).sum(1), 4) * 16
        assert_close(got, want, rtol=1e-5, atol=1e-7 * float(want.abs().max()))


def test_distilled_deit_averages_the_rows_of_both_its_tokens():
    batch = image_batch()
    models = []
    for implementation in ("eager", "sdpa"):
        torch.manual_seed(0)
        model = transformers.DeiTForImageClassificationWithTeacher._from_config(
            transformers.DeiTConfig(**IMAGE), attn_implementation=implementation
        )
        models.append(model.double().eval())
    with torch.no_grad():
        weights = models[0](batch.inputs, output_attentions=True).attentions
    want = expected(RawAttention(), weights, weights, [[0, 1]] * 3)
    got = explained(RawAttention(), FromPixels(models[1]), batch)
    assert_close(batch.features.pool(got).sum(1), want[:, 2:].sum(1), rtol=1e-6, atol=0)


@pytest.mark.parametrize("method", METHODS, ids=method_id)
def test_torchvision_vit_equals_the_loops(method):
    module, batch = vision_transformer(), image_batch((3, 24, 24))
    tokens = module._process_input(batch.inputs)
    tokens = torch.cat([module.class_token.expand(3, -1, -1), tokens], 1) + module.encoder.pos_embedding
    weights, values, offsets = [], [], []
    for block in module.encoder.layers:
        x, inner = block.ln_1(tokens), block.self_attention
        weight = inner(x, x, x, need_weights=True, average_attn_weights=False)[1]
        value = (x @ inner.in_proj_weight[32:].T + inner.in_proj_bias[32:]).view(3, 10, 2, 8).transpose(1, 2)
        # The gradient of a weight is the gradient of the head's output times the value.
        offset = torch.zeros(3, 2, 10, 8, dtype=torch.float64, requires_grad=True)
        tokens = tokens + inner.out_proj((weight @ value + offset).transpose(1, 2).reshape(3, 10, 16))
        tokens = tokens + block.mlp(block.ln_2(tokens))
        weights.append(weight.detach())
        values.append(value.detach())
        offsets.append(offset)
    logits = module.heads(module.encoder.ln(tokens)[:, 0])
    assert_close(logits, module(batch.inputs))
    slopes = torch.autograd.grad(logits.gather(1, batch.targets.unsqueeze(1)).sum(), offsets)
    gradients = [slope @ value.transpose(2, 3) for slope, value in zip(slopes, values, strict=True)]
    want = expected(method, weights, gradients, [[0]] * 3)
    got = explained(method, module, batch)
    for patch in range(9):
        y, x = divmod(patch, 3)
        block = got[:, :, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8]
        assert_close(block.sum((1, 2, 3)), want[:, 1 + patch], rtol=1e-9, atol=1e-12)


class OneLayer(nn.Module):
    """One attention head over time series ``[N, C, T]`` and a linear function of its first token."""

    def __init__(self, fused=True):
        super().__init__()
        self.fused = fused

    def forward(self, x):
        tokens = x.transpose(1, 2)
        if self.fused:
            out = F.scaled_dot_product_attention(tokens, tokens, tokens, scale=1.0)
        else:
            out = (tokens @ tokens.transpose(1, 2)).softmax(-1) @ tokens
        return out[:, 0] @ torch.tensor([[1.0, 0.0], [-2.0, 1.0]], dtype=x.dtype)


@pytest.mark.parametrize("fused", [True, False])
def test_single_layer_closed_form(fused):
    """y_0 = sum_j a_0j w . x_j with a = softmax(x_0 . x_j): weights a, gradients w . x_j, relevancy their product."""
    x = torch.tensor([[[1.0, 0.5, -1.0], [0.0, 2.0, 1.0]]], dtype=torch.float64)  # tokens (1, 0), (.5, 2), (-1, 1)
    batch = make_batch(x, 0)
    a = torch.tensor([1.0, 0.5, -1.0], dtype=torch.float64).softmax(0)
    slope = torch.tensor([1.0, 0.5 - 4.0, -1.0 - 2.0], dtype=torch.float64)
    module = OneLayer(fused)
    for method, want in (
        (RawAttention(), a),
        (AttentionRollout(), 0.5 * a + torch.tensor([0.5, 0.0, 0.0], dtype=torch.float64)),
        (AttentionXGradient(), a * slope),
        (AttentionXGradient(positive=True), (a * slope).clamp(min=0)),
        (Chefer(), (a * slope).clamp(min=0)),
    ):
        got = explained(method, module, batch)
        assert_close(got.sum(1)[0], want, rtol=1e-12, atol=1e-15)
        assert_close(got[:, 0], got[:, 1])


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")  # raised by the fast path
@pytest.mark.parametrize("method", METHODS, ids=method_id)
def test_torch_encoder_fast_path_is_disabled_only_during_the_capture(method, monkeypatch):
    module, batch = MeanPoolingEncoder(), text_batch()
    fast_calls = []
    real = torch._transformer_encoder_layer_fwd
    monkeypatch.setattr(torch, "_transformer_encoder_layer_fwd", lambda *a, **k: fast_calls.append(1) or real(*a, **k))
    with torch.no_grad():
        before = module(batch.inputs, **batch.context)
    assert len(fast_calls) == 2
    got = explained(method, module, batch)
    assert len(fast_calls) == 2
    with torch.no_grad():
        assert torch.equal(module(batch.inputs, **batch.context), before)
    assert len(fast_calls) == 4
    # Without a class token: the mean of the rows of all tokens but padding.
    x, weights, values, offsets = batch.inputs, [], [], []
    padding = batch.context["attention_mask"] == 0
    for layer in module.inner.layers:
        inner = layer.self_attn
        weight = inner(x, x, x, padding, need_weights=True, average_attn_weights=False)[1]
        value = (x @ inner.in_proj_weight[32:].T + inner.in_proj_bias[32:]).view(3, 7, 2, 8).transpose(1, 2)
        offset = torch.zeros(3, 2, 7, 8, dtype=torch.float64, requires_grad=True)
        x = layer.norm1(x + inner.out_proj((weight @ value + offset).transpose(1, 2).reshape(3, 7, 16)))
        x = layer.norm2(x + layer.linear2(layer.linear1(x).relu()))
        weights.append(weight.detach())
        values.append(value.detach())
        offsets.append(offset)
    kept = (~padding).double().unsqueeze(-1)
    logits = module.head((x * kept).sum(1) / kept.sum(1))
    assert_close(logits, before)
    slopes = torch.autograd.grad(logits.gather(1, batch.targets.unsqueeze(1)).sum(), offsets)
    gradients = [slope @ value.transpose(2, 3) for slope, value in zip(slopes, values, strict=True)]
    want = expected(method, weights, gradients, [range(length) for length in LENGTHS])
    for i, length in enumerate(LENGTHS):
        assert_close(got[i].sum(-1)[1 : length - 1], want[i, 1 : length - 1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", METHODS, ids=method_id)
def test_padding_does_not_change_attributions(method):
    module, batch = FromEmbeddings(build(TEXTS["roberta"](), "Sequence", "sdpa")), text_batch()
    whole = explained(method, module, batch)
    for i, length in enumerate(LENGTHS):
        index = batch.features.index[i : i + 1, :length]
        alone = make_batch(
            batch.inputs[i : i + 1, :length], batch.targets[i : i + 1],
            features=FeatureMap(index, batch.features.counts[i : i + 1], (length - 2,)), modality="text",
            context={"attention_mask": batch.context["attention_mask"][i : i + 1, :length]},
        )  # fmt: skip
        assert_close(explained(method, module, alone)[0], whole[i, :length], rtol=1e-9, atol=1e-14)
        assert (whole[i, length:] == 0).all()


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize("method", METHODS, ids=method_id)
def test_counted_passes_equal_the_declared_cost(method, output):
    module, batch = vision_transformer(), image_batch((3, 24, 24))
    handle = bind(module, batch, budget=2, output=output)
    handle.counter = Counter()
    method.attribute(handle, batch, None, draws(batch))
    assert Cost(handle.counter.forward, handle.counter.backward) == method.passes((3, 24, 24), 576) * 3


# Relative to the largest value of the map; bf16 has 8 bits of precision (1/256 = 0.004).
BF16 = {"raw_attention": 0.005, "attention_rollout": 0.005, "attention_x_gradient": 0.05, "chefer": 0.05}


@pytest.mark.parametrize("method", METHODS, ids=method_id)
@pytest.mark.parametrize("name", ["text bert", "text deberta-v2", "image vit", "torchvision", "encoder"])
def test_bf16_differs_from_float32_within_tolerance(name, method):
    assert "bf16" in method.precisions
    make_network, make_inputs = NETWORKS[name]
    module, batch = make_network().float(), make_inputs(dtype=torch.float32)
    with torch.no_grad():  # smaller weights: those of the other tests saturate every softmax
        for parameter in module.parameters():
            parameter.mul_(0.3)
    exact = explained(method, module, batch)
    passes = Passes(module, precision="bf16")
    reduced = method.attribute(passes.bind(batch), batch, None, draws(batch))
    assert reduced.dtype == torch.float32
    deviation = float((reduced - exact).abs().max() / exact.abs().max())
    assert 0 < deviation < BF16[method.name]


@pytest.mark.parametrize("method", METHODS, ids=method_id)
def test_conformance_kit_passes_for_all_parameters(method):
    results = {result.check: result for result in check(method)}
    assert [str(result) for result in results.values() if result.outcome == "failed"] == []
    for name in ("padding", "passes", "target", "errors_change_nothing", "network_unchanged", "batch_mates"):
        assert results[name].outcome == "passed", results[name]
