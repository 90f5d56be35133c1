"""Small transformers with random weights, and comparisons, shared by the tests."""

from __future__ import annotations

import pytest

pytest.importorskip("xaiexp_lxt", reason="the distribution xaiexp-lxt is not installed")

import torch
import transformers
from torch import nn

import xaiexp
from xaiexp.builtin.models.embeddings import FromEmbeddings, FromLastToken
from xaiexp.inference.passes import Passes
from xaiexp.plugin import Background, Batch, FeatureMap, Readout

METHODS = pytest.mark.parametrize("method", ["attn_lrp", "cp_lrp"])
_SMALL = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "num_labels": 3,
    "pad_token_id": 0,
}


def classifier(config, implementation, biases=True):
    """A classifier of transformers with random weights, float64, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.AutoModelForSequenceClassification.from_config(config, attn_implementation=implementation)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.normal_(std=0.5).add_("norm" in name.lower() and "weight" in name)
                if not biases and any(word in name for word in ("bias", "position", "token_type", "wpe")):
                    parameter.zero_()
    return model.double().eval()


def encoder(config, implementation=None, biases=True, **options):
    return classifier(config(**{**_SMALL, **options}), implementation, biases)


def decoder(config, implementation=None, biases=True, **options):
    own = {"bos_token_id": 1, "eos_token_id": 2}
    if config is transformers.GPT2Config:
        own |= {"n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 16, "num_labels": 3, "vocab_size": 20}
        return classifier(config(pad_token_id=0, **{**own, **options}), implementation, biases)
    return classifier(config(**{**_SMALL, "num_key_value_heads": 2, **own, **options}), implementation, biases)


def wrapped(module):
    """The classifier over embeddings ``[N, T, D]``, which reads the last token if it is a decoder."""
    reads_last = hasattr(module, "score")
    return FromLastToken(module) if reads_last else FromEmbeddings(module)


def context_of(module, x, lengths=None):
    lengths = torch.tensor([x.shape[1]] * len(x) if lengths is None else lengths)
    mask = (torch.arange(x.shape[1]) < lengths[:, None]).long()
    reads_last = {"last_token": lengths - 1} if isinstance(module, FromLastToken) else {}
    return {"attention_mask": mask, **reads_last}


def explained(module, x):
    """The logits ``[N, K]`` for embeddings."""
    whole = wrapped(module)
    with torch.no_grad():
        return whole(x, **context_of(whole, x))


def relevance_of(module, x, method, target, lengths=None, budget=None, **parameters):
    """Relevance ``[N, T, D]`` of embeddings."""
    whole = wrapped(module)
    return of_handle(bound(whole, x, target, context_of(whole, x, lengths), budget=budget), method, **parameters)


def of_handle(handle, method, **parameters):
    return component(method, **parameters).attribute(handle, handle.batch, None, None)


def component_of(kind, name):
    (found,) = (c for c in xaiexp.components(kind) if c.name == name)
    return found


def component(name, **parameters):
    return component_of("method", name)(**parameters)


def bound(module, x, target=1, context=None, budget=None, output="logit", task="multiclass", precision="fp32"):
    targets = target if isinstance(target, torch.Tensor) else torch.full((len(x),), target)
    batch = Batch(
        ids=tuple(map(str, range(len(x)))),
        inputs=x,
        targets=targets,
        features=FeatureMap.from_index(torch.arange(x[0].numel()).view(1, *x.shape[1:]), x.shape[1:]),
        context=context or {},
        background=Background({2: "table", 3: "text", 4: "image"}[x.ndim]),
    )
    return Passes(module, precision=precision, batch_budget=budget).bind(
        batch, Readout(component_of("output", output)(), task)
    )


def close(got, want, rtol=1e-9):
    torch.testing.assert_close(got.to(want), want, rtol=rtol, atol=rtol * float(want.abs().max()))


def fingerprint(module: nn.Module):
    """All state of a module that a method could change."""
    return {
        name: (
            {k: (id(v), v.requires_grad, v.grad, v.clone()) for k, v in child._parameters.items() if v is not None},
            {k: (id(v), v.clone()) for k, v in child._buffers.items() if v is not None},
            list(child._modules),
            set(child.__dict__),
            list(child._forward_hooks),
            list(child._forward_pre_hooks),
            type(child).forward,
            child.training,
        )
        for name, child in module.named_modules()
    }


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b
