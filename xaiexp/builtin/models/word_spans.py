"""Words of a text, and the word of each of its tokens."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import regex

__all__ = ["crosses_spaces", "token_of_several_words", "word_numbers", "word_spans"]

_WORD = regex.compile(r"\S+?(?:\b|(?=\s)|\Z)", regex.V1 | regex.WORD)
# Spaces in vocabularies: of SentencePiece, and of byte-level tokenizers.
_SPACE = regex.compile(r"[▁Ġ\s]+")
_SPACE_INSIDE = regex.compile(r"[^▁Ġ\s][▁Ġ\s]+[^▁Ġ\s]")


def word_spans(text: str) -> list[tuple[int, int]]:
    """Start and stop of each word and punctuation mark, by Unicode's default word boundaries (UAX #29).

    Apostrophes and points within words and numbers belong to them. Chinese characters, and letters of other scripts
    without spaces, are words by themselves.

    >>> [text[i:j] for text in ["It wasn't bad, 12.50!"] for i, j in word_spans(text)]
    ['It', "wasn't", 'bad', ',', '12.50', '!']
    """
    return [match.span() for match in _WORD.finditer(text)]


def word_numbers(text: str, tokens: Sequence[tuple[int, int]], joined: bool = False) -> list[int]:
    """The word of each token, counted from 0 in the order of the tokens.

    A token that contains several words without spaces between them (``').'``) joins them. A token of spaces belongs to
    the word of the next token, at the end of a text to that of the previous one.

    Args:
        text: the text.
        tokens: start and stop of each token in the text, in characters; they may include spaces around words.
        joined: whether a token that contains several words with spaces between them joins them, too; else it belongs
            to none, and its number is -1.

    >>> word_numbers("a goodness", [(0, 1), (1, 6), (6, 10)])
    [0, 1, 1]
    """
    spans = word_spans(text)
    starts, stops = [start for start, _ in spans], [stop for _, stop in spans]
    follows = [False] * len(spans)  # belongs to the word before
    first_words: list[int | None] = []
    for start, stop in tokens:
        first, last = bisect_right(stops, start), bisect_left(starts, stop) - 1
        if first > last:
            first_words.append(None)
        elif not joined and crosses_spaces(text[start:stop]):
            first_words.append(-1)
        else:
            first_words.append(first)
            follows[first + 1 : last + 1] = [True] * (last - first)
    number = list(accumulate(int(not follow) for follow in follows))
    words = [-1 if first == -1 else None if first is None else number[first] for first in first_words]
    for order in (range(len(words) - 2, -1, -1), range(1, len(words))):
        step = 1 if order.step < 0 else -1
        for token in order:
            if words[token] is None:
                words[token] = words[token + step]
    names: dict[int, int] = {-1: -1}
    return [names.setdefault(word or 0, len(names) - 1) for word in words]


def crosses_spaces(token: str) -> bool:
    """Whether the characters of a token have spaces between them."""
    return len(token.split()) > 1


def token_of_several_words(tokenizer: Any) -> str | None:
    """A token of the vocabulary that contains parts of several words; None if there is none.

    Such tokens exist where a tokenizer was trained without splitting texts at spaces.

    Args:
        tokenizer: a fast tokenizer of transformers.
    """
    for token in tokenizer.get_vocab():
        if _SPACE_INSIDE.search(token) and token not in tokenizer.all_special_tokens:
            text = _SPACE.sub(" ", token)
            offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            if any(crosses_spaces(text[start:stop]) for start, stop in offsets):
                return str(token)
    return None
