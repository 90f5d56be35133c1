"""Sequence classifiers as functions of token embeddings, and the encoding of texts as embeddings."""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from xaiexp.builtin.models.word_spans import word_numbers
from xaiexp.core.samples import Encoded, Sample
from xaiexp.errors import MismatchError

__all__ = ["FromEmbeddings", "FromEncoderDecoder", "FromLastToken", "Reading", "TextEncoder", "positions_module"]

log = logging.getLogger("xaiexp")

# Where a classifier reads its logits: as its forward method does, at the last token, at the last token whose id is not
# that of the padding token (decoder-only classifiers), or at the last end-of-sequence token (encoder-decoders).
Reading = Literal["own", "last_not_padding", "last", "end"]

# The modules of classifiers after the base model, in the order of their calls.
_HEAD = ("head", "drop", "sequence_summary", "score", "classifier", "logits_proj")


class FromEmbeddings(nn.Module):
    """A sequence classifier over embeddings: ``inputs [N, T, D], attention_mask [N, T], ... -> logits [N, classes]``.

    The inputs are word embeddings; the model itself adds positions and token types. The module path and name of this
    class are part of the keys of the store.

    Args:
        model: a sequence classifier of transformers.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, **context: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        logits: Tensor = self.model(inputs_embeds=inputs, return_dict=True, **context).logits
        return logits


class FromLastToken(nn.Module):
    """A classifier that reads its last token, over embeddings padded on the right.

    Without token ids, such a classifier reads the last position, which may be padding. Here the position is given:
    ``inputs [N, T, D], last_token [N], attention_mask [N, T], ... -> logits [N, classes]``.

    Args:
        model: a sequence classifier of transformers: a base model and a head that works by position.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        accepted = inspect.signature(model.base_model.forward).parameters  # type: ignore[union-attr]  # a module
        # Keys and values of earlier tokens are for generation.
        self._options = {"use_cache": False} if "use_cache" in accepted else {}

    def forward(self, inputs: Tensor, last_token: Tensor, **context: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        base: Any = self.model.base_model
        hidden: Tensor = base(inputs_embeds=inputs, return_dict=True, **self._options, **context)[0]
        hidden = _at(hidden, last_token)[:, None]
        for name in _HEAD:
            if hasattr(self.model, name):
                hidden = getattr(self.model, name)(hidden)
        return hidden.flatten(1)


class FromEncoderDecoder(nn.Module):
    """A classifier with an encoder and a decoder (T5, BART), over embeddings padded on the right.

    Encoder and decoder read the same text, the decoder shifted by one token. The classifier shifts token ids and looks
    for the end-of-sequence token among them; here the embeddings are shifted, and the position is given:
    ``inputs [N, T, D], last_token [N], attention_mask [N, T], ... -> logits [N, classes]``.

    Args:
        model: a sequence classifier of transformers: a base model and ``classification_head``.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, last_token: Tensor, **context: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        model: Any = self.model
        first = torch.tensor([model.config.decoder_start_token_id], device=inputs.device)
        start = model.get_input_embeddings()(first).to(inputs.dtype).expand(len(inputs), 1, -1)
        shifted = torch.cat([start, inputs[:, :-1]], dim=1)
        hidden: Tensor = model.base_model(
            inputs_embeds=inputs, decoder_inputs_embeds=shifted, use_cache=False, return_dict=True, **context
        )[0]
        logits: Tensor = model.classification_head(_at(hidden, last_token))
        return logits


def positions_module(model: nn.Module) -> Any:
    """The embeddings of a model that counts positions from its padding id on, skipping padding (RoBERTa); else None."""
    named = (m for m in model.modules() if hasattr(m, "create_position_ids_from_inputs_embeds"))
    return next((m for m in named if isinstance(getattr(m, "padding_idx", None), int)), None)


@dataclass(frozen=True)
class TextEncoder:
    """Encodes texts as word embeddings, padded on the right.

    Args:
        tokenizer: tokenizer of the model; it needs no padding token.
        model: the sequence classifier.
        max_length: texts are truncated to this number of tokens, including special tokens.
        joined_words: see :func:`xaiexp.builtin.models.word_spans.word_numbers`.
        reading: where the model reads its logits.
    """

    tokenizer: Any
    model: Any
    max_length: int
    joined_words: bool = False
    reading: Reading = "own"
    _told: list[str] = field(default_factory=list, repr=False, compare=False)

    def tokenize(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Token ids and masks, each int64 ``[N, T]``, padded on the right to the longest text.

        A fast tokenizer adds ``offset_mapping``, int64 ``[N, T, 2]``: the characters of each token.
        """
        rows = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=self.max_length,
            return_attention_mask=True,
            return_special_tokens_mask=True,
            return_offsets_mapping=bool(self.tokenizer.is_fast),
            verbose=False,
        )
        return self.padded(rows)

    def padded(self, rows: Mapping[str, Sequence[Sequence[Any]]]) -> dict[str, Tensor]:
        """What a tokenizer returns for each text, as tensors padded on the right."""
        fill = {"input_ids": self.padding_id, "special_tokens_mask": 1}
        fill["token_type_ids"] = int(getattr(self.tokenizer, "pad_token_type_id", 0))
        out = {}
        for name, values in rows.items():
            shape = (2,) if name == "offset_mapping" else ()
            tensors = [torch.tensor(row, dtype=torch.int64).view(len(row), *shape) for row in values]
            out[name] = nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=fill.get(name, 0))
        return out

    @property
    def padding_id(self) -> int:
        """The id at padded positions, which the attention mask hides: that of the padding token if there is one."""
        ids = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0)
        return int(next(i for i in ids if i is not None))

    def context(self, encoding: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The keyword arguments of the module other than the embeddings; what the model reads of the ids is here."""
        accepted = inspect.signature(self.model.forward).parameters
        names = ("attention_mask", "token_type_ids")
        context = {name: encoding[name] for name in names if name in encoding and name in accepted}
        ids, present = encoding["input_ids"], encoding["attention_mask"]
        counted = positions_module(self.model)
        if counted is not None and "position_ids" in accepted:
            here = (ids != counted.padding_idx).long() * present
            context["position_ids"] = here.cumsum(dim=1) * here + counted.padding_idx
        if "global_attention_mask" in accepted:  # Longformer: the first token attends to all
            context["global_attention_mask"] = torch.zeros_like(ids)
            context["global_attention_mask"][:, 0] = 1
        if self.reading != "own":
            readable = present
            padding = self.model.config.get_text_config().pad_token_id
            if self.reading == "last_not_padding" and padding is not None:
                readable = present * (ids != padding)
            elif self.reading == "end":
                readable = present * (ids == self.model.config.eos_token_id)
            context["last_token"] = (torch.arange(ids.shape[1]) * readable).argmax(dim=1)
        return context

    def embed(self, ids: Tensor) -> Tensor:
        """Word embeddings ``[..., D]`` of token ids ``[...]``, float32."""
        with torch.no_grad():
            embedded: Tensor = self.model.get_input_embeddings()(ids)
        return embedded.float()

    def encode(self, samples: Sequence[Sample]) -> Encoded:
        """Texts as embeddings ``[N, T, D]``; tokens that are neither special nor padding are removable.

        Words are those of :func:`xaiexp.builtin.models.word_spans.word_spans`. The first text that is truncated is
        logged as a warning.

        Raises:
            MismatchError: a sample is not a text or has no tokens other than special ones; a mask does not consist of
                spans of its text, or the tokenizer gives no character offsets to apply it.
        """
        for sample in samples:
            if not isinstance(sample.data, str):
                pair = isinstance(sample.data, list | tuple)
                raise MismatchError(
                    "dataset",
                    f"example {sample.id!r} is a {type(sample.data).__name__}; the model expects texts",
                    hint="pairs of texts cannot be explained: join each pair to one text" if pair else "",
                )
        encoding = self.tokenize([sample.data for sample in samples])
        present = encoding["attention_mask"].bool()
        removable = present & ~encoding["special_tokens_mask"].bool()
        for sample, tokens in zip(samples, removable.sum(1).tolist(), strict=True):
            if not tokens:
                raise MismatchError("dataset", f"example {sample.id!r} has no token to explain", got=sample.data)
        lengths = present.sum(1).tolist()
        self._tell_truncation(samples, lengths)
        rows = encoding["input_ids"].tolist()
        return Encoded(
            self.embed(encoding["input_ids"]),
            context=self.context(encoding),
            removable=removable,
            words=self.words(samples, encoding, removable),
            masks=self.token_masks(samples, encoding),
            tokens=tuple(
                tuple(self.tokenizer.convert_ids_to_tokens(row[:length]))
                for row, length in zip(rows, lengths, strict=True)
            ),
        )

    def words(self, samples: Sequence[Sample], encoding: Mapping[str, Tensor], removable: Tensor) -> Tensor | None:
        """The word of each token, int64 ``[N, T]``, counted from 0; -1 for none; None for a slow tokenizer."""
        if "offset_mapping" not in encoding:
            return None
        words = torch.full(removable.shape, -1)
        for row, sample in enumerate(samples):
            inside = removable[row]
            spans = [(start, stop) for start, stop in encoding["offset_mapping"][row, inside].tolist()]
            words[row, inside] = torch.tensor(word_numbers(sample.data, spans, self.joined_words))
        return words

    def token_masks(self, samples: Sequence[Sample], encoding: Mapping[str, Tensor]) -> Tensor | None:
        """Tokens that overlap a span of their sample's mask, bool ``[N, T]``; None if no sample has a mask.

        The spaces that a token includes do not count. A token of spaces is in a mask that goes on at both its sides.
        """
        spans_of = [None if sample.mask is None else _spans(sample) for sample in samples]
        if all(spans is None for spans in spans_of):
            return None
        if "offset_mapping" not in encoding:
            raise MismatchError(
                "dataset",
                "has masks, and the model's tokenizer gives no character offsets of its tokens",
                hint="omit the masks, or save the model with a fast tokenizer",
            )
        masks = torch.zeros(encoding["input_ids"].shape, dtype=torch.bool)
        for row, (sample, spans) in enumerate(zip(samples, spans_of, strict=True)):
            tokens = [_without_spaces(sample.data, *token) for token in encoding["offset_mapping"][row].tolist()]
            start, stop = torch.tensor(tokens).unbind(-1)
            for first, last in spans or ():
                # Special and padding tokens have the empty span 0..0.
                masks[row] |= (start < last) & (stop > first)
        return masks

    def embed_text(self, text: str) -> Tensor:
        """Embeddings ``[T, D]`` of the tokens of a text, without special tokens, float32."""
        ids = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return self.embed(torch.tensor(ids, dtype=torch.int64))

    def special_embeddings(self) -> dict[str, Tensor]:
        """Embeddings ``[D]`` of the padding token (``pad``) and mask token (``mask``) that the tokenizer has."""
        token_ids = {"pad": self.tokenizer.pad_token_id, "mask": self.tokenizer.mask_token_id}
        return {name: self.embed(torch.tensor(i)) for name, i in token_ids.items() if i is not None}

    def identity(self) -> str:
        """A hash of configuration, vocabulary and maximum length; with the weights they determine the scores."""
        settings = self.model.config.to_diff_dict()
        for key in ("_name_or_path", "transformers_version", "dtype", "torch_dtype"):
            settings.pop(key, None)
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        vocabulary = backend.to_str() if backend is not None else sorted(self.tokenizer.get_vocab().items())
        content = json.dumps([settings, vocabulary, self.max_length], sort_keys=True, default=str)
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()

    def _tell_truncation(self, samples: Sequence[Sample], lengths: Sequence[int]) -> None:
        """Log the first text that is truncated."""
        for sample, length in zip(samples, lengths, strict=True):
            if self._told or length < self.max_length:
                continue
            whole = len(self.tokenizer(sample.data, verbose=False)["input_ids"])
            if whole > self.max_length:
                told = f"example {sample.id!r} has {whole} tokens; texts are truncated to {self.max_length} tokens"
                self._told.append(told)
                log.warning("model.max_length: %s", told)


def _at(hidden: Tensor, positions: Tensor) -> Tensor:
    """Rows ``[N, D]`` of ``hidden [N, T, D]`` at ``positions [N]``."""
    return hidden.gather(1, positions.view(-1, 1, 1).expand(-1, 1, hidden.shape[-1])).squeeze(1)


def _spans(sample: Sample) -> list[tuple[int, int]]:
    """The checked mask of a text: spans ``(start, stop)`` of its characters."""
    try:
        spans = [(int(start), int(stop)) for start, stop in sample.mask]
    except (TypeError, ValueError):
        spans = [(-1, -1)]
    if not all(0 <= start < stop <= len(sample.data) for start, stop in spans):
        raise MismatchError(
            "dataset",
            f"the mask of example {sample.id!r} must be spans (start, stop) of its {len(sample.data)} characters",
            got=sample.mask,
        )
    return spans


def _without_spaces(text: str, start: int, stop: int) -> tuple[int, int]:
    """The span of a token without the spaces at its ends.

    That of a token of spaces is reversed: a span overlaps it only if it contains the characters around it.
    """
    token = text[start:stop]
    if token and not token.strip():
        return stop, start
    return start + len(token) - len(token.lstrip()), stop - len(token) + len(token.rstrip())
