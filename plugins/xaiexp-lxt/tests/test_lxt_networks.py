"""Whole networks: conservation, fused against written attention, and networks of the kit."""

from __future__ import annotations

import pytest

pytest.importorskip("xaiexp_lxt", reason="the distribution xaiexp-lxt is not installed")

import numpy as np
import torch
import transformers
from torch import nn
from torchvision import models as tv

import xaiexp
from xaiexp.builtin.models.embeddings import FromEmbeddings
from xaiexp.builtin.models.image_models import FromPixels

from .lxt_cases import METHODS, bound, close, decoder, encoder, explained, of_handle, relevance_of

ENCODERS = {
    "bert": transformers.BertConfig,
    "roberta": transformers.RobertaConfig,
    "electra": lambda **options: transformers.ElectraConfig(embedding_size=8, **options),
    "mpnet": transformers.MPNetConfig,
}
DECODERS = {
    "llama": transformers.LlamaConfig,
    "mistral": transformers.MistralConfig,
    "qwen2": transformers.Qwen2Config,
    "gemma": lambda **options: transformers.GemmaConfig(head_dim=4, **options),
    "gpt_neox": transformers.GPTNeoXConfig,
    "gpt2": transformers.GPT2Config,
}
ALL = [*ENCODERS, *DECODERS]


def built(name, implementation=None, biases=True):
    if name in ENCODERS:
        return encoder(ENCODERS[name], implementation, biases)
    return decoder(DECODERS[name], implementation, biases)


def texts(n=2, tokens=5):
    return torch.randn(n, tokens, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", ALL)
def test_without_biases_relevance_of_cp_lrp_sums_to_the_score(name):
    module, x = built(name, biases=False), texts()
    got = relevance_of(module, x, "cp_lrp", 1, epsilon=0.0)
    score = explained(module, x)[:, 1]
    assert float(score.abs().min()) > 0.01
    close(got.flatten(1).sum(1), score, rtol=1e-4)  # the RMSNorm of transformers computes in float32


@METHODS
@pytest.mark.parametrize("name", [name for name in ALL if name != "mpnet"])  # it has no fused attention
def test_fused_attention_has_the_rules_of_written_attention(name, method):
    x = texts()
    eager = relevance_of(built(name, "eager"), x, method, 1)
    fused = relevance_of(built(name, "sdpa"), x, method, 1)
    assert float(fused.abs().max()) > 1e-4
    close(fused, eager, rtol=1e-5)


@METHODS
@pytest.mark.parametrize("name", ALL)
def test_padding_has_no_relevance_and_its_length_changes_nothing(name, method):
    module, x = built(name), texts(1, 4)
    want = relevance_of(module, x, method, 1)
    for extra in (1, 3):
        padded = torch.cat([x, torch.full((1, extra, 8), 0.7, dtype=x.dtype)], dim=1)
        got = relevance_of(module, padded, method, 1, lengths=[4])
        assert torch.equal(got[:, 4:], torch.zeros(1, extra, 8, dtype=x.dtype))
        close(got[:, :4], want, rtol=1e-5)


def drawn_weights(module):
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        for name, parameter in module.named_parameters():
            parameter.normal_(std=0.3)
            if parameter.ndim == 1 and name.endswith("weight"):  # of normalisations
                parameter.add_(1)
    return module.double().eval()


def without_biases(module):
    for name, parameter in module.named_parameters():
        if "weight" not in name.rsplit(".", 1)[-1]:  # biases, positions, class tokens
            parameter.data.zero_()
    return module


def torchvision_vit():
    return tv.VisionTransformer(16, 4, 2, 2, 8, 12, num_classes=3)


def transformers_vit():
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, image_size=16, patch_size=4,
        num_labels=3,
    )  # fmt: skip
    return FromPixels(transformers.AutoModelForImageClassification.from_config(config))


def timm_vit(**options):
    timm = pytest.importorskip("timm.models.vision_transformer", reason="timm is not installed")
    return timm.VisionTransformer(
        img_size=16, patch_size=4, embed_dim=8, depth=2, num_heads=2, num_classes=3, mlp_ratio=1.5, **options
    )


IMAGE_NETWORKS = {
    "torchvision": torchvision_vit,
    "transformers": transformers_vit,
    "timm": timm_vit,
    "timm, mean of patches, scaled branches": lambda: timm_vit(global_pool="avg", init_values=0.1, qk_norm=True),
}
IMAGES = pytest.mark.parametrize("name", IMAGE_NETWORKS)


