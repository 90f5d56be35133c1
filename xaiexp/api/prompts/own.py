"""Prompts of the user's own language model as components of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from xaiexp.api.own import OwnModel, OwnTensors, held_model, unique
from xaiexp.api.prompts.attributions import OFFERS, language_network, samples_of
from xaiexp.core.samples import Sample, Source
from xaiexp.engine.guard import tensors_of
from xaiexp.errors import MismatchError
from xaiexp.store.fingerprints import fingerprint

__all__ = ["own_prompts"]

_PROBED = 4  # prompts by whose scores a network is known, beside its weights


def own_prompts(
    model: Any, tokenizer: Any, prompts: Any, targets: Any, class_names: Sequence[str]
) -> tuple[OwnModel, OwnTensors]:
    """The components of a language model and of prompts.

    Args:
        model: of transformers.
        tokenizer: its tokenizer.
        prompts: texts, token ids or messages.
        targets: continuations, or class indices ``[N]`` of candidates; None where the model writes.
        class_names: of the labels, or empty.

    Raises:
        UserError: prompts or targets are none, or the model does not score padded prompts as prompts alone.
    """
    labels = _labels(targets)
    samples, _ = samples_of(prompts, None if labels else targets, tokenizer)
    names = unique([sample.id for sample in samples])
    samples = [replace(sample, id=name) for sample, name in zip(samples, names, strict=True)]
    if labels:
        if len(labels) != len(samples):
            raise MismatchError("targets", f"must be one class for each of {len(samples)} prompts", got=len(labels))
        samples = [replace(sample, label=label) for sample, label in zip(samples, labels, strict=True)]
    network = language_network(model, tokenizer)
    probes = [replace(sample, data=_scored(sample)) for sample in samples[:_PROBED]]
    encoded = network.encode(probes)
    device = next(model.parameters()).device
    with torch.no_grad():
        context = {name: tensor.to(device) for name, tensor in encoded.context.items()}
        scores: Tensor = network.module(encoded.inputs.to(device), **context)["logits"]
    weights = {f"weights {name}": tensor for name, tensor in tensors_of(model).items()}
    known = fingerprint({"scores": scores, **weights}, type(model).__module__, type(model).__qualname__)
    values = {each.name: getattr(network, each.name) for each in fields(network)}
    component = OwnModel(type(model).__qualname__, known, "text", tuple(sorted(OFFERS)))
    held_model(component, network.module, values, type(model).__name__)
    content = fingerprint({}, *((sample.id, repr(sample.data), sample.label) for sample in samples))
    width = max(len(tokens) for tokens in encoded.tokens)
    data = OwnTensors(content, len(samples), "text", (width,), exact=False)
    source = Source(
        len(samples),
        lambda start, stop: samples[start:stop],
        tuple(class_names),
        labels=(lambda: labels) if labels else None,
    )
    data.hold(source, "prompts")
    return component, data


def _scored(sample: Sample) -> Any:
    """The prompt with some continuation, whose score tells one network from another."""
    prompt = sample.data
    return prompt if prompt.continuation is not None else replace(prompt, continuation=prompt.text.split()[-1])


def _labels(targets: Any) -> list[int]:
    """Class indices; empty where the targets are none."""
    if isinstance(targets, Tensor) and not targets.is_floating_point():
        targets = targets.tolist()
    listed = isinstance(targets, list | tuple) and bool(targets)
    return list(targets) if listed and all(type(each) is int for each in targets) else []
