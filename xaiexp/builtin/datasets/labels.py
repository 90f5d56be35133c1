"""Labels as they are written in files: a class, a value or a set of classes an example."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from xaiexp.builtin.datasets.table_file import TableFile
from xaiexp.builtin.datasets.written_numbers import PLAIN, Notation, notation_hint
from xaiexp.core.samples import Label
from xaiexp.core.vocabulary import Task
from xaiexp.errors import MismatchError, nearest

__all__ = ["LabelKind", "LabelRules", "Labels", "read_label_columns", "read_labels", "read_table_labels"]

LabelKind = Literal["auto", "class", "value", "set"]
"""What a column of labels contains: a class (a name or an index), a number, or any number of classes an example."""

# More distinct labels than this and than half of the examples are taken for measurements or names, not for classes.
_MOST_CLASSES = 20
_WHOLE_NUMBER = re.compile(r"([+-]?\d+)(?:\.0*)?")
_LARGEST_FLOAT32 = 3.4e38
_COMMON_SEPARATORS = (";", "|")
_TRUTH = {"0": False, "1": True, "false": False, "true": True}


@dataclass(frozen=True)
class Labels:
    """The labels of examples.

    Args:
        values: the label of each example.
        names: class names by index; empty for values.
        task: ``regression`` for values, ``multilabel`` for sets, None for classes.
    """

    values: tuple[Label, ...]
    names: tuple[str, ...] = ()
    task: Task | None = None


@dataclass(frozen=True)
class LabelRules:
    """How a column of labels is read.

    Args:
        kind: what it contains; ``auto`` decides, and refuses what could be read in two ways. JSON lists are sets.
            Numbers are values if most have a fraction and there are more than twenty of them, and classes if all are
            whole and few are distinct. Words are classes.
        separator: between the classes of a set that is not a JSON list.
        classes: class names by index. A cell contains one of these names, or a class index unless the names are
            numbers. Empty takes the distinct cells, in numerical order if all are whole numbers (``1.0`` is ``1``),
            else in alphabetical order.
        notation: of numbers.
        only_indices: whether cells must be class indices where ``classes`` is empty; they have no names then.
    """

    kind: LabelKind = "auto"
    separator: str = ";"
    classes: tuple[str, ...] = ()
    notation: Notation = PLAIN
    only_indices: bool = False


@dataclass(frozen=True)
class _Written:
    """A column of labels.

    Args:
        where: the parameter that names the labels, for messages.
        cells: without surrounding space, empty where there is no label, None where it is unknown.
        at: gives the place of an example in its file, for messages.
        rules: how the cells are read.
    """

    where: str
    cells: Sequence[str | None]
    at: Callable[[int], str]
    rules: LabelRules

    @functools.cached_property
    def distinct(self) -> list[str]:
        """The distinct cells that are not empty, in the order in which they appear."""
        return list(dict.fromkeys(cell for cell in self.cells if cell))

    def place(self, matches: Callable[[str], bool]) -> str:
        """The place of the first cell that matches."""
        return self.at(next(row for row, cell in enumerate(self.cells) if cell and matches(cell)))

    def wrong(self, cell: str, problem: str, hint: str = "") -> MismatchError:
        return MismatchError(self.where, f"{self.place(cell.__eq__)}: {problem}", got=cell, hint=hint)

    def numbers(self) -> dict[str, float | None]:
        """The number in each distinct cell, or None."""
        return {cell: self.rules.notation.number(cell) for cell in self.distinct}


def read_labels(where: str, cells: Iterable[str | None], at: Callable[[int], str], rules: LabelRules) -> Labels:
    """Labels from written ones.

    Args:
        where: the parameter that names the labels, for messages.
        cells: the label of each example. None is unknown; so is an empty cell, unless it is beside sets with a
            separator, where it is the empty set.
        at: gives the place of an example in its file, for messages.
        rules: how the cells are read.

    Raises:
        MismatchError: a cell is not a label of the given kind, or the kind cannot be told.
    """
    written = _Written(where, [None if cell is None else cell.strip() for cell in cells], at, rules)
    kind = _inferred_kind(written) if rules.kind == "auto" else rules.kind
    if kind == "value":
        return _values(written)
    if kind == "set":
        return _sets(written)
    return _classes(written)


def read_label_columns(where: str, columns: Mapping[str, Sequence[str | None]], at: Callable[[int], str]) -> Labels:
    """Sets of classes from a column a class that contains 1 (``true``) for the examples of this class, else 0.

    The labels of an example are unknown if all of its cells are empty.

    Raises:
        MismatchError: a cell is neither, or some cells of an example are empty.
    """
    names = tuple(columns)
    sets: list[Label] = []
    for row, cells in enumerate(zip(*columns.values(), strict=True)):
        if not any(cells):
            sets.append(None)
            continue
        truth = [_TRUTH.get(_normalised(cell or "").lower()) for cell in cells]
        if None in truth:
            bad = truth.index(None)
            raise MismatchError(
                where, f"{at(row)}, column {names[bad]!r}: must be 0 or 1, as for every label", got=cells[bad] or ""
            )
        sets.append(tuple(i for i, is_label in enumerate(truth) if is_label))
    return Labels(tuple(sets), names, "multilabel")


def read_table_labels(
    table: TableFile,
    column: str | None,
    columns: Sequence[str],
    rules: LabelRules,
    missing: Collection[str] = (),
) -> Labels:
    """The labels of the rows of a table.

    Args:
        table: the table.
        column: column of the labels (``label_column``), or None.
        columns: columns of 0 and 1 (``label_columns``), or empty.
        rules: how ``column`` is read.
        missing: contents of cells that denote an unknown label; that of an empty cell follows from the kind of labels.

    Raises:
        MismatchError: both are given, there is no such column, or a label is invalid.
    """

    def cells(parameter: str, name: str) -> list[str | None]:
        written = table.strings(f"dataset.{parameter}", name).to_pylist()
        stripped = (None if cell is None else cell.strip() for cell in written)
        return [None if cell and cell in missing else cell for cell in stripped]

    if not columns:
        if column is None:
            return Labels((None,) * len(table), rules.classes)
        return read_labels("dataset.label_column", cells("label_column", column), table.place, rules)
    if column is not None:
        raise MismatchError(
            "dataset.label_columns",
            "these take the place of label_column",
            got=list(columns),
            hint="dataset.label_column=null",
        )
    by_name = {name: cells("label_columns", name) for name in columns}
    return read_label_columns("dataset.label_columns", by_name, table.place)


def _inferred_kind(written: _Written) -> LabelKind:
    """The kind of labels that can be told from the cells.

    Raises:
        MismatchError: there is more than one.
    """
    rules, distinct = written.rules, written.distinct
    if distinct and all(_list(cell) is not None for cell in distinct):
        return "set"
    if rules.classes:
        index = _index(rules.classes)
        parts = [part for cell in distinct for part in _parts(cell, rules.separator)]
        is_set = any(_normalised(cell) not in index for cell in distinct) and all(part in index for part in parts)
        return "set" if is_set else "class"
    numbers = written.numbers()
    if distinct and None not in numbers.values():
        return _kind_of_numbers(written)
    notation = notation_hint(distinct, rules.notation)
    if notation:
        raise written.wrong(
            next(cell for cell, number in numbers.items() if number is None),
            "a number in another notation",
            f"{notation}; as classes: dataset.label_kind=class",
        )
    for separator in dict.fromkeys((rules.separator, *_COMMON_SEPARATORS)):
        several = [cell for cell in distinct if len(_parts(cell, separator)) > 1]
        if several and len({part for cell in distinct for part in _parts(cell, separator)}) < len(distinct):
            raise written.wrong(
                several[0],
                "one class with this name, or several classes",
                f"several: dataset.label_kind=set 'dataset.label_separator=\"{separator}\"'; "
                "one: dataset.label_kind=class",
            )
    return "class"


def _kind_of_numbers(written: _Written) -> LabelKind:
    """The kind of labels that are all numbers; see :func:`_inferred_kind`."""
    fractions = {cell for cell in written.distinct if not _WHOLE_NUMBER.fullmatch(cell)}
    labelled = sum(bool(cell) for cell in written.cells)
    if len(written.distinct) > _MOST_CLASSES and 2 * sum(cell in fractions for cell in written.cells) >= labelled:
        return "value"
    if fractions:
        raise written.wrong(
            next(cell for cell in written.distinct if cell in fractions),
            "a label must be a class name or a whole number, or nearly all must be numbers with a fraction",
            "for values (regression): dataset.label_kind=value; for classes: dataset.label_kind=class",
        )
    return "class"


def _values(written: _Written) -> Labels:
    """Labels that are numbers."""
    if written.rules.classes:
        raise MismatchError(
            "dataset.classes", "values have no classes", got=list(written.rules.classes), hint="dataset.classes=[]"
        )
    numbers = written.numbers()
    for cell, number in numbers.items():
        if number is None:
            hint = notation_hint(written.distinct, written.rules.notation)
            raise written.wrong(cell, "a label must be a number", hint)
        if not abs(number) < _LARGEST_FLOAT32:
            raise written.wrong(cell, "a label must be a finite number")
    return Labels(tuple(numbers[cell] if cell else None for cell in written.cells), (), "regression")


def _classes(written: _Written) -> Labels:
    """Labels that are one class an example."""
    names = {cell: _normalised(cell) for cell in written.distinct}
    index, ordered = _class_indices(written, {cell: [name] for cell, name in names.items()})
    labelled = sum(bool(cell) for cell in written.cells)
    is_guess = written.rules.kind == "auto" and not written.rules.classes
    if is_guess and len(ordered) > max(_MOST_CLASSES, labelled / 2):
        raise MismatchError(
            written.where,
            f"{len(ordered)} distinct labels for {labelled} examples cannot be classes",
            got=ordered[0],
            hint="for values (regression): dataset.label_kind=value; else name another column, or give "
            "dataset.classes=[FIRST,SECOND,...]",
        )
    return Labels(tuple(index[names[cell]] if cell else None for cell in written.cells), ordered)


def _sets(written: _Written) -> Labels:
    """Labels that are any number of classes an example."""
    lists = {cell: _list(cell) for cell in written.distinct}
    parts = {cell: _parts(cell, written.rules.separator) if items is None else items for cell, items in lists.items()}
    index, ordered = _class_indices(written, parts)
    sets = {cell: tuple(sorted({index[part] for part in parts[cell]})) for cell in parts}
    # A list states that it is empty. Beside lists, an empty cell is one without a list.
    nothing = () if all(items is None for items in lists.values()) else None
    values = (None if cell is None else sets[cell] if cell else nothing for cell in written.cells)
    return Labels(tuple(values), ordered, "multilabel")


def _class_indices(written: _Written, parts: Mapping[str, Sequence[str]]) -> tuple[Mapping[str, int], tuple[str, ...]]:
    """The index of each written class, and the class names.

    Args:
        written: the column.
        parts: the classes in each distinct cell.

    Raises:
        MismatchError: a class is none of the given ones, or must be an index and is not.
    """
    classes = written.rules.classes
    origins: dict[str, str] = {}  # the first cell with each class
    for cell, several in parts.items():
        for part in several:
            origins.setdefault(part, cell)
    if classes:
        index = _index(classes)
        for part, cell in origins.items():
            if part not in index:
                raise MismatchError(
                    written.where,
                    f"{written.place(cell.__eq__)}: the label is not one of the {len(classes)} classes",
                    got=part,
                    nearest=nearest(part, classes),
                    hint=f"dataset.classes: {', '.join(classes)}",
                )
        return index, classes
    if written.rules.only_indices:
        for part, cell in origins.items():
            if not (part.isascii() and part.isdigit()):
                raise MismatchError(
                    written.where,
                    f"{written.place(cell.__eq__)}: a label must be a class index (0, 1, ...)",
                    got=part,
                    hint="for class names give dataset.classes=[FIRST,SECOND,...]",
                )
        return {part: int(part) for part in origins}, ()
    names = sorted(origins)
    numbers = [PLAIN.number(name) for name in names]
    if all(number is not None and math.isfinite(number) for number in numbers):
        names.sort(key=float)
    return {name: i for i, name in enumerate(names)}, tuple(names)


def _index(classes: Sequence[str]) -> dict[str, int]:
    """Written class to index: the names, and the indices unless the names are numbers."""
    index = {_normalised(name): i for i, name in enumerate(classes)}
    if not any(_WHOLE_NUMBER.fullmatch(name) for name in index):
        index |= {str(i): i for i in range(len(classes))}
    return index


def _list(cell: str) -> list[str] | None:
    """The classes in a JSON list; None if the cell is none."""
    if not (cell.startswith("[") and cell.endswith("]")):
        return None
    try:
        items = json.loads(cell)
    except ValueError:
        return None
    return [_normalised(item if isinstance(item, str) else json.dumps(item)) for item in items]


def _parts(cell: str, separator: str) -> list[str]:
    """The classes in a cell, between separators."""
    return [part for text in cell.split(separator) if (part := _normalised(text))]


def _normalised(cell: str) -> str:
    """The cell without surrounding space; a whole number without a fraction of zeros (``1.0`` is ``1``)."""
    cell = cell.strip()
    match = _WHOLE_NUMBER.fullmatch(cell)
    return match[1] if match else cell
