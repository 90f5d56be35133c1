"""What a masked language model puts in the places of absent tokens, as tokens of the model that is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from xaiexp.builtin.models.causal.token_pieces import token_pieces
from xaiexp.builtin.models.checkpoints import quiet, read_settings
from xaiexp.contract.removal import Fill
from xaiexp.core.batches import Batch
from xaiexp.core.prompts import Lexicon
from xaiexp.errors import ResourceError, Unsupported

__all__ = ["Infill", "MaskedLanguageModel", "masked_language_model"]

_WHERE = "removal.masked_lm_infill.path"
# Of the words of the masked language model, the share that must be single tokens of the explained model.
_SHARED = 0.25


@dataclass(frozen=True)
class MaskedLanguageModel:
    """A masked language model of transformers on the CPU, and its fast tokenizer.

    Args:
        model: in eval mode.
        tokenizer: with a mask token.
        pieces: the characters of each token, as :func:`xaiexp.builtin.models.causal.token_pieces.token_pieces`.
        path: of its folder, for messages.
    """

    model: Any
    tokenizer: Any
    pieces: tuple[str, ...]
    path: str

    @property
    def limit(self) -> int:
        """The most tokens of a text, without those that begin and end it."""
        positions = getattr(self.model.config, "max_position_embeddings", None) or 1 << 30
        return min(int(positions), int(self.tokenizer.model_max_length)) - 4  # RoBERTa numbers positions from 2

    def predictions(self, parts: Sequence[str | None]) -> Tensor:
        """Logits ``[M, V]`` at the masks of a text, which consists of texts and of None for a mask each.

        Raises:
            Unsupported: the text is too long for the model.
        """
        tokenizer, ids = self.tokenizer, list[int]()
        for part in parts:
            ids += (
                [tokenizer.mask_token_id]
                if part is None
                else tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"]
            )
        if len(ids) > self.limit:
            raise Unsupported(f"{self.path} reads at most {self.limit} tokens, and a prompt has {len(ids)} of its own")
        first = tokenizer.cls_token_id if tokenizer.cls_token_id is not None else tokenizer.bos_token_id
        last = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
        whole = [*([] if first is None else [first]), *ids, *([] if last is None else [last])]
        given = torch.tensor([whole])
        with torch.no_grad():
            logits: Tensor = self.model(input_ids=given, attention_mask=torch.ones_like(given)).logits[0]
        return logits[given[0] == tokenizer.mask_token_id]


@lru_cache(maxsize=1)
def masked_language_model(path: str, _stamp: str) -> MaskedLanguageModel:
    """The masked language model of a folder; the one that was read last is kept while its files do not change.

    Raises:
        ResourceError: there is none, or it cannot be read.
    """
    architectures = read_settings(path, "config.json").get("architectures") or []
    if not any(str(name).endswith("ForMaskedLM") for name in architectures):
        raise ResourceError(
            _WHERE,
            "is no folder of a masked language model of transformers",
            got=path,
            hint="save one there with save_pretrained, such as BertForMaskedLM, with its tokenizer",
        )
    import transformers

    try:
        with quiet():
            tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
            model = transformers.AutoModelForMaskedLM.from_pretrained(
                path, local_files_only=True, trust_remote_code=False, dtype="float32"
            )
    except Exception as broken:  # transformers, safetensors and torch raise errors of many types
        lines = [line.strip() for line in str(broken).splitlines() if line.strip()]
        raise ResourceError(_WHERE, f"cannot be read: {(lines or [''])[0][:200]}", got=path) from None
    if tokenizer.mask_token_id is None:
        raise ResourceError(_WHERE, "its tokenizer has no mask token", got=path)
    return MaskedLanguageModel(
        model.eval().requires_grad_(False), tokenizer, token_pieces(tokenizer, int(model.config.vocab_size)), path
    )


class Infill(Fill):
    """Replaces absent tokens by predictions of a masked language model; there is no reference.

    Args:
        batch: prompts of a language model.
        lexicon: its tokens.
        masked: the masked language model.

    Raises:
        Unsupported: the tokenizers do not fit together.
    """

    def __init__(self, batch: Batch, lexicon: Lexicon, masked: MaskedLanguageModel) -> None:
        self.batch, self.lexicon, self.masked = batch, lexicon, masked
        present = batch.context["attention_mask"].bool().cpu()
        self._tokens = [
            lexicon.tokens(rows[here]) for rows, here in zip(batch.inputs, present, strict=True)
        ]  # padding stands behind a prompt
        places = batch.features.inside[..., 0].expand(len(batch), -1).cpu()
        if any(
            token < 0
            for tokens, own in zip(self._tokens, places.tolist(), strict=True)
            for token, inside in zip(tokens, own, strict=False)
            if inside
        ):
            raise Unsupported(
                "removal 'masked_lm_infill' reads the text of a prompt, and its inputs are not embeddings of tokens"
            )
        pieces = masked.pieces
        words = [piece for piece in pieces if piece[:1] == " " and piece.strip()]
        known = sum(piece in lexicon.ids for piece in words)
        if known <= _SHARED * len(words):
            raise Unsupported(
                f"removal 'masked_lm_infill': the tokenizers do not fit: of {len(words)} words of {masked.path} the "
                f"explained model has {known} as one token: use another masked language model, or removal 'mean'"
            )
        self._after_space = _matched(pieces, lexicon, lambda piece: piece if piece[:1] == " " else "")
        self._at_start = _matched(pieces, lexicon, lambda piece: piece.strip() if piece[:1] == " " else "")
        self._within = _matched(pieces, lexicon, _inner)

    def __call__(self, owners: Tensor, present: Tensor) -> Tensor:
        """See :meth:`Fill.__call__`.

        Raises:
            Unsupported: the masked language model has no token for a place, or cannot read as long a text.
        """
        inputs = self.batch.inputs[owners].clone()
        kept = self.batch.features.rows(owners).expand(present.to(inputs.dtype), outside=1.0)[..., 0] > 0
        for row, (owner, keep) in enumerate(zip(owners.tolist(), kept.tolist(), strict=True)):
            absent = [place for place in range(len(self._tokens[owner])) if not keep[place]]
            if absent:
                inputs[row, absent] = self._replaced(self._tokens[owner], absent).to(inputs)
        return inputs

    def _replaced(self, tokens: list[int], absent: list[int]) -> Tensor:
        """Embeddings ``[len(absent), D]`` of what is put in the absent places."""
        logits = self.masked.predictions(self._parts(tokens, set(absent)))
        found = []
        for place, scores in zip(absent, logits, strict=True):
            matched = self._matches(tokens, place)
            allowed = matched >= 0
            if not bool(allowed.any()):
                raise Unsupported(
                    f"removal 'masked_lm_infill': {self.masked.path} has no token that can replace "
                    f"{self._piece(tokens[place])!r}"
                )
            best = scores[: len(matched)].masked_fill(~allowed, -torch.inf).argmax()
            found.append(int(matched[best]))
        return self.lexicon.table[found]

    def _parts(self, tokens: list[int], absent: set[int]) -> list[str | None]:
        """The texts between absent tokens, and None for each of these; special tokens have no text."""
        parts: list[str | None] = []
        text = ""
        for place, token in enumerate(tokens):
            if place in absent:
                parts += [text, None] if text.strip() else [None]
                text = ""
            else:
                text += self._piece(token)
        return [*parts, text] if text.strip() else parts

    def _matches(self, tokens: list[int], place: int) -> Tensor:
        """The explained model's token for each of the masked one's that may stand at a place, -1 for none."""
        if self._piece(tokens[place])[:1].isspace():
            return self._after_space
        before = self._piece(tokens[place - 1]) if place else ""
        return self._at_start if not before or before[-1:].isspace() else self._within

    def _piece(self, token: int) -> str:
        return self.lexicon.pieces[token] if token >= 0 else ""


def _inner(piece: str) -> str:
    """Characters that go on within a word, or punctuation."""
    if piece[:1] != " ":
        return piece
    return "" if any(map(str.isalnum, piece)) else piece.strip()


def _matched(pieces: Sequence[str], lexicon: Lexicon, form: Any) -> Tensor:
    """The token with the characters of each piece in a form, int64 ``[V]``; -1 where there is none."""
    return torch.tensor([lexicon.ids.get(form(piece), -1) if form(piece) else -1 for piece in pieces])
