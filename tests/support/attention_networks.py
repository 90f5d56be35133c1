"""Small transformers, their inputs, and expected attention maps, for the tests of attention methods."""

from __future__ import annotations

import torch
import torch.nn.functional as F
import transformers
from builders import bind, draws, make_batch, pixel_map
from reference import attention_loops as loops
from torch import nn
from torchvision import models as tv

from xaiexp.builtin.methods.attention.attention_maps import AttentionRollout, AttentionXGradient, Chefer, RawAttention
from xaiexp.builtin.models.embeddings import FromEmbeddings
from xaiexp.builtin.models.image_models import FromPixels
from xaiexp.core.feature_map import FeatureMap

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
IMAGE = {**SMALL, "image_size": (8, 12), "patch_size": 4, "num_channels": 2}
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
# Number of tokens before the 2 x 3 patches, and the tokens that the output depends on.
IMAGES = {
    "vit": (lambda: transformers.ViTConfig(**IMAGE), 1, [0]),
    "deit": (lambda: transformers.DeiTConfig(**IMAGE, architectures=["DeiTForImageClassification"]), 2, [0]),
    "beit": (
        lambda: transformers.BeitConfig(**IMAGE, use_mean_pooling=True, use_relative_position_bias=True),
        1,
        [1, 2, 3, 4, 5, 6],
    ),
}


def method_id(method):
    return "-".join([method.name, *[str(v) for v in method.parameters().values()]])


def build(config, task, attention):
    """A transformers model in float64 with random weights, equal for both attention implementations."""
    torch.manual_seed(0)
    auto = getattr(transformers, f"AutoModelFor{task}Classification")
    model = auto.from_config(config, attn_implementation=attention).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * (0.2 if parameter.ndim == 1 else 0.5))
    return model.requires_grad_(False)


def text_batch(dtype=torch.float64):
    """Three texts as embeddings, with special tokens first and last, and padding."""
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


def image_batch(shape=(2, 8, 12), dtype=torch.float64):
    torch.manual_seed(1)
    inputs = torch.randn(3, *shape, dtype=dtype)
    return make_batch(inputs, torch.tensor([0, 2, 1]), features=pixel_map(shape), modality="image")


def explained(method, module, batch, **options):
    return method.attribute(bind(module, batch, **options), batch, None, draws(batch))


def expected(method, weights, gradients, read):
    """The relevance of each token of each example, by the loops, from weights and gradients ``[N, H, T, T]``."""
    out = []
    for i in range(len(weights[0])):
        layers = [layer[i].tolist() for layer in weights]
        slopes = [layer[i].tolist() for layer in gradients]
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


def reference_weights(model, batch, **given):
    """Attention weights and their gradients from transformers' eager implementation."""
    out = model(**given, output_attentions=True)
    scores = out.logits.gather(1, batch.targets.unsqueeze(1)).sum()
    gradients = torch.autograd.grad(scores, out.attentions)
    return [a.detach() for a in out.attentions], gradients


def vision_transformer():
    torch.manual_seed(0)
    module = tv.VisionTransformer(
        image_size=24, patch_size=8, num_layers=3, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=3
    )
    module.heads.head = nn.Linear(16, 3)  # torchvision initialises it with zeros
    return module.double().eval().requires_grad_(False)


def encoder(**options):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, **options)
    nested = not options  # otherwise torch warns that it is not used
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=nested).double().eval().requires_grad_(False)


class MeanPoolingEncoder(nn.Module):
    """A user-defined encoder over token embeddings, averaged over all tokens but padding."""

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


class TokenAttention(nn.Module):
    """Attention over ``tokens(x)``; the output is token ``read``."""

    def __init__(self, tokens, read=0, attend=None):
        super().__init__()
        self.tokens, self.read = tokens, read
        self.attend = attend or (lambda x: F.scaled_dot_product_attention(x, x, x))

    def forward(self, x, **context):
        return self.attend(self.tokens(x))[:, self.read]


def steps_as_tokens(x):
    return x.transpose(1, 2)


NETWORKS = {
    **{f"text {name}": (lambda c=config: FromEmbeddings(build(c(), "Sequence", None)), text_batch)
       for name, config in TEXTS.items()},
    **{f"image {name}": (lambda c=config[0]: FromPixels(build(c(), "Image", None)), image_batch)
       for name, config in IMAGES.items()},
    "torchvision": (vision_transformer, lambda **k: image_batch((3, 24, 24), **k)),
    "encoder": (MeanPoolingEncoder, text_batch),
    "encoder, norm first": (lambda: MeanPoolingEncoder(norm_first=True), text_batch),
}  # fmt: skip
