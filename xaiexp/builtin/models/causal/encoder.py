"""Prompts and continuations as tensors: embeddings of the prompt, token ids of what follows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from xaiexp.builtin.models.causal.rendering import Chat, Place, Rendered, prompt_of, rendered
from xaiexp.builtin.models.causal.spans import WHOLE, Aim
from xaiexp.builtin.models.causal.token_pieces import ids_by_piece, token_pieces
from xaiexp.builtin.models.word_spans import word_numbers
from xaiexp.core.prompts import Lexicon, Prompt
from xaiexp.core.samples import Continuation, Encoded, Sample
from xaiexp.errors import MismatchError

__all__ = ["PromptEncoder", "sentence_spans"]

_SENTENCE = re.compile(r"\S.*?(?:[.!?…。！？]+[\"'”’)\]]*(?=\s|$)|\n|$)", re.DOTALL)

Write = Callable[[Sequence[int]], list[int]]
"""Token ids of a prompt to those of a continuation that the model writes."""


@dataclass(frozen=True)
class _Row:
    """A tokenized prompt.

    Args:
        ids: of its tokens.
        spans: start and stop of each token in the rendered text, without white space around it.
        text: as the model reads it.
    """

    ids: list[int]
    spans: list[tuple[int, int]]
    text: Rendered


@dataclass(frozen=True)
class PromptEncoder:
    """Encodes prompts as embeddings, with the continuations that are scored.

    Prompts are padded on the right, so that the place of a token, and with it the random numbers that belong to it,
    does not depend on the other prompts; the network moves the padding to the left.

    Args:
        tokenizer: a fast tokenizer of transformers.
        model: the language model.
        limit: the most tokens of a prompt with its continuation.
        chat: see :func:`xaiexp.builtin.models.causal.rendering.rendered`.
        separator: put between a raw prompt and a given continuation where neither has white space there.
        aim: which scores are made.
        write: writes the continuation of a prompt that has none; None where every prompt must have one.
    """

    tokenizer: Any
    model: Any
    limit: int
    chat: Chat = "auto"
    separator: str = ""
    aim: Aim = WHOLE
    write: Write | None = None

    def encode(self, samples: Sequence[Sample]) -> Encoded:
        """Prompts as embeddings ``[N, T, D]``; what stands in a slot is removable.

        Raises:
            MismatchError: a sample is no prompt, has no token to explain or no continuation with the span that is
                explained, or is longer than the model can read.
        """
        rows = [self._row(sample) for sample in samples]
        texts = [self._continuations(sample, row) for sample, row in zip(samples, rows, strict=True)]
        for sample, row, (following, _) in zip(samples, rows, texts, strict=True):
            self._check_length(sample, len(row.ids), max(map(len, following)))
        width = max(len(row.ids) for row in rows)
        ids = torch.full((len(rows), width), self.padding_id)
        present = torch.zeros(len(rows), width, dtype=torch.int64)
        inside = torch.zeros(len(rows), width, dtype=torch.bool)
        words, sentences, slots = (torch.full((len(rows), width), -1) for _ in range(3))
        slots_of = [tuple(dict.fromkeys(place.slot for place in row.text.places)) for row in rows]
        for i, (sample, row) in enumerate(zip(samples, rows, strict=True)):
            here = slice(len(row.ids))
            ids[i, here], present[i, here] = torch.tensor(row.ids), 1
            owner = [_place_of(span, row.text.places) for span in row.spans]
            explained = torch.tensor([place is not None for place in owner])
            if not bool(explained.any()):
                raise MismatchError("dataset", f"example {sample.id!r} has no token to explain", got=row.text.text)
            inside[i, here] = explained
            own = explained.nonzero().squeeze(1)
            slots[i, own] = torch.tensor([slots_of[i].index(place.slot) for place in owner if place is not None])
            spans = [span for span, place in zip(row.spans, owner, strict=True) if place is not None]
            words[i, own] = torch.tensor(word_numbers(row.text.text, spans, joined=True))
            sentences[i, own] = torch.tensor(_sentence_numbers(row.text, spans))
        embedded = self.embed(ids)
        continuation, weights, told = self._targets(samples, texts)
        return Encoded(
            embedded,
            context={"attention_mask": present, "continuation": continuation, "spans": weights},
            masks=_masks(samples, rows, width),
            removable=inside,
            tokens=tuple(self._shown(row) for row in rows),
            words=words,
            sentences=sentences,
            slots=slots,
            slot_names=slots_of[0] if len(set(slots_of)) == 1 else (),
            continuations=told,
        )

    @property
    def padding_id(self) -> int:
        """The id at padded positions, which the attention mask hides."""
        ids = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0)
        return int(next(i for i in ids if i is not None))

    def embed(self, ids: Tensor) -> Tensor:
        """Token embeddings ``[..., D]`` of ids ``[...]``, float32."""
        with torch.no_grad():
            table = self.model.get_input_embeddings()
            embedded: Tensor = table(ids.to(table.weight.device)).cpu()
        return embedded.float()

    def embed_text(self, text: str) -> Tensor:
        """Embeddings ``[T, D]`` of the tokens of a text, without special tokens."""
        return self.embed(torch.tensor(self.ids_of(text), dtype=torch.int64))

    def special_embeddings(self) -> dict[str, Tensor]:
        """Embeddings ``[D]`` of the padding token (``pad``) and mask token (``mask``) that the tokenizer has."""
        token_ids = {"pad": self.tokenizer.pad_token_id, "mask": self.tokenizer.mask_token_id}
        return {name: self.embed(torch.tensor(i)) for name, i in token_ids.items() if i is not None}

    def lexicon(self) -> Lexicon:
        """The tokens of the model by their characters."""
        size = self.model.get_input_embeddings().weight.shape[0]
        pieces = token_pieces(self.tokenizer, size)
        return Lexicon(pieces, ids_by_piece(pieces), self.embed(torch.arange(size)))

    def ids_of(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens."""
        return [int(i) for i in self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]]

    def prompt_ids(self, prompt: Prompt, example: str = "prompt") -> list[int]:
        """The token ids of a prompt as the model reads them."""
        return self._row(Sample(example, prompt)).ids

    def identity(self) -> str:
        """A hash of configuration, vocabulary and parameters; with the weights they determine the scores."""
        settings = self.model.config.to_diff_dict()
        for key in ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "quantization_config"):
            settings.pop(key, None)
        backend = self.tokenizer.backend_tokenizer.to_str()
        template = str(getattr(self.tokenizer, "chat_template", None))
        content = [settings, backend, template, self.limit, self.chat, self.separator]
        text = json.dumps(content, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _row(self, sample: Sample) -> _Row:
        prompt = prompt_of(sample.data, sample.id)
        if prompt.ids:
            return self._of_ids(prompt.ids)
        text = rendered(prompt, self.tokenizer, self.chat, sample.id)
        found = self.tokenizer(
            text.text,
            add_special_tokens=not text.templated,
            return_offsets_mapping=True,
            verbose=False,
        )
        ids, offsets = [int(i) for i in found["input_ids"]], found["offset_mapping"]
        if not ids:
            raise MismatchError("dataset", f"the prompt of example {sample.id!r} has no tokens", got=text.text)
        return _Row(ids, [_without_spaces(text.text, *span) for span in offsets], text)

    def _shown(self, row: _Row) -> tuple[str, ...]:
        """The tokens as pages show them: as in the text, ``▁`` where a space stands before, ``↵`` for a line's end."""
        names, text, before, found = self.tokenizer.convert_ids_to_tokens(row.ids), row.text.text, 0, []
        for name, (start, stop) in zip(names, row.spans, strict=True):
            if stop <= start:
                found.append(str(name))
                continue
            piece = text[start:stop].replace("\n", "↵")
            found.append(f"▁{piece}" if " " in text[before:start] else piece)
            before = stop
        return tuple(found)

    def _of_ids(self, ids: Sequence[int]) -> _Row:
        """A prompt of token ids, of which all but special tokens are explained."""
        pieces, special = self.pieces(ids), set(self.tokenizer.all_special_ids)
        stops = list(accumulate(map(len, pieces)))
        starts = [0, *stops[:-1]]
        spans = [
            (stop, stop) if token in special else (start, max(stop, start))
            for token, start, stop in zip(ids, starts, stops, strict=True)
        ]
        text = "".join(pieces)
        place = Place(0, len(text), 0, "prompt")
        return _Row(list(ids), spans, Rendered(text, (place,), templated=True))

    def _continuations(self, sample: Sample, row: _Row) -> tuple[list[list[int]], bool]:
        """Token ids of each continuation of an example, and whether the model wrote it."""
        if self.aim.texts:
            return [self._given(text, row, sample.id) for text in self.aim.texts], False
        prompt = prompt_of(sample.data, sample.id)
        if prompt.continuation is not None:
            return [self._given(prompt.continuation, row, sample.id)], False
        if self.write is None:
            raise MismatchError(
                "dataset", f"example {sample.id!r} has no continuation to score", hint="give one, or name a target text"
            )
        written = self.write(row.ids)
        if not written:
            raise MismatchError("model", f"writes nothing after the prompt of example {sample.id!r}", got=row.text.text)
        return [written], True

    def _given(self, text: str, row: _Row, example: str) -> list[int]:
        apart = row.text.templated or row.text.text[-1:].isspace() or text[:1].isspace()
        ids = self.ids_of(text if apart else self.separator + text)
        if not ids:
            raise MismatchError("target", f"a continuation of example {example!r} has no tokens", got=text)
        return ids

    def _check_length(self, sample: Sample, prompt: int, continuation: int) -> None:
        if prompt + continuation > self.limit:
            raise MismatchError(
                "dataset",
                f"example {sample.id!r} has {prompt} tokens and its continuation {continuation}; the model reads at "
                f"most {self.limit}",
                got=prompt + continuation,
                hint="shorten the prompt, or raise model.max_length where the model has more positions",
            )

    def _targets(
        self, samples: Sequence[Sample], texts: Sequence[tuple[list[list[int]], bool]]
    ) -> tuple[Tensor, Tensor, tuple[Continuation, ...]]:
        """Token ids ``[N, C, L]``, weights of the scores ``[N, K, C * L]``, and both in words."""
        told, weights = [], []
        for sample, (ids, written) in zip(samples, texts, strict=True):
            pieces = tuple(self.pieces(each) for each in ids)
            own = self.aim.weights(pieces, sample.id)
            flat = tuple(tuple(w for text in score for w in text) for score in own)
            told.append(Continuation(pieces, written, flat))
            weights.append(own)
        length = max(len(each) for ids, _ in texts for each in ids)
        count, scores = len(texts[0][0]), max(map(len, weights))
        continuation = torch.full((len(texts), count, length), -1)
        spans = torch.zeros(len(texts), scores, count, length)
        for n, (ids, _) in enumerate(texts):
            for c, each in enumerate(ids):
                continuation[n, c, : len(each)] = torch.tensor(each)
                for k, score in enumerate(weights[n]):
                    spans[n, k, c, : len(each)] = torch.tensor(score[c])
        return continuation, spans.flatten(2), tuple(told)

    def pieces(self, ids: Sequence[int]) -> tuple[str, ...]:
        """The characters that each token adds to a text."""
        texts = [self.tokenizer.decode(list(ids[: k + 1]), skip_special_tokens=False) for k in range(len(ids))]
        marked = str(self.tokenizer.convert_ids_to_tokens(int(ids[0]))).startswith("▁")
        if marked and not texts[0].startswith(" "):  # SentencePiece drops the space at the start of a text
            texts = [f" {text}" for text in texts]
        out, before = [], ""
        for text in texts:
            kept = text.rstrip("\ufffd")  # bytes of a character that the next token completes
            out.append(kept[len(before) :] if kept.startswith(before) else "")
            before = kept if kept.startswith(before) else before
        return tuple(out)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Start and stop of each sentence: up to full stop, question or exclamation mark before a space, or a line's end.

    >>> [text[i:j] for text in ["One. Two 3.5? Three"] for i, j in sentence_spans(text)]
    ['One.', 'Two 3.5?', 'Three']
    """
    return [match.span() for match in _SENTENCE.finditer(text)]


def _sentence_numbers(text: Rendered, spans: Sequence[tuple[int, int]]) -> list[int]:
    """The sentence of each token that belongs to a part; sentences end with their part."""
    starts = sorted(
        place.start + start for place in text.places for start, _ in sentence_spans(text.text[place.start : place.stop])
    )
    return [max(0, sum(start < stop for start in starts) - 1) for _, stop in spans]


def _place_of(span: tuple[int, int], places: Sequence[Place]) -> Place | None:
    start, stop = span
    return next((place for place in places if start < place.stop and stop > place.start and stop > start), None)


def _without_spaces(text: str, start: int, stop: int) -> tuple[int, int]:
    """The span of a token without the spaces at its ends; one of spaces alone keeps them."""
    token = text[start:stop]
    if not token.strip():
        return start, stop
    return start + len(token) - len(token.lstrip()), stop - len(token) + len(token.rstrip())


def _masks(samples: Sequence[Sample], rows: Sequence[_Row], width: int) -> Tensor | None:
    """Tokens that overlap a span of their sample's mask, bool ``[N, T]``; None if no sample has a mask."""
    if all(sample.mask is None for sample in samples):
        return None
    masks = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, (sample, row) in enumerate(zip(samples, rows, strict=True)):
        for start, stop in _rendered_spans(sample, row.text.places):
            for k, (begin, end) in enumerate(row.spans):
                masks[i, k] |= begin < stop and end > start and end > begin
    return masks


def _rendered_spans(sample: Sample, places: Sequence[Place]) -> Iterator[tuple[int, int]]:
    """The spans of a mask in the rendered text."""
    count = len(prompt_of(sample.data, sample.id).text)
    for start, stop in sample.mask or ():
        if not 0 <= start < stop <= count:
            raise MismatchError(
                "dataset",
                f"the mask of example {sample.id!r} must be spans (start, stop) of its {count} characters",
                got=sample.mask,
            )
        for place in places:
            size = place.stop - place.start
            begin, end = max(start - place.origin, 0), min(stop - place.origin, size)
            if begin < end:
                yield place.start + begin, place.start + end
