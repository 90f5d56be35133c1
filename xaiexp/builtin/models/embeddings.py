"""A sequence classifier driven by token embeddings instead of token ids."""

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

__all__ = ["FromEmbeddings", "Reader", "check_faithful"]


class FromEmbeddings(nn.Module):
    """``(inputs [N, T, D], attention_mask [N, T], ...) -> logits [N, classes]``.

    The inputs are word embeddings; positions and token types are added by the model itself.

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
class Reader:
    """Texts to embeddings.

    Args:
        tokenizer: of the model.
        model: the sequence classifier.
        max_length: texts are cut after so many tokens, special ones included.
    """

    tokenizer: Any
    model: Any
    max_length: int

    def ids(self, texts: Sequence[str]) -> Any:
        """Token ids and what goes with them, each int64 ``[N, T]``, padded on the right to the longest text.

        A fast tokenizer tells where in its text each token stands: ``offset_mapping``, int64 ``[N, T, 2]``.
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

    def context(self, ids: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the model is called with beside the embeddings."""
        takes = inspect.signature(self.model.forward).parameters
        return {key: ids[key] for key in ("attention_mask", "token_type_ids") if key in ids and key in takes}

    def embed(self, ids: Tensor) -> Tensor:
        """Word embeddings ``[..., D]``, float32."""
        with torch.no_grad():
            embedded: Tensor = self.model.get_input_embeddings()(ids)
        return embedded.float()

    def encode(self, samples: Sequence[Sample]) -> Encoded:
        """Texts as ``[N, T, D]``; what is neither special nor padding is removable.

        Words are those of the tokenizer's own first cut: punctuation is a word of its own for most.

        Raises:
            MismatchError: a sample that is no text, one without a token of its own, a mask that is not made of
                spans of its text, or a mask where the tokenizer does not tell where its tokens stand.
        """
        for sample in samples:
            if not isinstance(sample.data, str):
                raise MismatchError(
                    "dataset", f"example {sample.id!r} is {type(sample.data).__name__}, and this model takes texts"
                )
        ids = self.ids([sample.data for sample in samples])
        present = ids["attention_mask"].bool()
        removable = present & ~ids["special_tokens_mask"].bool()
        for sample, tokens in zip(samples, removable.sum(1).tolist(), strict=True):
            if not tokens:
                raise MismatchError("dataset", f"example {sample.id!r} has no token to explain", got=sample.data)
        rows = ids["input_ids"].tolist()
        return Encoded(
            self.embed(ids["input_ids"]),
            context=self.context(ids),
            removable=removable,
            words=self.words(ids),
            masks=self.masks(samples, ids),
            tokens=tuple(
                tuple(self.tokenizer.convert_ids_to_tokens(row[:length]))
                for row, length in zip(rows, present.sum(1).tolist(), strict=True)
            ),
        )

    def words(self, ids: Any) -> Tensor | None:
        """The number of each token's word, int64 ``[N, T]``, counted from 0; -1 outside; None for a slow tokenizer."""
        if not self.tokenizer.is_fast:
            return None
        out = torch.full(ids["input_ids"].shape, -1)
        for row in range(len(out)):
            numbers: dict[int, int] = {}
            for place, word in enumerate(ids.word_ids(row)):
                if word is not None:  # neither special nor padding
                    out[row, place] = numbers.setdefault(word, len(numbers))
        return out

    def masks(self, samples: Sequence[Sample], ids: Any) -> Tensor | None:
        """Tokens that touch a span of their sample's mask, bool ``[N, T]``; None where no sample has one."""
        given = [None if sample.mask is None else _spans(sample) for sample in samples]
        if all(spans is None for spans in given):
            return None
        if "offset_mapping" not in ids:
            raise MismatchError(
                "dataset",
                "has masks, and the model's tokenizer does not tell where in the text its tokens stand",
                hint="leave the masks out, or save the model with a fast tokenizer",
            )
        start, stop = ids["offset_mapping"].unbind(-1)
        out = torch.zeros(start.shape, dtype=torch.bool)
        for row, spans in enumerate(given):
            for first, last in spans or ():
                # What is special, or padding, stands at 0..0 and touches nothing.
                out[row] |= (start[row] < last) & (stop[row] > first)
        return out

    def embed_text(self, text: str) -> Tensor:
        """Embeddings ``[T, D]`` of a text's own tokens, without special ones, float32."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return self.embed(torch.tensor(ids, dtype=torch.int64))

    def special(self) -> dict[str, Tensor]:
        """Embeddings ``[D]`` of the padding and mask tokens, as far as the tokenizer has them."""
        known = {"pad": self.tokenizer.pad_token_id, "mask": self.tokenizer.mask_token_id}
        return {name: self.embed(torch.tensor(i)) for name, i in known.items() if i is not None}

    def identity(self) -> str:
        """What decides the numbers beside the weights: configuration, vocabulary and length."""
        settings = self.model.config.to_diff_dict()
        for key in ("_name_or_path", "transformers_version", "dtype", "torch_dtype"):
            settings.pop(key, None)
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        words = backend.to_str() if backend is not None else sorted(self.tokenizer.get_vocab().items())
        told = json.dumps([settings, words, self.max_length], sort_keys=True, default=str)
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def _spans(sample: Sample) -> list[tuple[int, int]]:
    """The mask of a text, checked: spans ``(start, stop)`` of its characters."""
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


def check_faithful(where: str, reader: Reader, module: nn.Module) -> None:
    """Compare the classifier driven by embeddings with itself driven by token ids, on two texts of unlike length.

    Some architectures read the ids for more than their embeddings (the end of a text, a scale, positions), and
    would quietly compute something else.

    Raises:
        MismatchError: they differ, or embeddings are not accepted at all.
    """
    ids = reader.ids(["a", "a rather longer text, with a few more words"])
    context = reader.context(ids)
    try:
        with torch.no_grad():
            expected = reader.model(input_ids=ids["input_ids"], return_dict=True, **context).logits
            found = module(reader.embed(ids["input_ids"]), **context)
        apart = float((expected - found).abs().max()) / max(1.0, float(expected.abs().max()))
    except (NotImplementedError, TypeError, ValueError, RuntimeError, IndexError) as broken:
        raise MismatchError(
            where, f"{type(reader.model).__name__} cannot be driven by token embeddings: {broken}"
        ) from None
    if not apart < 1e-3:
        raise MismatchError(
            where,
            f"{type(reader.model).__name__} gives other logits for token embeddings than for token ids",
            hint="its texts cannot be explained through embeddings",
            notes=[f"the largest difference is {apart:.2g} of the largest logit"],
        )
