"""Operations without a rule raise ``Unsupported`` with the name of the operation and its module."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("xaiexp_lxt", reason="the distribution xaiexp-lxt is not installed")

import torch
import torch.nn.functional as F
import transformers
from torch import nn

import xaiexp
from xaiexp.plugin import Unsupported

from .lxt_cases import METHODS, bound, close, component, fingerprint, of_handle, same


class SelfAttention(nn.Module):
    """Names the network a transformer; does nothing."""

    def forward(self, x):
        return x


class Functional(nn.Module):
    """Two layers with a given function between them."""

    def __init__(self, between) -> None:
        super().__init__()
        self.first, self.second, self.attention = nn.Linear(4, 4), nn.Linear(4, 4), SelfAttention()
        self.between = between
        self.other = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.second(self.between(self.first(self.attention(x)), self))


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


def without_gradients(x):
    with torch.no_grad():
        return x * 2


REFUSED = {
    "'sigmoid'": lambda x, m: x.sigmoid(),
    "'exp'": lambda x, m: x.exp(),
    "'abs'": lambda x, m: x.abs(),
    "'log_softmax'": lambda x, m: x.log_softmax(-1),
    "'max'": lambda x, m: x.max(-1, keepdim=True).values + x,
    "'sort'": lambda x, m: x.sort(-1).values,
    "'div' by an activation": lambda x, m: x / (x.sum(-1, keepdim=True) + 9),
    "'reciprocal'": lambda x, m: x.sum(-1, keepdim=True).reciprocal() * x,
    "'gt'": lambda x, m: x * (x > 0),
    "'pow' with exponent 3": lambda x, m: x.pow(3),
    "'add' of a square which is not part": lambda x, m: x.square() + x,
    "'linear' of a square": lambda x, m: m.second(x * x),
    "'expand' of a mean square": lambda x, m: x.square().mean(-1, keepdim=True).expand(-1, 4),
    "'mul' of a mean square": lambda x, m: x * x.square().mean(-1, keepdim=True),
    "'normalize'": lambda x, m: F.normalize(x, dim=-1),
    "'group_norm'": lambda x, m: F.group_norm(x, 2),
    "'linear' whose weights are activations": lambda x, m: F.linear(m.other, x.mean(0)[None].expand(4, 4)) + x,
    "'relu' in place": lambda x, m: F.relu(x, inplace=True),
    "'relu_' in place": lambda x, m: x.relu_(),
    "'hardtanh' which is 0.5 at 0": lambda x, m: F.hardtanh(x, 0.5, 1.0),
    "'dropout' in training mode": lambda x, m: F.dropout(x, 0.5, training=True),
    "'einsum' of 3 activations": lambda x, m: torch.einsum("ij,ij,ij->ij", x, x, x),
    "'mul' where no gradients are recorded": lambda x, m: without_gradients(x) + x,
    "'data'": lambda x, m: x.data + x,
    "'add' of values without gradients": lambda x, m: x.detach() + x,
    "'item'": lambda x, m: x * x.sum().item(),
    "'tolist'": lambda x, m: x * x.tolist()[0][0],
    "'mul' where no gradients are recorded (torch.no_grad, a custom": lambda x, m: Doubled.apply(x) + 1,
    "'bool'": lambda x, m: torch.where(x.bool(), x, x),
    "'where' with a condition": lambda x, m: torch.where(x, x, 0.0),
    "'amax'": lambda x, m: x - x.amax(-1, keepdim=True),
}


@METHODS
@pytest.mark.parametrize("reason", REFUSED)
def test_operations_without_a_rule_raise_with_their_name(reason, method):
    module = Functional(REFUSED[reason]).eval()
    before = fingerprint(module)
    with pytest.raises(Unsupported, match=re.escape(reason)) as caught:
        of_handle(bound(module, torch.randn(2, 4)), method)
    assert f"{method} " in str(caught.value)
    assert str(caught.value).endswith(("in Functional", "in 'second' (Linear)"))
    assert same(before, fingerprint(module))


def test_the_module_with_the_operation_is_named():
    class Inner(nn.Module):
        def forward(self, x):
            return x.exp()

    module = nn.Sequential(nn.Linear(4, 4), nn.Sequential(Inner()), SelfAttention())
    with pytest.raises(Unsupported, match=r"attn_lrp has no rule for 'exp' in '1.0' \(Inner\)"):
        xaiexp.attribute(module, torch.randn(2, 4), "attn_lrp", target=0)


ALLOWED = {
    "shapes, types and devices": lambda x, m: x.view(x.shape[0], -1).to(x.device).to(x.dtype)[: x.size(0)],
    "constants of its shape": lambda x, m: x + torch.zeros_like(x) + x.new_ones(4) + m.other.expand_as(x),
    "parts": lambda x, m: torch.cat([part for part in x.unbind(1)], 0).view(4, -1).T.contiguous(),  # noqa: C416
    "iteration": lambda x, m: torch.stack([row for row in x]),  # noqa: C416
    "in place": lambda x, m: x.add_(1).mul_(m.other),
    "a mask": lambda x, m: x.masked_fill(torch.eye(4, dtype=torch.bool)[:1], 0.0),
    "assignment": lambda x, m: assigned(x),
    "dropout in eval mode": lambda x, m: F.dropout(x, 0.5, training=False),
}


def assigned(x):
    out = torch.zeros_like(x)
    out[:, :2] = x[:, 2:]
    return out


@pytest.mark.parametrize("name", ALLOWED)
def test_linear_operations_have_the_relevance_of_their_gradient(name):
    module, x = Functional(ALLOWED[name]).double().eval(), torch.randn(2, 4, dtype=torch.float64)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module(leaf)[:, 1].sum(), leaf)
    close(xaiexp.attribute(module, x, "attn_lrp", target=1, epsilon=0.0), x * gradient)


@METHODS
def test_probabilities_and_half_precision_raise(method):
    module, x = Functional(lambda x, m: F.relu(x)).eval(), torch.randn(2, 4)
    with pytest.raises(Unsupported, match="output=logit"):
        xaiexp.attribute(module, x, method, target=0, output="probability", task="multiclass")
    handle = bound(module, x, precision="bf16")
    with pytest.raises(Unsupported, match=f"{method} .*precision=fp32"):
        component(method).attribute(handle, handle.batch, None, None)


def test_a_network_whose_scores_do_not_depend_on_the_input_raises():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = SelfAttention()
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return self.weight.expand(len(x), 3) * 1

    with pytest.raises(Unsupported, match="could not trace the network"):
        of_handle(bound(Constant(), torch.randn(2, 4)), "attn_lrp")


def test_sliding_windows_raise_with_the_module():
    config = transformers.LongformerConfig(
        attention_window=4, vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=12, max_position_embeddings=20, pad_token_id=1, num_labels=3,
    )  # fmt: skip
    model = transformers.LongformerForSequenceClassification(config).eval()

    class Embedded(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(
                inputs_embeds=x, global_attention_mask=(torch.arange(8) == 0).long().expand(len(x), 8)
            ).logits

    with pytest.raises(Unsupported, match=r"'as_strided' in 'model.longformer.*LongformerSelfAttention"):
        of_handle(bound(Embedded(), torch.randn(1, 8, 8)), "attn_lrp")


@METHODS
def test_continuations_of_language_models_are_refused_with_what_to_use(method):
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.models.WordLevel(
        {w: i for i, w in enumerate(["?", "the", "film", "was", "good"])}, unk_token="?"
    )
    found = tokenizers.Tokenizer(words)
    found.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=found, unk_token="?", eos_token="?")
    config = transformers.LlamaConfig(
        vocab_size=5, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12,
        bos_token_id=0, eos_token_id=0, max_position_embeddings=16,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).eval()
    with pytest.raises(Unsupported, match=f"{method} starts from a logit, .*use input_x_gradient") as told:
        xaiexp.attribute(model, "the film was", method, tokenizer=tokenizer, target=" good")
    assert len(str(told.value).splitlines()) <= 2
