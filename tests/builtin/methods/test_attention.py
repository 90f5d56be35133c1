"""The attention family: weights as transformers itself shows them, formulas as plain loops, networks left alone."""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch
import torch.nn.functional as F
import transformers
from builders import bind, draws, make_batch, pixel_map
from reference import attention_loops as loops
from torch import nn
from torch.overrides import _get_current_function_mode_stack
from torch.testing import assert_close
from torchvision import models as tv

from xaiexp.builtin.methods.attention.attention_maps import AttentionRollout, AttentionXGradient, Chefer, RawAttention
from xaiexp.builtin.methods.attention.token_index import spread, token_index
from xaiexp.builtin.methods.attention.weight_capture import AttentionWeights, Patches
from xaiexp.builtin.models.embeddings import FromEmbeddings
from xaiexp.builtin.models.image_models import FromPixels
from xaiexp.core.explanations import Cost
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported
from xaiexp.inference.counter import Counter
from xaiexp.inference.passes import Passes
from xaiexp.testing import check
from xaiexp.testing.watching import difference, network

METHODS = [
    RawAttention(),
    AttentionRollout(),
    AttentionRollout(head_fusion="max"),
    AttentionRollout(head_fusion="min", residual=0.2),
    AttentionXGradient(),
    AttentionXGradient(positive=True),
    Chefer(),
]
LENGTHS = (7, 4, 5)
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_labels": 3,
    "initializer_range": 0.5,
}
TEXT = {**SMALL, "vocab_size": 20, "max_position_embeddings": 40, "pad_token_id": 0}
PICTURE = {**SMALL, "image_size": (8, 12), "patch_size": 4, "num_channels": 2}

TEXTS = {
    "bert": lambda: transformers.BertConfig(**TEXT),
    "roberta": lambda: transformers.RobertaConfig(**TEXT),
    "electra": lambda: transformers.ElectraConfig(**TEXT, embedding_size=16),
    "albert": lambda: transformers.AlbertConfig(**TEXT, embedding_size=16),
    "mpnet": lambda: transformers.MPNetConfig(**TEXT),
    "deberta-v2": lambda: transformers.DebertaV2Config(
        **TEXT, relative_attention=True, pos_att_type=["p2c", "c2p"], max_relative_positions=8
    ),
    "distilbert": lambda: transformers.DistilBertConfig(
        vocab_size=20, dim=16, n_layers=3, n_heads=2, hidden_dim=32, max_position_embeddings=40, num_labels=3,
        initializer_range=0.5, pad_token_id=0,
    ),
}  # fmt: skip
# The tokens that stand before the 2 x 3 patches, and those that the output is read from.
PICTURES = {
    "vit": (lambda: transformers.ViTConfig(**PICTURE), 1, [0]),
    "deit": (lambda: transformers.DeiTConfig(**PICTURE, architectures=["DeiTForImageClassification"]), 2, [0]),
    "beit": (
        lambda: transformers.BeitConfig(**PICTURE, use_mean_pooling=True, use_relative_position_bias=True),
        1,
        [1, 2, 3, 4, 5, 6],
    ),
}


def ident(method):
    return "-".join([method.name, *[str(v) for v in method.parameters().values()]])


def build(config, how, attention):
    """A network of transformers in float64 with random weights, the same for both ways to attend."""
    torch.manual_seed(0)
    auto = getattr(transformers, f"AutoModelFor{how}Classification")
    model = auto.from_config(config, attn_implementation=attention).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * (0.2 if parameter.ndim == 1 else 0.5))
    return model.requires_grad_(False)


def text_batch(dtype=torch.float64):
    """Three texts of embeddings; special tokens first and last, padding behind."""
    torch.manual_seed(1)
    place = torch.arange(max(LENGTHS))
    lengths = torch.tensor(LENGTHS).unsqueeze(1)
    inside = (place > 0) & (place < lengths - 1)
    index = torch.where(inside, place - 1, -1).unsqueeze(-1).expand(-1, -1, 16).contiguous()
    features = FeatureMap(index, inside.sum(1), (max(LENGTHS) - 2,))
    mask = (place < lengths).long()
    inputs = torch.randn(3, max(LENGTHS), 16, dtype=dtype)
    return make_batch(
        inputs, torch.tensor([0, 2, 1]), features=features, modality="text", context={"attention_mask": mask}
    )


