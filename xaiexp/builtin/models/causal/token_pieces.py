"""The characters that each token of a tokenizer adds to a text. Importing this module imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["ids_by_piece", "token_pieces"]


def token_pieces(tokenizer: Any, size: int) -> tuple[str, ...]:
    """The characters of each of the first ``size`` tokens within a text, with the space that stands before a word.

    Tokens are decoded after a token of letters, since some tokenizers drop the space at the start of a text. Special
    tokens, tokens that are parts of a character, and ids without a token add none.
    """
    known = min(size, len(tokenizer))
    special = set(tokenizer.all_special_ids)
    alone = tokenizer.batch_decode([[i] for i in range(known)], clean_up_tokenization_spaces=False)
    anchor = next((i for i, text in enumerate(alone) if i not in special and text.strip().isalpha()), None)
    if anchor is None:
        return ("",) * size
    before = alone[anchor]
    pairs = tokenizer.batch_decode([[anchor, i] for i in range(known)], clean_up_tokenization_spaces=False)
    pieces = [
        "" if i in special or "\ufffd" in text or not text.startswith(before) else text[len(before) :]
        for i, text in enumerate(pairs)
    ]
    return (*pieces, *("",) * (size - known))


def ids_by_piece(pieces: Sequence[str]) -> Mapping[str, int]:
    """Token by characters; the first where several have the same."""
    found: dict[str, int] = {}
    for token, piece in enumerate(pieces):
        if piece:
            found.setdefault(piece, token)
    return found