def images(n=2):
    return torch.rand(n, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@IMAGES
@pytest.mark.parametrize("gamma", [0.0, 0.25])
def test_relevance_of_a_vision_transformer_without_biases_sums_to_the_score(name, gamma):
    module, x = without_biases(drawn_weights(IMAGE_NETWORKS[name]())), images()
    got = of_handle(bound(module, x), "cp_lrp", epsilon=0.0, gamma=gamma)
    handle = bound(module, x)
    score = handle.scores()
    assert float(score.abs().min()) > 1e-3
    close(got.flatten(1).sum(1), score, rtol=1e-6)


@IMAGES
@METHODS
def test_every_pixel_of_a_vision_transformer_has_relevance(name, method):
    module, x = drawn_weights(IMAGE_NETWORKS[name]()), images()
    got = of_handle(bound(module, x), method)
    assert bool((got != 0).all())


def test_torchvision_equals_transformers_with_the_same_weights():
    """One class calls F.multi_head_attention_forward, the other F.scaled_dot_product_attention."""
    ours, theirs = drawn_weights(torchvision_vit()), drawn_weights(transformers_vit())
    state, base = ours.state_dict(), theirs.model.vit
    copied = {
        "embeddings.cls_token": state["class_token"],
        "embeddings.position_embeddings": state["encoder.pos_embedding"],
        "embeddings.patch_embeddings.projection.weight": state["conv_proj.weight"],
        "embeddings.patch_embeddings.projection.bias": state["conv_proj.bias"],
        "layernorm.weight": state["encoder.ln.weight"],
        "layernorm.bias": state["encoder.ln.bias"],
    }
    own = base.state_dict()
    for layer in range(2):
        source = f"encoder.layers.encoder_layer_{layer}."
        for kind in ("weight", "bias"):
            q, k, v = state[f"{source}self_attention.in_proj_{kind}"].chunk(3)
            parts = {
                "query|q_proj": q,
                "key|k_proj": k,
                "value|v_proj": v,
                "attention.output.dense|o_proj": state[f"{source}self_attention.out_proj.{kind}"],
                "intermediate.dense|fc1": state[f"{source}mlp.0.{kind}"],
                f"layer.{layer}.output.dense|layers.{layer}.output.dense|fc2": state[f"{source}mlp.3.{kind}"],
                "layernorm_before": state[f"{source}ln_1.{kind}"],
                "layernorm_after": state[f"{source}ln_2.{kind}"],
            }
            for words, value in parts.items():
                (key,) = (
                    k for k in own
                    if (f"layer.{layer}." in k or f"layers.{layer}." in k) and k.endswith(kind)
                    and any(word in k for word in words.split("|"))
                )  # fmt: skip
                copied[key] = value
    base.load_state_dict(copied)
    theirs.model.classifier.load_state_dict({k: state[f"heads.head.{k}"] for k in ("weight", "bias")})
    for child in theirs.modules():
        if isinstance(child, nn.LayerNorm):
            child.eps = 1e-6
    x = images()
    close(bound(ours, x).scores(), bound(theirs, x).scores())
    for method in ("attn_lrp", "cp_lrp"):
        close(of_handle(bound(ours, x), method), of_handle(bound(theirs, x), method))


def test_real_sentences(kit):
    """MiniLM on SST-2: the word that carries the sentiment has the most relevance, with the sign of its class."""
    folder = kit / "models" / "minilm_sst2"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    for word, target in (("wonderful", 1), ("terrible", 0)):
        encoding = tokenizer(f"the film is {word}", return_tensors="pt")
        x = model.get_input_embeddings()(encoding["input_ids"]).detach()
        context = {"attention_mask": encoding["attention_mask"]}
        for method in ("attn_lrp", "cp_lrp"):
            for explained_class, sign in ((target, 1), (1 - target, -1)):
                handle = bound(FromEmbeddings(model), x, explained_class, context)
                tokens = of_handle(handle, method).sum(-1)[0, 1:-1]
                assert int(tokens.abs().argmax()) == 3, (word, method, tokens)
                assert float(tokens[3]) * sign > 0


def test_real_digits(kit):
    """A vision transformer on MNIST: with gamma, the relevance of the digit's class lies on its strokes."""
    folder = kit / "models" / "vit_mnist_hf"
    model = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    data = np.load(kit / "arrays" / "mnist500.npz")
    values, labels = (next(data[key] for key in data.files if data[key].ndim == ndim) for ndim in (3, 1))
    x = ((torch.tensor(values[:20]).float() / 255 - 0.1307) / 0.3081).unsqueeze(1)
    maps = xaiexp.attribute(
        FromPixels(model), x, "attn_lrp", target=torch.tensor(labels[:20]).long(), gamma=0.25
    ).clamp(min=0)
    strokes = (torch.tensor(values[:20]) > 0).unsqueeze(1)
    mass = (maps * strokes).flatten(1).sum(1) / maps.flatten(1).sum(1)
    assert float((mass - strokes.float().mean((1, 2, 3))).mean()) > 0.1
