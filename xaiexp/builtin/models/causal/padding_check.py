"""Checks that a language model scores a continuation after a padded prompt as after the prompt alone.

Some models take their positions from the place in the batch, see padding, or do not run on embeddings. Texts of random
tokens, of different lengths, go through the model by token ids, one at a time, with no padding and no positions given.
The log-probabilities of their last tokens must be the same from embeddings in a padded batch, and after tokens are
deleted the same as of the texts without these tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.builtin.models.causal.encoder import PromptEncoder
from xaiexp.errors import MismatchError

__all__ = ["check_padding", "deletes"]

_LENGTHS = (11, 2, 6)
_CONTINUATION = 3
_DELETED = (1, 3)
# Of the differences between log-probabilities, and of the largest (rounding of float32).
_TOLERANCE, _ROUNDING = 1e-3, 1e-5
_COARSE = 3e-2  # half precisions


def check_padding(where: str, encoder: PromptEncoder, module: nn.Module) -> float:
    """The largest difference of log-probabilities that was seen.

    Args:
        where: the key of the model, for messages.
        encoder: of prompts.
        module: the language model over prompts.

    Raises:
        MismatchError: they differ, or the model does not run on embeddings.
    """
    name, model = type(encoder.model).__name__, encoder.model
    texts = _texts(encoder)
    try:
        expected = torch.stack([_by_ids(model, text, following) for text, following in texts])
        seen = _by_embeddings(encoder, module, texts)
    except Exception as broken:  # models raise errors of many types
        lines = [line.strip() for line in str(broken).splitlines() if line.strip()]
        raise MismatchError(
            where,
            f"{name} cannot be evaluated on embeddings of a prompt: {(lines or [type(broken).__name__])[0][:200]}",
            hint="use another architecture (Llama, Qwen, Gemma, GPT-2)",
        ) from None
    if not bool(expected.isfinite().all()):
        raise MismatchError(where, f"{name} gives NaN or infinite log-probabilities")
    difference = float((seen - expected).abs().max().nan_to_num(torch.inf))
    if difference > _allowed(encoder, expected):
        raise MismatchError(
            where,
            f"{name} gives other log-probabilities after padded prompts than after the prompts alone",
            got=f"{difference:.2g}",
            hint="use another architecture (Llama, Qwen, Gemma, GPT-2)",
        )
    return difference


def deletes(encoder: PromptEncoder, module: nn.Module) -> bool:
    """Whether deleted tokens leave what the text without them would give."""
    text, following = _texts(encoder)[0]
    deleted = [place for place in _DELETED if place < len(text)]
    kept = [token for place, token in enumerate(text) if place not in deleted]
    expected = _by_ids(encoder.model, kept, following)
    inputs = encoder.embed(torch.tensor([text]))
    inputs[0, deleted] = torch.nan
    seen = _scored(encoder, module, inputs, torch.ones(1, len(text), dtype=torch.int64), [following])
    return float((seen[0] - expected).abs().max().nan_to_num(torch.inf)) <= _allowed(encoder, expected)


def _allowed(encoder: PromptEncoder, expected: Tensor) -> float:
    half = encoder.model.get_input_embeddings().weight.element_size() < 4
    rounding = _COARSE if half else _ROUNDING
    return _TOLERANCE * float((expected - expected.mean()).abs().max()) + rounding * float(expected.abs().max())


def _texts(encoder: PromptEncoder) -> list[tuple[list[int], list[int]]]:
    """Random token ids of prompts and their continuations."""
    size = min(encoder.model.get_input_embeddings().weight.shape[0], len(encoder.tokenizer))
    special = set(encoder.tokenizer.all_special_ids)
    ids = torch.tensor([i for i in range(size) if i not in special] or list(range(size)))
    generator = torch.Generator().manual_seed(0)

    def drawn(count: int) -> list[int]:
        found: list[int] = ids[torch.randint(len(ids), (count,), generator=generator)].tolist()
        return found

    longest = max(2, encoder.limit - _CONTINUATION)
    return [(drawn(min(length, longest)), drawn(_CONTINUATION)) for length in _LENGTHS]


def _by_ids(model: Any, text: Sequence[int], following: Sequence[int]) -> Tensor:
    """Log-probabilities ``[3]`` of the last tokens of one text, by the model's own pass over its token ids."""
    device = model.get_input_embeddings().weight.device
    after = torch.tensor(list(following))
    if getattr(model.config, "is_encoder_decoder", False):
        start = model.config.decoder_start_token_id
        written = torch.tensor([[start, *following[:-1]]], device=device)
        given: dict[str, Tensor] = {"input_ids": torch.tensor([list(text)], device=device)}
        given["decoder_input_ids"] = written
    else:
        given = {"input_ids": torch.tensor([[*text, *following[:-1]]], device=device)}
    with torch.no_grad():
        logits = model(**given, return_dict=True).logits[0, -len(following) :].float().cpu()
    found: Tensor = logits.log_softmax(dim=-1).gather(1, after.unsqueeze(1)).squeeze(1)
    return found


def _by_embeddings(encoder: PromptEncoder, module: nn.Module, texts: Sequence[tuple[list[int], list[int]]]) -> Tensor:
    """The same ``[texts, 3]`` from embeddings in one padded batch."""
    width = max(len(text) for text, _ in texts)
    ids = torch.full((len(texts), width), encoder.padding_id)
    present = torch.zeros(len(texts), width, dtype=torch.int64)
    for row, (text, _) in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
        present[row, : len(text)] = 1
    return _scored(encoder, module, encoder.embed(ids), present, [following for _, following in texts])


def _scored(
    encoder: PromptEncoder, module: nn.Module, inputs: Tensor, present: Tensor, following: Sequence[Sequence[int]]
) -> Tensor:
    each = torch.eye(_CONTINUATION).expand(len(inputs), -1, -1)
    device = encoder.model.get_input_embeddings().weight.device
    after = torch.tensor([list(text) for text in following]).unsqueeze(1)
    with torch.no_grad():
        given = (part.to(device) for part in (inputs, present, after, each))
        scores: Tensor = module(*given)["logits"]
    return scores.cpu()
