"""A language model and its tokenizer as a network of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xaiexp.builtin.models.causal.encoder import PromptEncoder
from xaiexp.builtin.models.causal.padding_check import check_padding, deletes
from xaiexp.builtin.models.causal.reference_check import ReferenceCheck
from xaiexp.builtin.models.causal.rendering import Chat
from xaiexp.builtin.models.causal.spans import Aim, Target, read_target
from xaiexp.builtin.models.causal.teacher_forcing import TeacherForced, TeacherForcedDecoder
from xaiexp.builtin.models.causal.writing import Settings, Writer
from xaiexp.core.samples import Network
from xaiexp.errors import MismatchError
from xaiexp.store.fingerprints import fingerprint

__all__ = ["Reading", "language_network"]


@dataclass(frozen=True)
class Reading:
    """How prompts are read.

    Args:
        limit: the most tokens of a prompt with its continuation.
        chat, separator: see :class:`xaiexp.builtin.models.causal.encoder.PromptEncoder`.
    """

    limit: int
    chat: Chat = "auto"
    separator: str = ""


def language_network(
    where: str,
    model: Any,
    tokenizer: Any,
    reading: Reading,
    settings: Settings | None,
    folder: Path | None = None,
    facts: Mapping[str, object] | None = None,
    spread: bool = False,
) -> Network:
    """The network that explains what a language model writes; :attr:`xaiexp.core.samples.Network.aim` sets the target.

    Args:
        where: the key of the model, for messages.
        model: a language model of transformers, in eval mode.
        tokenizer: its tokenizer.
        reading: how prompts are read.
        settings: how continuations are written; None where they must be given.
        folder: where continuations that it writes are kept.
        facts: of the record.
        spread: whether the model lies on its devices already, and stays there.

    Raises:
        MismatchError: the tokenizer gives no offsets, or the model does not score padded prompts as prompts alone.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise MismatchError(
            where,
            "the tokenizer of the model does not say where its tokens are in a text",
            got=type(tokenizer).__name__,
            hint="save the model with a fast tokenizer (tokenizer.json)",
        )
    if reading.chat == "template" and not getattr(tokenizer, "chat_template", None):
        raise MismatchError(
            "model.chat",
            "the tokenizer of the model has no chat template",
            got=reading.chat,
            hint="model.chat=raw, or a model that was tuned for chats",
        )
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    encodes = bool(getattr(model.config, "is_encoder_decoder", False))
    module: nn.Module
    if encodes:
        module = TeacherForcedDecoder(model, int(model.config.decoder_start_token_id))
    else:
        module = TeacherForced(model, _first_token(model, tokenizer))
    module = module.eval()
    encoder = PromptEncoder(
        tokenizer,
        model,
        reading.limit,
        reading.chat,
        reading.separator,
    )
    difference = check_padding(where, encoder, module)
    if not encodes and not deletes(encoder, module):
        raise MismatchError(
            where,
            f"{type(model).__name__} does not read a prompt with deleted tokens as the prompt without them",
            hint="use another architecture (Llama, Qwen, Gemma, GPT-2)",
        )
    if settings is not None:
        writer = Writer(model, tokenizer, settings, folder, lambda: fingerprint(dict(module.state_dict())))
        encoder = replace(encoder, write=writer)
    told = {**(facts or {}), "architecture": type(model).__name__, "padding_difference": difference}
    return _aimed(module, encoder, Aim(), told, model.get_input_embeddings().weight.device if spread else None)


def _aimed(
    module: nn.Module, encoder: PromptEncoder, aim: Aim, facts: Mapping[str, object], device: torch.device | None
) -> Network:
    encoder = replace(encoder, aim=aim)

    def aimed(target: Target, per_token: bool) -> tuple[Network, Target]:
        other, explained = read_target(target, per_token)
        return _aimed(module, encoder, other, facts, device), explained

    return Network(
        module,
        encoder.encode,
        "text",
        classes=aim.columns,
        class_names=aim.names,
        special=encoder.special_embeddings(),
        embed=encoder.embed_text,
        identity=encoder.identity(),
        facts=dict(facts),
        task=aim.task,
        aim=aimed,
        judge_reference=ReferenceCheck(module),
        most_rows=lambda shape, kind: _most_rows(encoder.model, shape, kind),
        device=device,
        lexicon=cache(encoder.lexicon),
    )


# What the activations of the rows of a pass with gradients may take, in bytes.
_PASS_BYTES = {"cpu": 1 << 29, "cuda": 1 << 33}


def _most_rows(model: Any, shape: tuple[int, ...], kind: str) -> int:
    """Rows of ``shape (T, D)`` whose activations fit: of every layer, and the logits of a few tokens."""
    config, (tokens, width) = model.config.get_text_config(), shape
    layers = int(getattr(config, "num_hidden_layers", None) or 12)
    inner = int(getattr(config, "intermediate_size", None) or 4 * width)
    heads = int(getattr(config, "num_attention_heads", None) or 12)
    floats = tokens * layers * (8 * width + 3 * inner + 2 * heads * tokens) + 16 * int(config.vocab_size)
    return max(1, _PASS_BYTES.get(kind, _PASS_BYTES["cpu"]) // (4 * floats))


def _first_token(model: Any, tokenizer: Any) -> int:
    """The token that stands for an empty prompt: the beginning of a text, else its end."""
    ids = (tokenizer.bos_token_id, getattr(model.config, "bos_token_id", None), tokenizer.eos_token_id, 0)
    return int(next(i for i in ids if i is not None))