def picture_batch(shape=(2, 8, 12), dtype=torch.float64):
    torch.manual_seed(1)
    inputs = torch.randn(3, *shape, dtype=dtype)
    return make_batch(inputs, torch.tensor([0, 2, 1]), features=pixel_map(shape), modality="image")


def explained(method, module, batch, **options):
    return method.attribute(bind(module, batch, **options), batch, None, draws(batch))


def expected(method, weights, gradients, read):
    """One number for each token of each example, by the loops; weights and gradients ``[N, H, T, T]``."""
    out = []
    for i in range(len(weights[0])):
        layers = [each[i].tolist() for each in weights]
        slopes = [each[i].tolist() for each in gradients]
        if isinstance(method, RawAttention):
            row = loops.raw_attention(layers, read[i])
        elif isinstance(method, AttentionRollout):
            row = loops.rollout(layers, read[i], method.head_fusion, method.residual)
        elif isinstance(method, AttentionXGradient):
            row = loops.attention_x_gradient(layers, slopes, read[i], method.positive)
        else:
            row = loops.chefer(layers, slopes, read[i])
        out.append(row)
    return torch.tensor(out, dtype=torch.float64)


def shown(model, batch, **given):
    """Weights and their gradients as transformers shows them, in its written-out way to attend."""
    out = model(**given, output_attentions=True)
    scores = out.logits.gather(1, batch.targets.unsqueeze(1)).sum()
    gradients = torch.autograd.grad(scores, out.attentions)
    return [a.detach() for a in out.attentions], gradients


@pytest.mark.parametrize("method", METHODS, ids=ident)
@pytest.mark.parametrize("family", TEXTS)
def test_tokens_of_texts_get_what_the_papers_say(family, method):
    batch = text_batch()
    plain = build(TEXTS[family](), "Sequence", "eager")
    leaf = batch.inputs.clone().requires_grad_()
    weights, gradients = shown(plain, batch, inputs_embeds=leaf * 1, **batch.context)
    want = expected(method, weights, gradients, [[0]] * 3)
    with contextlib.suppress(ValueError):  # some families have no fused way
        plain = build(TEXTS[family](), "Sequence", "sdpa")
    got = explained(method, FromEmbeddings(plain), batch)
    assert_close(got, got[..., :1].expand_as(got))  # shared equally by the numbers of an embedding
    for i, length in enumerate(LENGTHS):
        assert_close(got[i].sum(-1)[1 : length - 1], want[i, 1 : length - 1], rtol=1e-9, atol=1e-12)
        assert (got[i, length - 1 :] == 0).all()  # the last special token and the padding
        assert (got[i, 0] == 0).all()


