"""Texts from a CSV or TSV file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xaiexp.builtin.datasets.listing import Delimiter, Listing, read_listing
from xaiexp.contract import Dataset
from xaiexp.types import Outline, Sample, Source

__all__ = ["Text"]

# Word pieces of a word in English prose, about; and the two special tokens around a text.
_PIECES, _SPECIAL = 1.3, 2
_LOOKED_AT = 500


@dataclass(frozen=True)
class Text(Dataset):
    """Labelled texts, one a row.

    Args:
        path: of a CSV or TSV file with a header line, in UTF-8.
        text_column: the column of the texts.
        label_column: the column of the labels, class indices or names from ``classes``; null where there are none.
        delimiter: ``auto`` takes tabs for ``.tsv``, commas otherwise. Tab-separated cells are never quoted.
        classes: class names by index.
    """

    summary = "texts from a CSV or TSV file"
    source = "the user's own file"
    modality = "text"

    path: str
    text_column: str = "sentence"
    label_column: str | None = "label"
    delimiter: Delimiter = "auto"
    classes: tuple[str, ...] = ()

    def open(self) -> Source:
        """The samples; an id is the file's name and the number of the row, from 0.

        Raises:
            ResourceError, MismatchError: no such file, no rows, no such column, a label that is none.
        """
        listing, texts = self._texts()
        labels: list[int | None] = [None] * len(texts)
        if self.label_column is not None:
            labels = listing.labels("dataset.label_column", self.label_column, self.classes)

        def read(start: int, stop: int) -> Sequence[Sample]:
            return [
                Sample(f"{listing.path.stem}/{row}", texts[row], labels[row], name=f"row {row}")
                for row in range(len(texts))[start:stop]
            ]

        return Source(len(texts), read, self.classes)

    def outline(self) -> Outline:
        """How many texts of about how many tokens (an estimate from their words)."""
        _, texts = self._texts()
        some = texts[:_LOOKED_AT]
        words = sum(len(text.split()) for text in some) / len(some)
        return Outline(len(texts), (round(words * _PIECES) + _SPECIAL,), exact=False)

    def _texts(self) -> tuple[Listing, list[str]]:
        listing = read_listing("dataset.path", self.path, self.delimiter)
        return listing, listing.column("dataset.text_column", self.text_column)
