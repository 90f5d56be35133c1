"""The dataset ``text``: texts from a CSV, TSV or JSON file, with annotated rationales if there are any."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xaiexp.builtin.datasets.labels import LabelKind, LabelRules, read_table_labels
from xaiexp.builtin.datasets.table_file import Delimiter, TableFile, read_table_file
from xaiexp.contract.kinds import Dataset
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import MismatchError
from xaiexp.store.fingerprints import file_stamp

__all__ = ["Text", "annotated_spans", "estimated_tokens"]

# Approximate number of tokens per word of English prose, and the two special tokens around a text.
_TOKENS_PER_WORD, _SPECIAL_TOKENS = 1.3, 2
_TEXTS_TO_ESTIMATE_TOKENS = 500

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Text(Dataset):
    """Labelled texts, one per row of a table (CSV, TSV) or per JSON object (in a list, or one per line).

    Ground truth (an annotated rationale) is a column of lists: a 0 or 1 for each unit, or ``[start, stop]`` for each
    annotated range of units, the stop excluded. Units are tokens if ``tokens_column`` is given, else characters. A text
    longer than the model's maximum is truncated by the model.

    Args:
        path: path of the file; see ``delimiter``.
        text_column: column of the texts; ignored if there is a ``tokens_column``.
        label_column: column of the labels: class indices or names from ``classes``, or as ``label_kind`` says; null if
            there is none.
        tokens_column: column of lists of tokens, which are joined with spaces.
        mask_column: column of annotated rationales; null if there is none, an empty cell for a text without one.
        id_column: column of unique text ids; null for the row number, from 0.
        delimiter: ``auto`` takes tabs for ``.tsv``, JSON for ``.json`` and ``.jsonl``, commas otherwise.
            Tab-separated cells are never unquoted.
        classes: class names by index.
        label_kind: what the labels are: one ``class`` a text, a ``value`` (a score), or a ``set`` of any number of
            classes. ``auto`` takes numbers for values if most of them have a fraction and more than twenty are
            distinct, and JSON lists for sets; what could be read in two ways is refused.
        label_separator: between the classes of a set that is not a JSON list; an empty cell is then a text of no class.
        label_columns: columns of 0 and 1, one a class, in place of ``label_column`` (null): a set of classes.
        encoding: of the characters of a CSV or TSV file, a name of Python's (``utf-8``, ``cp1252``, ``utf-16``).
    """

    summary = "texts from a CSV, TSV or JSON file, with annotated tokens if there are any"
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
    label_kind: LabelKind = "auto"
    label_separator: str = ";"
    label_columns: tuple[str, ...] = ()
    encoding: str = "utf-8"

    def open(self) -> Source:
        """The samples; an id consists of the file name and the row id.

        Raises:
            ResourceError, MismatchError: file, rows or column are missing, or a label, token list or annotation is
                invalid.
        """
        table, texts, masks = self._texts()
        ids = table.ids("dataset.id_column", self.id_column)
        rules = LabelRules(self.label_kind, self.label_separator, self.classes, only_indices=True)
        labels = read_table_labels(table, self.label_column, self.label_columns, rules)

        def read(start: int, stop: int) -> Sequence[Sample]:
            return [
                Sample(f"{table.path.stem}/{ids[row]}", texts[row], labels.values[row], masks[row], f"row {ids[row]}")
                for row in range(len(texts))[start:stop]
            ]

        return Source(
            len(texts),
            read,
            labels.names,
            task=labels.task,
            labels=lambda: labels.values,
            cells=lambda name: table.column("cluster", name),
        )

    def fingerprint(self) -> str:
        """Path, size and modification time of the file."""
        return file_stamp(self.path)

    def outline(self) -> Outline:
        """Number of texts, and an estimate of their number of tokens from their words."""
        _, texts, _ = self._texts()
        return Outline(len(texts), (estimated_tokens(texts[:_TEXTS_TO_ESTIMATE_TOKENS]),), exact=False)

    def _texts(self) -> tuple[TableFile, list[str], list[Spans | None]]:
        """The table, the texts, and the annotated spans of characters of each text."""
        table = read_table_file("dataset.path", self.path, self.delimiter, self.encoding)
        if self.tokens_column is None:
            texts = table.column("dataset.text_column", self.text_column)
            units = [[(i, i + 1) for i in range(len(text))] for text in texts] if self.mask_column else []
        else:
            tokens = _tokens(table, self.tokens_column)
            texts = [" ".join(words) for words in tokens]
            units = [_token_spans(words) for words in tokens]
        if self.mask_column is None:
            return table, texts, [None] * len(texts)
        masks: list[Spans | None] = []
        for row, cell in enumerate(table.column("dataset.mask_column", self.mask_column)):
            try:
                masks.append(annotated_spans(units[row], json.loads(cell)) if cell.strip() else None)
            except ValueError as error:
                raise MismatchError(
                    "dataset.mask_column", f"{table.place(row)}: {error}", got=_shortened(cell)
                ) from None
        return table, texts, masks


def estimated_tokens(texts: Sequence[str]) -> int:
    """Estimate of the mean number of tokens of the texts, from their words."""
    words = sum(len(text.split()) for text in texts) / len(texts)
    return round(words * _TOKENS_PER_WORD) + _SPECIAL_TOKENS


def annotated_spans(token_spans: Sequence[tuple[int, int]], annotation: Any) -> Spans:
    """Spans of characters of an annotation; spans of consecutive tokens are merged.

    Args:
        token_spans: start and stop of each token in the text, in characters.
        annotation: a 0 or 1 for each token, or ``[start, stop]`` in tokens for each annotated range, stop excluded.

    Raises:
        ValueError: the annotation has neither form, or does not fit the number of tokens.

    >>> annotated_spans([(0, 1), (2, 6), (7, 11)], [0, 1, 1])
    ((2, 11),)
    >>> annotated_spans([(0, 1), (2, 6), (7, 11)], [[0, 1], [2, 3]])
    ((0, 1), (7, 11))
    """
    count = len(token_spans)
    if isinstance(annotation, list) and all(isinstance(item, list) for item in annotation):
        chosen: set[int] = set()
        for item in annotation:
            is_range = len(item) == 2 and all(type(end) is int for end in item)
            if not is_range or not 0 <= item[0] < item[1] <= count:
                raise ValueError(f"{item} is not a [start, stop] within {count} tokens")
            chosen |= set(range(*item))
    elif isinstance(annotation, list) and len(annotation) == count and all(item in (0, 1) for item in annotation):
        chosen = {i for i, item in enumerate(annotation) if item}
    else:
        raise ValueError(f"must be a 0 or 1 for each of {count} tokens, or a list of [start, stop]")
    spans: list[tuple[int, int]] = []
    previous = -2
    for i in sorted(chosen):
        if i == previous + 1:
            spans[-1] = (spans[-1][0], token_spans[i][1])
        else:
            spans.append(token_spans[i])
        previous = i
    return tuple(spans)


def _tokens(table: TableFile, name: str) -> list[list[str]]:
    """The tokens of each row."""
    rows = []
    for row, cell in enumerate(table.column("dataset.tokens_column", name)):
        try:
            tokens = json.loads(cell)
        except ValueError:
            tokens = None
        if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
            raise MismatchError(
                "dataset.tokens_column", f"{table.place(row)}: must be a JSON list of strings", got=_shortened(cell)
            )
        rows.append(tokens)
    return rows


def _token_spans(tokens: Sequence[str]) -> list[tuple[int, int]]:
    """Start and stop of each token in the text of all tokens joined with spaces."""
    spans, start = [], 0
    for token in tokens:
        spans.append((start, start + len(token)))
        start += len(token) + 1
    return spans


def _shortened(cell: str) -> str:
    return cell if len(cell) <= 60 else f"{cell[:60]}..."
