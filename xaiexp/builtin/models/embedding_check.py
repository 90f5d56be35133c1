"""Checks that a sequence classifier computes the same logits from embeddings in a batch as from token ids of one text.

Some classifiers use token ids for more than their embeddings (the end of the text, positions, a decoder), and some
depend on padding. The check finds where a classifier reads its logits, or refuses it.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from xaiexp.builtin.models.embeddings import FromEmbeddings, FromEncoderDecoder, FromLastToken, Reading, TextEncoder
from xaiexp.errors import MismatchError

__all__ = ["over_embeddings"]

_TEXT = "a rather longer text, with a few more words"
_SHORT, _MEDIUM = 1, 7
# Of the differences between the logits of texts, and of the largest logit (rounding of float32).
_TOLERANCE, _ROUNDING = 1e-3, 1e-5

Row = dict[str, list[int]]


def over_embeddings(where: str, encoder: TextEncoder) -> tuple[TextEncoder, nn.Module]:
    """The classifier as a module over embeddings, and the encoder with its reading.

    Texts of random tokens, of different lengths up to the maximum, go through the classifier by token ids, one at a
    time and without padding. Their logits from embeddings, in padded batches, must be the same.

    Raises:
        MismatchError: the logits differ, or the model does not accept embeddings or texts of the maximal length.
    """
    name = type(encoder.model).__name__
    texts = _texts(where, encoder)
    rows: list[Tensor] = []
    try:
        # The longest first: BigBird changes its attention for good when it reads a short text.
        rows.extend(_by_ids(encoder, text) for text in texts)
    except Exception as broken:  # models raise errors of many types
        length = len(texts[len(rows)]["input_ids"])
        raise MismatchError(
            where,
            f"{name} cannot be evaluated on the token ids of a text of {length} tokens: {_reason(broken)}",
            hint="check that model and tokenizer belong together; if the text is too long, reduce model.max_length",
        ) from None
    expected = torch.cat(rows)
    if not bool(expected.isfinite().all()):
        raise MismatchError(where, f"{name} gives NaN or infinite logits")
    failures = []
    for reading, kind in _candidates(encoder):
        candidate, module = replace(encoder, reading=reading), kind(encoder.model)
        try:
            difference = _difference(candidate, module, texts, expected)
        except Exception as broken:  # as above
            failures.append(_Failure(_reason(broken), None))
            continue
        if difference < 1:
            return candidate, module
        failures.append(_Failure("", difference * _TOLERANCE))
    raise _refused(where, encoder, failures)


@dataclass(frozen=True)
class _Failure:
    """Why a reading does not fit: it raised, or its logits differ."""

    reason: str
    difference: float | None


def _candidates(encoder: TextEncoder) -> list[tuple[Reading, type[nn.Module]]]:
    if encoder.model.config.is_encoder_decoder:
        return [("end", FromEncoderDecoder)]
    candidates: list[tuple[Reading, type[nn.Module]]] = [("own", FromEmbeddings)]
    if encoder.model.base_model is not encoder.model:
        candidates += [("last_not_padding", FromLastToken), ("last", FromLastToken)]
    return candidates


def _texts(where: str, encoder: TextEncoder) -> list[Row]:
    """Texts of random tokens: the longest, a short, a medium one, and one of unknown words, without padding."""
    tokenizer = encoder.tokenizer
    special = set(tokenizer.all_special_ids)
    size = encoder.model.get_input_embeddings().weight.shape[0]
    ids = sorted(i for i in set(tokenizer.get_vocab().values()) if i not in special and i < size)
    generator = torch.Generator().manual_seed(0)
    # The vocabulary may lack all words of a given text.
    for text in (_TEXT, tokenizer.decode(ids[:50])):
        row = {key: values[0].tolist() for key, values in encoder.tokenize([text]).items() if key != "offset_mapping"}
        content = [i for i, inside in enumerate(row["special_tokens_mask"]) if not inside]
        if content:
            break
    else:
        raise MismatchError(where, "the tokenizer finds no tokens in texts", got=_TEXT)

    def text_of(tokens: Sequence[int]) -> Row:
        out = {
            key: [*values[: content[0]], *[values[content[0]]] * len(tokens), *values[content[-1] + 1 :]]
            for key, values in row.items()
        }
        out["input_ids"][content[0] : content[0] + len(tokens)] = tokens
        return out

    outside = len(row["input_ids"]) - (content[-1] + 1 - content[0])
    lengths = [max(1, length) for length in (encoder.max_length - outside, _SHORT, _MEDIUM)]
    drawn = [[ids[i] for i in torch.randint(len(ids), (n,), generator=generator).tolist()] for n in lengths]
    if tokenizer.unk_token_id is not None:
        drawn.append([tokenizer.unk_token_id] * 2)
    return [text_of(tokens[: lengths[0]]) for tokens in drawn]


def _by_ids(encoder: TextEncoder, text: Row) -> Tensor:
    """Logits ``[1, classes]`` of one text by the model's own pass over token ids, without padding."""
    accepted = inspect.signature(encoder.model.forward).parameters
    names = [key for key in ("input_ids", "attention_mask", "token_type_ids") if key in text and key in accepted]
    with torch.no_grad():
        logits: Tensor = encoder.model(**{key: torch.tensor([text[key]]) for key in names}, return_dict=True).logits
    return logits


def _difference(encoder: TextEncoder, module: nn.Module, texts: Sequence[Row], expected: Tensor) -> float:
    """The largest difference of logits in padded batches; 1 is the tolerance."""
    spread = float((expected - expected.mean(dim=0)).abs().max())
    allowed = _TOLERANCE * spread + _ROUNDING * float(expected.abs().max()) + torch.finfo(torch.float32).tiny
    worst = 0.0
    # The longest text is padded out with one other only: a batch of all would be large.
    for batch in ([1, 0], range(1, len(texts))):
        encoding = encoder.padded({key: [texts[i][key] for i in batch] for key in texts[0]})
        with torch.no_grad():
            logits = module(encoder.embed(encoding["input_ids"]), **encoder.context(encoding))
        if logits.shape != expected[list(batch)].shape:
            raise ValueError(f"it returns logits of shape {list(logits.shape)}")
        difference = (logits - expected[list(batch)]).abs().max() / allowed
        worst = max(worst, float(difference.nan_to_num(torch.inf)))
    return worst


def _refused(where: str, encoder: TextEncoder, failures: Sequence[_Failure]) -> MismatchError:
    name = type(encoder.model).__name__
    if encoder.model.config.is_encoder_decoder:
        return MismatchError(
            where,
            f"{name} cannot be evaluated on token embeddings: its decoder does not read the text as that of T5 or BART",
            hint="use a classifier that is an encoder (BERT, DeBERTa) or a decoder (GPT-2, Llama) alone",
        )
    differences = [failure.difference for failure in failures if failure.difference is not None]
    if failures[0].reason or not differences:
        return MismatchError(
            where,
            f"{name} cannot be evaluated on token embeddings: {failures[0].reason}",
            hint="use another architecture (BERT, DeBERTa, GPT-2, Llama)",
        )
    return MismatchError(
        where,
        f"{name} gives different logits for token embeddings in a padded batch and for token ids of one text",
        hint="use another architecture (BERT, DeBERTa, GPT-2, Llama), or reduce model.max_length",
        notes=[f"the largest difference is {min(differences):.2g} of the differences between texts"],
    )


def _reason(broken: Exception) -> str:
    lines = [line.strip() for line in str(broken).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(broken).__name__