@pytest.mark.parametrize("method", METHODS, ids=ident)
@pytest.mark.parametrize("family", PICTURES)
def test_patches_of_pictures_get_what_the_papers_say(family, method):
    config, before, read = PICTURES[family]
    batch = picture_batch()
    plain = build(config(), "Image", "eager")
    weights, gradients = shown(plain, batch, pixel_values=batch.inputs.clone().requires_grad_())
    want = expected(method, weights, gradients, [read] * 3)
    assert want.shape[1] == before + 6
    got = explained(method, FromPixels(build(config(), "Image", "sdpa")), batch)
    for y in range(2):
        for x in range(3):
            patch = got[:, :, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
            # Transformers' written-out softmax is float32 here, whatever the network is.
            assert_close(
                patch.sum((1, 2, 3)), want[:, before + 3 * y + x], rtol=1e-5, atol=1e-7 * float(want.abs().max())
            )
            assert_close(patch, patch[:, :1, :1, :1].expand_as(patch))


def test_registers_stand_between_the_class_token_and_the_patches():
    """DINOv2 reads its class token and the mean of everything behind it, registers too."""
    config = {**PICTURE, "image_size": 8, "num_register_tokens": 3}
    batch = picture_batch((2, 8, 8))
    models = [build(transformers.Dinov2WithRegistersConfig(**config), "Image", way) for way in ("eager", "sdpa")]
    weights, gradients = shown(models[0], batch, pixel_values=batch.inputs.clone().requires_grad_())
    read = [i for i in range(8) if bool((gradients[-1][:, :, i] != 0).any())]
    for method in METHODS:
        want = expected(method, weights, gradients, [read] * 3)[:, 4:].reshape(3, 2, 2)
        got = F.avg_pool2d(explained(method, FromPixels(models[1]), batch).sum(1), 4) * 16
        assert_close(got, want, rtol=1e-5, atol=1e-7 * float(want.abs().max()))


def test_a_distilled_deit_is_read_from_both_its_tokens():
    batch = picture_batch()
    models = []
    for way in ("eager", "sdpa"):
        torch.manual_seed(0)
        model = transformers.DeiTForImageClassificationWithTeacher._from_config(
            transformers.DeiTConfig(**PICTURE), attn_implementation=way
        )
        models.append(model.double().eval())
    with torch.no_grad():
        weights = models[0](batch.inputs, output_attentions=True).attentions
    want = expected(RawAttention(), weights, weights, [[0, 1]] * 3)
    got = explained(RawAttention(), FromPixels(models[1]), batch)
    assert_close(batch.features.pool(got).sum(1), want[:, 2:].sum(1), rtol=1e-6, atol=0)


def vision_transformer():
    torch.manual_seed(0)
    module = tv.VisionTransformer(
        image_size=24, patch_size=8, num_layers=3, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=3
    )
    module.heads.head = nn.Linear(16, 3)  # torchvision starts it with zeros
    return module.double().eval().requires_grad_(False)


@pytest.mark.parametrize("method", METHODS, ids=ident)
def test_torchvision_s_vit_gets_what_the_papers_say(method):
    module, batch = vision_transformer(), picture_batch((3, 24, 24))
    tokens = module._process_input(batch.inputs)
    tokens = torch.cat([module.class_token.expand(3, -1, -1), tokens], 1) + module.encoder.pos_embedding
    weights, values, nudges = [], [], []
    for block in module.encoder.layers:
        x, inner = block.ln_1(tokens), block.self_attention
        weight = inner(x, x, x, need_weights=True, average_attn_weights=False)[1]
        value = (x @ inner.in_proj_weight[32:].T + inner.in_proj_bias[32:]).view(3, 10, 2, 8).transpose(1, 2)
        # The gradient of a weight is that of the head's output times the value: no graph through the weights.
        nudge = torch.zeros(3, 2, 10, 8, dtype=torch.float64, requires_grad=True)
        tokens = tokens + inner.out_proj((weight @ value + nudge).transpose(1, 2).reshape(3, 10, 16))
        tokens = tokens + block.mlp(block.ln_2(tokens))
        weights.append(weight.detach())
        values.append(value.detach())
        nudges.append(nudge)
    logits = module.heads(module.encoder.ln(tokens)[:, 0])
    assert_close(logits, module(batch.inputs))
    slopes = torch.autograd.grad(logits.gather(1, batch.targets.unsqueeze(1)).sum(), nudges)
    gradients = [slope @ value.transpose(2, 3) for slope, value in zip(slopes, values, strict=True)]
    want = expected(method, weights, gradients, [[0]] * 3)
    got = explained(method, module, batch)
    for patch in range(9):
        y, x = divmod(patch, 3)
        block = got[:, :, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8]
        assert_close(block.sum((1, 2, 3)), want[:, 1 + patch], rtol=1e-9, atol=1e-12)


class OneLayer(nn.Module):
    """One head of attention over series ``[N, C, T]`` with given logits, and a linear read of its first token."""

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
def test_one_layer_has_a_closed_form(fused):
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


def encoder(**options):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, **options)
    nested = not options  # else torch warns that it has no use for it
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=nested).double().eval().requires_grad_(False)


class Users(nn.Module):
    """A module of somebody's own over token embeddings, which averages what is no padding."""

    def __init__(self, **options):
        super().__init__()
        self.inner = encoder(**options)
        self.head = nn.Linear(16, 3).double()

    def forward(self, inputs, attention_mask):
        out = self.inner(inputs, src_key_padding_mask=attention_mask == 0)
        if out.shape[1] < inputs.shape[1]:
            out = F.pad(out, (0, 0, 0, inputs.shape[1] - out.shape[1]))
        kept = attention_mask.to(out.dtype).unsqueeze(-1)
        return self.head((out * kept).sum(1) / kept.sum(1))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")  # of the fast path itself
