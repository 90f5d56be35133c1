"""Sequence classifiers as functions of token embeddings, and the encoding of texts as embeddings."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.core.samples import Encoded, Sample
from xaiexp.errors import MismatchError

__all__ = ["FromEmbeddings", "TextEncoder", "check_same_logits"]


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


@dataclass(frozen=True)
class TextEncoder:
    """Encodes texts as word embeddings.

    Args:
        tokenizer: tokenizer of the model.
        model: the sequence classifier.
        max_length: texts are truncated to this number of tokens, including special tokens.
    """

    tokenizer: Any
    model: Any
    max_length: int

    def tokenize(self, texts: Sequence[str]) -> Any:
        """Token ids and masks, each int64 ``[N, T]``, padded on the right to the longest text.

        A fast tokenizer adds ``offset_mapping``, int64 ``[N, T, 2]``: the characters of each token.
        """
        return self.tokenizer(
            list(texts),
            padding="longest",
            truncation=True,
            max_length=self.max_length,
            padding_side="right",
            return_attention_mask=True,
            return_special_tokens_mask=True,
            return_offsets_mapping=bool(self.tokenizer.is_fast),
            return_tensors="pt",
        )

    def context(self, encoding: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The keyword arguments of the model other than the embeddings."""
        accepted = inspect.signature(self.model.forward).parameters
        names = ("attention_mask", "token_type_ids")
        return {name: encoding[name] for name in names if name in encoding and name in accepted}

    def embed(self, ids: Tensor) -> Tensor:
        """Word embeddings ``[..., D]`` of token ids ``[...]``, float32."""
        with torch.no_grad():
            embedded: Tensor = self.model.get_input_embeddings()(ids)
        return embedded.float()

    def encode(self, samples: Sequence[Sample]) -> Encoded:
        """Texts as embeddings ``[N, T, D]``; tokens that are neither special nor padding are removable.

        Words are those of the tokenizer's pre-tokenization; for most tokenizers, punctuation marks are words.

        Raises:
            MismatchError: a sample is not a text or has no tokens other than special ones; a mask does not consist of
                spans of its text, or the tokenizer gives no character offsets to apply it.
        """
        for sample in samples:
            if not isinstance(sample.data, str):
                raise MismatchError(
                    "dataset", f"example {sample.id!r} is a {type(sample.data).__name__}; the model expects texts"
                )
        encoding = self.tokenize([sample.data for sample in samples])
        present = encoding["attention_mask"].bool()
        removable = present & ~encoding["special_tokens_mask"].bool()
        for sample, tokens in zip(samples, removable.sum(1).tolist(), strict=True):
            if not tokens:
                raise MismatchError("dataset", f"example {sample.id!r} has no token to explain", got=sample.data)
        rows = encoding["input_ids"].tolist()
        return Encoded(
            self.embed(encoding["input_ids"]),
            context=self.context(encoding),
            removable=removable,
            words=self.word_numbers(encoding),
            masks=self.token_masks(samples, encoding),
            tokens=tuple(
                tuple(self.tokenizer.convert_ids_to_tokens(row[:length]))
                for row, length in zip(rows, present.sum(1).tolist(), strict=True)
            ),
        )

    def word_numbers(self, encoding: Any) -> Tensor | None:
        """The word of each token, int64 ``[N, T]``, counted from 0; -1 outside words; None for a slow tokenizer."""
        if not self.tokenizer.is_fast:
            return None
        words = torch.full(encoding["input_ids"].shape, -1)
        for row in range(len(words)):
            numbers: dict[int, int] = {}
            for position, word in enumerate(encoding.word_ids(row)):
                if word is not None:  # neither special nor padding
                    words[row, position] = numbers.setdefault(word, len(numbers))
        return words

    def token_masks(self, samples: Sequence[Sample], encoding: Any) -> Tensor | None:
        """Tokens that overlap a span of their sample's mask, bool ``[N, T]``; None if no sample has a mask."""
        spans_of = [None if sample.mask is None else _spans(sample) for sample in samples]
        if all(spans is None for spans in spans_of):
            return None
        if "offset_mapping" not in encoding:
            raise MismatchError(
                "dataset",
                "has masks, and the model's tokenizer gives no character offsets of its tokens",
                hint="omit the masks, or save the model with a fast tokenizer",
            )
        start, stop = encoding["offset_mapping"].unbind(-1)
        masks = torch.zeros(start.shape, dtype=torch.bool)
        for row, spans in enumerate(spans_of):
            for first, last in spans or ():
                # Special and padding tokens have the empty span 0..0.
                masks[row] |= (start[row] < last) & (stop[row] > first)
        return masks

    def embed_text(self, text: str) -> Tensor:
        """Embeddings ``[T, D]`` of the tokens of a text, without special tokens, float32."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
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


def check_same_logits(where: str, encoder: TextEncoder, module: nn.Module) -> None:
    """Check that embeddings and token ids give the same logits, on two texts of different length.

    Some architectures use the token ids for more than their embeddings (end of the text, scaling, positions) and would
    silently compute other logits from embeddings.

    Raises:
        MismatchError: the logits differ, or the model does not accept embeddings.
    """
    encoding = encoder.tokenize(["a", "a rather longer text, with a few more words"])
    context = encoder.context(encoding)
    try:
        with torch.no_grad():
            expected = encoder.model(input_ids=encoding["input_ids"], return_dict=True, **context).logits
            logits = module(encoder.embed(encoding["input_ids"]), **context)
        difference = float((expected - logits).abs().max()) / max(1.0, float(expected.abs().max()))
    except (NotImplementedError, TypeError, ValueError, RuntimeError, IndexError) as broken:
        raise MismatchError(
            where, f"{type(encoder.model).__name__} cannot be evaluated on token embeddings: {broken}"
        ) from None
    if not difference < 1e-3:
        raise MismatchError(
            where,
            f"{type(encoder.model).__name__} gives different logits for token embeddings and for token ids",
            hint="this model cannot be explained with respect to its embeddings",
            notes=[f"the largest difference is {difference:.2g} of the largest logit"],
        )
