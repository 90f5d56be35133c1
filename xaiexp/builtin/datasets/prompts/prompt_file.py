"""The dataset ``prompts``: prompts of language models from a file or a list, by a template or as chats."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from xaiexp.builtin.datasets.labels import LabelRules, Labels, read_table_labels
from xaiexp.builtin.datasets.table_file import Delimiter, TableFile, read_table_file
from xaiexp.builtin.datasets.text import annotated_spans, estimated_tokens
from xaiexp.contract.kinds import Dataset
from xaiexp.core.prompts import Message, Part, Prompt
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import MismatchError, ParameterError, UnknownName, nearest
from xaiexp.store.fingerprints import file_stamp

__all__ = ["Prompts", "template_parts"]

_WHERE = "dataset.prompts"

COMPLETED = (
    "The capital of France is",
    "The opposite of hot is",
    "Two plus two equals",
    "The first month of the year is",
    "The sun rises in the",
    "A dog is an animal, and a rose is a",
    "In winter it is cold, and in summer it is",
    "The chemical symbol of water is",
)
"""Prompts that a language model for English goes on with in one word, as a rule."""


@dataclass(frozen=True)
class Prompts(Dataset):
    r"""Prompts for language models: one per row of a table (CSV, TSV) or JSON object, or listed in the configuration.

    A template puts columns into a text. With ``template="Review: {sentence}\nSentiment:"`` the column ``sentence`` is a
    slot, which ``features=slot`` explains as one, and the text of the template belongs to no feature. A prompt without
    a continuation is continued by the model.

    Args:
        path: of a CSV, TSV, JSON or JSON Lines file; null where ``prompts`` lists them.
        prompts: the prompts themselves, where there is no file; by default eight that an English model completes.
        continuations: one for each of ``prompts``; none lets the model write them.
        template: text with columns in braces; null takes the column ``prompt_column`` as it is. Braces are doubled.
        prompt_column: column of whole prompts, where there is no template.
        messages_column: column of JSON lists of messages, ``[{"role": "user", "content": "..."}]``, in place of
            prompts.
        continuation_column: column of continuations; null for none, an empty cell for a prompt without one.
        label_column: column of labels, classes of ``target="candidates([...])"`` by name or index; null for none.
        classes: class names by index.
        mask_column: column of rationales: lists of ``[start, stop]``, characters of the prompt; null for none.
        id_column: column of unique ids; null for the row number, from 0.
        delimiter: ``auto`` takes tabs for ``.tsv``, JSON for ``.json`` and ``.jsonl``, commas otherwise.
        encoding: of the characters of a CSV or TSV file.
    """

    summary = "prompts from a file or a list, with a template, as chats or as they are"
    source = "the user's own prompts"
    modality = "text"

    path: str | None = None
    prompts: tuple[str, ...] = COMPLETED
    continuations: tuple[str, ...] = ()
    template: str | None = None
    prompt_column: str = "prompt"
    messages_column: str | None = None
    continuation_column: str | None = None
    label_column: str | None = None
    classes: tuple[str, ...] = ()
    mask_column: str | None = None
    id_column: str | None = None
    delimiter: Delimiter = "auto"
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.path is None and not self.prompts:
            raise ParameterError(f"{_WHERE}.prompts", "lists no prompt", hint="path=FILE or 'prompts=[...]'")
        if self.continuations and len(self.continuations) != len(self.prompts):
            raise ParameterError(
                f"{_WHERE}.continuations",
                f"needs one for each of the {len(self.prompts)} prompts",
                got=len(self.continuations),
            )

    def open(self) -> Source:
        """The prompts; an id consists of the file name and the row id.

        Raises:
            ResourceError, MismatchError, UnknownName: file, rows or column are missing, or a cell is invalid.
        """
        if self.path is None:
            return self._listed()
        table = self._table(self.path)
        prompts, ids = self._prompts(table), table.ids("dataset.id_column", self.id_column)
        masks = self._masks(table, prompts)
        labels = Labels((None,) * len(prompts)) if self.label_column is None else self._labels(table)

        def read(start: int, stop: int) -> Sequence[Sample]:
            return [
                Sample(f"{table.path.stem}/{ids[row]}", prompts[row], labels.values[row], masks[row], f"row {ids[row]}")
                for row in range(len(prompts))[start:stop]
            ]

        return Source(
            len(prompts),
            read,
            labels.names,
            task=labels.task,
            labels=lambda: labels.values,
            cells=lambda name: table.column("cluster", name),
        )

    def fingerprint(self) -> str:
        """Path, size and modification time of the file."""
        return "" if self.path is None else file_stamp(self.path)

    def outline(self) -> Outline:
        """Number of prompts, and an estimate of their number of tokens from their words."""
        texts = list(self.prompts)
        if self.path is not None:
            texts = [prompt.text for prompt in self._prompts(self._table(self.path))]
        return Outline(len(texts), (estimated_tokens(texts[:500]),), exact=False)

    def _listed(self) -> Source:
        given = self.continuations or (None,) * len(self.prompts)
        samples = [
            Sample(f"prompts/{i}", Prompt.of(text, continuation), name=f"prompt {i}")
            for i, (text, continuation) in enumerate(zip(self.prompts, given, strict=True))
        ]
        return Source(len(samples), lambda start, stop: samples[start:stop])

    def _table(self, path: str) -> TableFile:
        return read_table_file("dataset.path", path, self.delimiter, self.encoding)

    def _labels(self, table: TableFile) -> Labels:
        rules = LabelRules("class", ";", self.classes, only_indices=True)
        return read_table_labels(table, self.label_column, (), rules)

    def _prompts(self, table: TableFile) -> list[Prompt]:
        count = len(table)
        given: list[str | None] = [None] * count
        if self.continuation_column is not None:
            cells = table.column("dataset.continuation_column", self.continuation_column)
            given = [cell or None for cell in cells]
        if self.messages_column is not None:
            cells = table.column("dataset.messages_column", self.messages_column)
            messages = [_messages(cell, table.place(row)) for row, cell in enumerate(cells)]
            return [Prompt(each, continuation) for each, continuation in zip(messages, given, strict=True)]
        if self.template is None:
            texts = table.column("dataset.prompt_column", self.prompt_column)
            return [Prompt.of(text, continuation) for text, continuation in zip(texts, given, strict=True)]
        parts = template_parts(self.template)
        columns = {name: table.column("dataset.template", name) for _, name in parts if name}
        return [
            Prompt((Message("", _filled(parts, {n: cells[row] for n, cells in columns.items()})),), given[row])
            for row in range(count)
        ]

    def _masks(self, table: TableFile, prompts: Sequence[Prompt]) -> list[tuple[tuple[int, int], ...] | None]:
        if self.mask_column is None:
            return [None] * len(prompts)
        masks: list[tuple[tuple[int, int], ...] | None] = []
        for row, cell in enumerate(table.column("dataset.mask_column", self.mask_column)):
            units = [(i, i + 1) for i in range(len(prompts[row].text))]
            try:
                masks.append(annotated_spans(units, json.loads(cell)) if cell.strip() else None)
            except ValueError as error:
                raise MismatchError("dataset.mask_column", f"{table.place(row)}: {error}", got=cell[:60]) from None
        return masks


def template_parts(template: str) -> list[tuple[str, str]]:
    """Text and slots of a template in their order: ``(text, "")`` and ``("", slot)``.

    Raises:
        ParameterError: it has no slot, or braces that do not name one.

    >>> template_parts("Q: {question} A:")
    [('Q: ', ''), ('', 'question'), (' A:', '')]
    """
    where, hint = f"{_WHERE}.template", "as 'Review: {sentence} Sentiment:'; braces of the text are doubled"
    parts: list[tuple[str, str]] = []
    try:
        for text, name, specification, conversion in Formatter().parse(template):
            if text:
                parts.append((text, ""))
            if name is not None:
                if not name or specification or conversion:
                    raise ParameterError(where, "braces must name a column", got=template, hint=hint)
                parts.append(("", name))
    except ValueError as error:
        raise ParameterError(where, f"is no template: {error}", got=template, hint=hint) from None
    if not any(name for _, name in parts):
        raise ParameterError(where, "has no slot, so that all prompts are the same", got=template, hint=hint)
    return parts


def _filled(parts: Sequence[tuple[str, str]], cells: Mapping[str, str]) -> tuple[Part, ...]:
    return tuple(Part(cells[name], name) if name else Part(text, "") for text, name in parts)


_ROLES = ("system", "user", "assistant", "tool")


def _messages(cell: str, place: str) -> tuple[Message, ...]:
    """The messages of a JSON list."""
    where, hint = "dataset.messages_column", 'as [{"role": "user", "content": "..."}]'
    try:
        listed: Any = json.loads(cell)
    except ValueError:
        listed = None
    if not isinstance(listed, list) or not listed:
        raise MismatchError(where, f"{place}: must be a JSON list of messages", got=cell[:60], hint=hint)
    found = []
    for each in listed:
        role, content = (each.get("role"), each.get("content")) if isinstance(each, dict) else (None, None)
        if not isinstance(content, str) or not isinstance(role, str):
            raise MismatchError(where, f"{place}: a message needs role and content", got=str(each)[:60], hint=hint)
        if role not in _ROLES:
            near = nearest(role, _ROLES)
            raise UnknownName(where, f"{place}: no such role", got=role, nearest=near, hint=", ".join(_ROLES))
        found.append(Message(role, (Part(content, role),)))
    return tuple(found)