@pytest.mark.parametrize("method", METHODS, ids=ident)
def test_the_fast_path_of_torch_s_own_encoder_is_left_and_taken_again(method, monkeypatch):
    module, batch = Users(), text_batch()
    quick = []
    real = torch._transformer_encoder_layer_fwd
    monkeypatch.setattr(torch, "_transformer_encoder_layer_fwd", lambda *a, **k: quick.append(1) or real(*a, **k))
    with torch.no_grad():
        before = module(batch.inputs, **batch.context)
    assert len(quick) == 2
    got = explained(method, module, batch)
    assert len(quick) == 2
    with torch.no_grad():
        assert torch.equal(module(batch.inputs, **batch.context), before)
    assert len(quick) == 4
    # Without a class token: the mean of the rows of what is no padding.
    x, weights, values, nudges = batch.inputs, [], [], []
    padding = batch.context["attention_mask"] == 0
    for layer in module.inner.layers:
        inner = layer.self_attn
        weight = inner(x, x, x, padding, need_weights=True, average_attn_weights=False)[1]
        value = (x @ inner.in_proj_weight[32:].T + inner.in_proj_bias[32:]).view(3, 7, 2, 8).transpose(1, 2)
        nudge = torch.zeros(3, 2, 7, 8, dtype=torch.float64, requires_grad=True)
        x = layer.norm1(x + inner.out_proj((weight @ value + nudge).transpose(1, 2).reshape(3, 7, 16)))
        x = layer.norm2(x + layer.linear2(layer.linear1(x).relu()))
        weights.append(weight.detach())
        values.append(value.detach())
        nudges.append(nudge)
    kept = (~padding).double().unsqueeze(-1)
    logits = module.head((x * kept).sum(1) / kept.sum(1))
    assert_close(logits, before)
    slopes = torch.autograd.grad(logits.gather(1, batch.targets.unsqueeze(1)).sum(), nudges)
    gradients = [slope @ value.transpose(2, 3) for slope, value in zip(slopes, values, strict=True)]
    want = expected(method, weights, gradients, [range(length) for length in LENGTHS])
    for i, length in enumerate(LENGTHS):
        assert_close(got[i].sum(-1)[1 : length - 1], want[i, 1 : length - 1], rtol=1e-9, atol=1e-12)


