"""Texts from a CSV, TSV or JSON file, with the parts that people marked where somebody did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xaiexp.builtin.datasets.listing import Delimiter, Listing, read_listing, stamp
from xaiexp.contract.kinds import Dataset
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import MismatchError

__all__ = ["Text", "about_tokens", "marked"]

# Word pieces of a word in English prose, about; and the two special tokens around a text.
_PIECES, _SPECIAL = 1.3, 2
_LOOKED_AT = 500

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Text(Dataset):
    """Labelled texts, one a row, of a table (CSV, TSV) or of JSON objects (a list, or one a line).

    Ground truth of what matters is a column of lists: a 0 or 1 for each token, or ``[start, stop]`` of each marked
    stretch, the stop excluded; of tokens where ``tokens_column`` is given, of characters elsewhere. A text that is
    longer than the model takes is cut by the model.

    Args:
        path: of the file, in UTF-8; see ``delimiter``.
        text_column: the column of the texts; not read where there is a ``tokens_column``.
        label_column: the column of the labels, class indices or names from ``classes``; null where there are none.
        tokens_column: a column of lists of tokens, which make a text with spaces between them.
        mask_column: the column of what people marked; null where nobody did, an empty cell where nobody did there.
        id_column: what names a text; null for the number of its row, from 0.
        delimiter: ``auto`` takes tabs for ``.tsv``, JSON for ``.json`` and ``.jsonl``, commas otherwise.
            Tab-separated cells are never quoted.
        classes: class names by index.
    """

    summary = "texts from a CSV, TSV or JSON file, with marked tokens where there are any"
    source = "the user's own file"
    modality = "text"

    path: str
    text_column: str = "sentence"
    label_column: str | None = "label"
    tokens_column: str | None = None
    mask_column: str | None = None
    id_column: str | None = None
    delimiter: Delimiter = "auto"
    classes: tuple[str, ...] = ()

    def open(self) -> Source:
        """The samples; an id is the file's name and what names the row.

        Raises:
            ResourceError, MismatchError: no such file, no rows, no such column, a label that is none, tokens or
                marks that are no lists of them.
        """
        listing, texts, masks = self._texts()
        ids = listing.ids("dataset.id_column", self.id_column)
        labels: list[int | None] = [None] * len(texts)
        if self.label_column is not None:
            labels = listing.labels("dataset.label_column", self.label_column, self.classes)

        def read(start: int, stop: int) -> Sequence[Sample]:
            return [
                Sample(f"{listing.path.stem}/{ids[row]}", texts[row], labels[row], masks[row], f"row {ids[row]}")
                for row in range(len(texts))[start:stop]
            ]

        return Source(len(texts), read, self.classes)

    def fingerprint(self) -> str:
        """Size and time of the file."""
        return stamp(self.path)

    def outline(self) -> Outline:
        """How many texts of about how many tokens (an estimate from their words)."""
        _, texts, _ = self._texts()
        return Outline(len(texts), (about_tokens(texts[:_LOOKED_AT]),), exact=False)

    def _texts(self) -> tuple[Listing, list[str], list[Spans | None]]:
        """The rows, the texts, and the characters that are marked in each."""
        listing = read_listing("dataset.path", self.path, self.delimiter)
        if self.tokens_column is None:
            texts = listing.column("dataset.text_column", self.text_column)
            pieces = [[(i, i + 1) for i in range(len(text))] for text in texts] if self.mask_column else []
        else:
            tokens = _tokens(listing, self.tokens_column)
            texts = [" ".join(each) for each in tokens]
            pieces = [_places(each) for each in tokens]
        if self.mask_column is None:
            return listing, texts, [None] * len(texts)
        masks: list[Spans | None] = []
        for row, cell in enumerate(listing.column("dataset.mask_column", self.mask_column)):
            try:
                masks.append(marked(pieces[row], json.loads(cell)) if cell.strip() else None)
            except ValueError as unfit:
                raise MismatchError("dataset.mask_column", f"{listing.at(row)}: {unfit}", got=_short(cell)) from None
        return listing, texts, masks


def about_tokens(texts: Sequence[str]) -> int:
    """About how many tokens one of these texts has, from their words."""
    words = sum(len(text.split()) for text in texts) / len(texts)
    return round(words * _PIECES) + _SPECIAL


def marked(places: Sequence[tuple[int, int]], marks: Any) -> Spans:
    """The characters that marks stand for; marks that touch, or are one space apart, become one span.

    Args:
        places: where each token begins and ends in the text.
        marks: a 0 or 1 for each token, or ``[start, stop]`` in tokens for each stretch, the stop excluded.

    Raises:
        ValueError: neither, or another number of tokens.

    >>> marked([(0, 1), (2, 6), (7, 11)], [0, 1, 1]), marked([(0, 1), (2, 6), (7, 11)], [[0, 1], [2, 3]])
    (((2, 11),), ((0, 1), (7, 11)))
    """
    count = len(places)
    if isinstance(marks, list) and all(isinstance(mark, list) for mark in marks):
        chosen: set[int] = set()
        for mark in marks:
            whole = len(mark) == 2 and all(type(end) is int for end in mark)
            if not whole or not 0 <= mark[0] < mark[1] <= count:
                raise ValueError(f"{mark} is no [start, stop] within {count} tokens")
            chosen |= set(range(*mark))
    elif isinstance(marks, list) and len(marks) == count and all(mark in (0, 1) for mark in marks):
        chosen = {i for i, mark in enumerate(marks) if mark}
    else:
        raise ValueError(f"must be a 0 or 1 for each of {count} tokens, or a list of [start, stop]")
    spans: list[tuple[int, int]] = []
    before = -2
    for i in sorted(chosen):
        if i == before + 1:
            spans[-1] = (spans[-1][0], places[i][1])
        else:
            spans.append(places[i])
        before = i
    return tuple(spans)


def _tokens(listing: Listing, name: str) -> list[list[str]]:
    """The tokens of each row."""
    found = []
    for row, cell in enumerate(listing.column("dataset.tokens_column", name)):
        try:
            tokens = json.loads(cell)
        except ValueError:
            tokens = None
        if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
            raise MismatchError(
                "dataset.tokens_column", f"{listing.at(row)}: must be a list of texts in JSON", got=_short(cell)
            )
        found.append(tokens)
    return found


def _places(tokens: Sequence[str]) -> list[tuple[int, int]]:
    """Where each token begins and ends in the text that they make with spaces between them."""
    places, start = [], 0
    for token in tokens:
        places.append((start, start + len(token)))
        start += len(token) + 1
    return places


def _short(cell: str) -> str:
    return cell if len(cell) <= 60 else f"{cell[:60]}..."