SCORES = {
    **{f"text {name}": (lambda c=config: FromEmbeddings(build(c(), "Sequence", None)), text_batch)
       for name, config in TEXTS.items()},
    **{f"picture {name}": (lambda c=config[0]: FromPixels(build(c(), "Image", None)), picture_batch)
       for name, config in PICTURES.items()},
    "torchvision": (vision_transformer, lambda **k: picture_batch((3, 24, 24), **k)),
    "encoder": (Users, text_batch),
    "encoder, norm first": (lambda: Users(norm_first=True), text_batch),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_scores_on_the_exposed_path_are_those_of_the_fused_one(name, dtype, tolerance):
    made, batched = SCORES[name]
    module, batch = made().to(dtype), batched(dtype=dtype)
    with torch.no_grad():
        fused = module(batch.inputs, **batch.context)
        with AttentionWeights(3) as seen:
            shown = module(batch.inputs, **batch.context)
    assert float((shown - fused).abs().max()) <= tolerance * max(1.0, float(fused.abs().max()))
    for weights in seen.layers():
        sums = seen.heads(weights).sum(-1)
        assert_close(sums, torch.ones_like(sums))


def dot_product_cases():
    torch.manual_seed(3)
    q, k, v = (torch.randn(2, 4, 5, 3, dtype=torch.float64) for _ in range(3))
    some = torch.rand(2, 1, 5, 5) > 0.4
    some[0, 0, 2] = False  # a query that may attend to nothing
    return {
        "plain": ((q, k, v), {}),
        "scale": ((q, k, v), {"scale": 0.3}),
        "bool mask": ((q, k, v), {"attn_mask": some}),
        "float mask": ((q, k, v), {"attn_mask": torch.randn(5, 5, dtype=torch.float64)}),
        "causal": ((q, k, v), {"is_causal": True}),
        "grouped": ((q, k[:, :2], v[:, :2]), {"enable_gqa": True}),
        "three axes": ((q[:, 0], k[:, 0], v[:, 0]), {}),
    }


@pytest.mark.parametrize("case", dot_product_cases())
def test_attention_step_by_step_is_torch_s_own(case):
    args, options = dot_product_cases()[case]
    want = F.scaled_dot_product_attention(*args, **options)
    with AttentionWeights(2):
        got = F.scaled_dot_product_attention(*args, **options)
    assert_close(got, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kdim", [None, 16])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mask", ["none", "two axes", "three axes", "padding", "both", "float"])
def test_multi_head_attention_is_torch_s_own(mask, bias, batch_first, kdim):
    torch.manual_seed(4)
    inner = nn.MultiheadAttention(16, 4, bias=bias, batch_first=batch_first, kdim=kdim and 12).double().eval()
    x = torch.randn(3, 5, 16, dtype=torch.float64)
    k = torch.randn(3, 5, 12, dtype=torch.float64) if kdim else x
    v = torch.randn(3, 5, 16, dtype=torch.float64) if kdim else x
    if not batch_first:
        same = k is x
        x = x.transpose(0, 1)
        k, v = (x, x) if same else (k.transpose(0, 1), v.transpose(0, 1))
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


class Stops(nn.Module):
    def forward(self, *args, **kwargs):
        raise ZeroDivisionError("in the middle")


@pytest.mark.parametrize("method", METHODS, ids=ident)
@pytest.mark.parametrize("raises", [False, True])
def test_the_network_is_left_as_it_was(method, raises):
    module, batch = FromEmbeddings(build(TEXTS["bert"](), "Sequence", "sdpa")), text_batch()
    if raises:
        module.model.bert.encoder.layer[2].attention = Stops()
    config = copy.deepcopy(module.model.config.__dict__)
    before = network(module)
    with pytest.raises(ZeroDivisionError) if raises else contextlib.nullcontext():
        explained(method, module, batch)
    assert difference(before, network(module)) == ""
    assert module.model.config.__dict__ == config
    assert module.model.config._attn_implementation == "sdpa"
    assert not _get_current_function_mode_stack()


class Convolves(nn.Module):
    """Attention over the tokens of ``tokens(x)``, read at ``read``."""

    def __init__(self, tokens, read=0, attend=None):
        super().__init__()
        self.tokens, self.read = tokens, read
        self.attend = attend or (lambda x: F.scaled_dot_product_attention(x, x, x))

    def forward(self, x, **context):
        return self.attend(self.tokens(x))[:, self.read]


def rows_of(x):
    return x.transpose(1, 2)


def gated(x):
    weights = (x @ x.transpose(1, 2)).softmax(-1)
    return (weights * 0.5) @ x


def pooled(x):
    x = F.scaled_dot_product_attention(x, x, x)
    return F.scaled_dot_product_attention(x[:, :1], x, x)


def class_token_last(x):
    return torch.cat([rows_of(x), x.mean(2).unsqueeze(1)], 1)


REFUSED = {
    "windows": (lambda: tv.swin_t(num_classes=3), (3, 64, 64), "attends within windows"),
    "windows of einsum": (lambda: tv.maxvit_t(num_classes=3, input_size=(224, 224)), (3, 224, 224), "within windows"),
    "no attention": (lambda: tv.squeezenet1_1(num_classes=3), (3, 64, 64), "runs no self-attention that can be seen"),
    "a gate": (lambda: Convolves(rows_of, attend=gated), (3, 6), "may be attention"),
    "a query": (lambda: Convolves(rows_of, attend=pooled), (3, 6), "from 1 to 6 tokens"),
    "a class token at the end": (lambda: Convolves(class_token_last, 6), (3, 6), "read from token 6 of 7"),
    "merging": (
        lambda: Convolves(rows_of, attend=lambda x: (lambda y: F.scaled_dot_product_attention(y, y, y))(
            F.scaled_dot_product_attention(x, x, x)[:, ::2])),
        (3, 6),
        "6 and 3 tokens",
    ),
    "tokens that are no places": (lambda: Convolves(lambda x: rows_of(x)[:, :4]), (2, 6), "cannot be mapped"),
    "a decoder": (
        lambda: nn.Sequential(nn.TransformerDecoderLayer(6, 2, batch_first=True)), (3, 6), "cross-attention"
    ),
}  # fmt: skip


@pytest.mark.parametrize("method", [RawAttention(), Chefer()], ids=ident)
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_explained_is_refused_with_the_reason(case, method):
    made, shape, reason = REFUSED[case]
    torch.manual_seed(0)
    module = made().eval().requires_grad_(False)
    batch = make_batch(torch.rand(2, *shape), 0)
    with pytest.raises(Unsupported, match=reason):
        explained(method, module, batch)
    assert not _get_current_function_mode_stack()


def test_a_class_token_in_front_of_a_series_is_dropped():
    module = Convolves(lambda x: torch.cat([x.mean(2).unsqueeze(1), rows_of(x)], 1))
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    got = explained(RawAttention(), module, make_batch(x, 0))
    tokens = torch.cat([x.mean(2).unsqueeze(1), rows_of(x)], 1)
    weights = (tokens @ tokens.transpose(1, 2) / 3**0.5).softmax(-1)[:, 0, 1:]
    assert_close(got.sum(1), weights)


def test_the_last_token_is_read_where_attention_looks_back_only():
    torch.manual_seed(0)
    module = Convolves(rows_of, 5, lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True))
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    weights = (rows_of(x) @ x / 3**0.5)[:, 5].softmax(-1)
    assert_close(explained(RawAttention(), module, make_batch(x, 0)).sum(1), weights)


def test_a_convolution_behind_the_attention_makes_no_tokens():
    def attend(x):
        out = F.scaled_dot_product_attention(x, x, x).transpose(1, 2)
        return F.conv1d(out, out.new_ones(3, 3, 2), stride=2).transpose(1, 2)

    x = torch.randn(2, 3, 6, dtype=torch.float64)
    got = explained(RawAttention(), Convolves(rows_of, 0, attend), make_batch(x, 0))
    weights = (rows_of(x) @ x / 3**0.5).softmax(-1)
    assert_close(got.sum(1), weights[:, :2].mean(1))  # the first window reads two tokens


def test_attention_by_einsum_and_by_modules_is_seen():
    def einsum(x):
        weights = torch.einsum("bic,bjc->bij", x, x)
        weights = nn.Dropout(0.5).eval()(nn.Softmax(dim=-1)(weights)).to(torch.float64).contiguous()
        return torch.einsum("bij,bjc->bic", weights, x)

    x = torch.randn(2, 3, 6, dtype=torch.float64)
    got = explained(RawAttention(), Convolves(rows_of, 0, einsum), make_batch(x, 0))
    assert_close(got.sum(1), (rows_of(x) @ x)[:, 0].softmax(-1))


def test_pixels_that_no_patch_sees_get_nothing():
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
    ("shape", "modality", "tokens", "patches", "corner", "before"),
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
def test_places_become_tokens_row_by_row(shape, modality, tokens, patches, corner, before):
    index, told = token_index(shape, modality, tokens, patches)
    assert told == before
    places = shape[1:] if len(shape) > 1 else shape
    flat = index[0] if len(shape) > 1 else index
    for place in torch.cartesian_prod(*[torch.arange(n) for n in places]).view(-1, len(places)).tolist():
        number = 0
        for at, size, cells in zip(place, places, corner, strict=True):
            number = number * cells + at * cells // size
        assert flat[tuple(place)] == before + number


def test_time_steps_may_stand_first():
    index, _ = token_index((5, 16), "series", 5, None)
    assert torch.equal(index, torch.arange(5).unsqueeze(1).expand(5, 16))


@pytest.mark.parametrize("method", METHODS, ids=ident)
def test_padding_changes_nothing(method):
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
@pytest.mark.parametrize("method", METHODS, ids=ident)
def test_it_costs_what_it_says(method, output):
    module, batch = vision_transformer(), picture_batch((3, 24, 24))
    handle = bind(module, batch, budget=2, output=output)
    handle.counter = Counter()
    method.attribute(handle, batch, None, draws(batch))
    assert Cost(handle.counter.forward, handle.counter.backward) == method.passes((3, 24, 24), 576) * 3


# Relative to the largest value of the map; bf16 keeps 8 bits of every activation (1/256 = 0.004).
BF16 = {"raw_attention": 0.005, "attention_rollout": 0.005, "attention_x_gradient": 0.05, "chefer": 0.05}


@pytest.mark.parametrize("method", METHODS, ids=ident)
@pytest.mark.parametrize("name", ["text bert", "text deberta-v2", "picture vit", "torchvision", "encoder"])
def test_bf16_stays_within_its_tolerance(name, method):
    assert "bf16" in method.precisions
    made, batched = SCORES[name]
    module, batch = made().float(), batched(dtype=torch.float32)
    with torch.no_grad():  # weights of trained size: the random ones of the other tests saturate every softmax
        for parameter in module.parameters():
            parameter.mul_(0.3)
    exact = explained(method, module, batch)
    passes = Passes(module, precision="bf16")
    rough = method.attribute(passes.bind(batch), batch, None, draws(batch))
    assert rough.dtype == torch.float32
    apart = float((rough - exact).abs().max() / exact.abs().max())
    assert 0 < apart < BF16[method.name]


@pytest.mark.parametrize("method", METHODS, ids=ident)
def test_the_conformance_kit_holds_for_every_choice(method):
    verdicts = {v.law: v for v in check(method)}
    assert [str(v) for v in verdicts.values() if v.outcome == "failed"] == []
    for law in ("padding", "passes", "target", "errors_change_nothing", "network_unchanged", "batch_mates"):
        assert verdicts[law].outcome == "passed", verdicts[law]
