"""Rows and columns of CSV, TSV and JSON files, with errors that name the file and the line."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xaiexp.errors import MismatchError, ResourceError, nearest

__all__ = ["Delimiter", "TableFile", "file_stamp", "folder_stamp", "read_table_file"]

Delimiter = Literal["auto", "comma", "tab", "semicolon"]
_CHARACTERS = {"comma": ",", "tab": "\t", "semicolon": ";"}
_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class TableFile:
    """The content of a table in a file.

    Args:
        where: the parameter that names the file (``dataset.labels``).
        path: path of the file.
        header: names of the columns.
        rows: the cells of each row, one per column.
        lines: the line of the file on which each row ends; in a JSON list, the number of the item, from 1.
        unit: unit of ``lines``, ``line`` or ``item``.
    """

    where: str
    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    unit: str = "line"

    def place(self, row: int) -> str:
        """File and line of a row, for messages."""
        return f"{self.path}, {self.unit} {self.lines[row]}"

    def column(self, where: str, name: str) -> list[str]:
        """The cells of a column.

        Raises:
            MismatchError: there is no such column, or more than one; ``where`` is the parameter that names it.
        """
        if self.header.count(name) > 1:
            raise MismatchError(where, f"{self.path} has {self.header.count(name)} columns of this name", got=name)
        if name not in self.header:
            raise MismatchError(
                where,
                f"{self.path} has no such column",
                got=name,
                nearest=nearest(name, self.header),
                hint=f"columns: {', '.join(self.header)}",
            )
        index = self.header.index(name)
        return [row[index] for row in self.rows]

    def ids(self, where: str, name: str | None) -> list[str]:
        """The cells of a column of unique names; the row numbers, from 0, if the column is None.

        Raises:
            MismatchError: there is no such column, a cell is empty, or two rows have the same name.
        """
        if name is None:
            return [str(row) for row in range(len(self.rows))]
        ids = [cell.strip() for cell in self.column(where, name)]
        first: dict[str, int] = {}
        for row, cell in enumerate(ids):
            if not cell:
                raise MismatchError(where, f"{self.place(row)}: the cell of column {name!r} is empty")
            if first.setdefault(cell, row) != row:
                raise MismatchError(
                    where,
                    f"{self.place(row)}: repeats the id of {self.unit} {self.lines[first[cell]]} in column {name!r}",
                    got=cell,
                )
        return ids

    def labels(self, where: str, name: str, classes: Sequence[str] = ()) -> list[int | None]:
        """Class indices from a column; None where the cell is empty.

        Args:
            where: the parameter that names the column, for messages.
            name: name of the column.
            classes: class names by index; a cell may contain a name in place of an index, and must if the names are
                numbers.

        Raises:
            MismatchError: a cell is neither a class index nor a class name.
        """
        labels: list[int | None] = []
        names_are_numbers = any(_is_index(name) for name in classes)
        for row, text in enumerate(cell.strip() for cell in self.column(where, name)):
            if not text:
                labels.append(None)
            elif text in classes:
                labels.append(list(classes).index(text))
            elif _is_index(text) and not names_are_numbers and (not classes or int(text) < len(classes)):
                labels.append(int(text))
            elif classes:
                raise MismatchError(
                    where,
                    f"{self.place(row)}: the label is not one of the {len(classes)} classes",
                    got=text,
                    nearest=nearest(text, classes),
                )
            else:
                raise MismatchError(
                    where,
                    f"{self.place(row)}: a label must be a class index (0, 1, ...)",
                    got=text,
                    hint="for class names give dataset.classes=[FIRST,SECOND,...]",
                )
        return labels


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit()


def file_stamp(*paths: str | Path) -> str:
    """Path, size and modification time of files, which change when a file is edited; missing files are left out."""
    stamps = []
    for path in (Path(p).expanduser() for p in paths):
        with contextlib.suppress(OSError):
            status = path.stat()
            stamps.append(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}")
    return "; ".join(stamps)


def folder_stamp(folder: str | Path) -> str:
    """The :func:`file_stamp` of all files in a folder and its subfolders; empty where there is no such folder."""
    return file_stamp(*sorted(path for path in Path(folder).expanduser().rglob("*") if path.is_file()))


def read_table_file(where: str, path: str | Path, delimiter: Delimiter = "auto") -> TableFile:
    """Read a table with a header line, or JSON objects, in UTF-8.

    Cells of a comma- or semicolon-separated file may be quoted. Those of a tab-separated file are never unquoted,
    because sentences may contain single quotation marks. ``.json`` contains a list of objects, ``.jsonl`` and
    ``.ndjson`` (and a ``.json`` that does not begin with a bracket) one object per line. The keys of the objects are
    the columns; a string is the cell itself, null or a missing key an empty cell, and any other value the cell in JSON
    (``[0, 1]``).

    Args:
        where: the parameter that names the file, for messages.
        path: path of the file.
        delimiter: ``auto`` takes tabs for ``.tsv`` and ``.tab``, JSON for the suffixes above, commas otherwise.

    Raises:
        ResourceError: the file is missing, not readable as text or has no rows; a row has too many or too few cells.
    """
    path = Path(path).expanduser()
    try:
        if delimiter == "auto" and path.suffix.lower() in _JSON_SUFFIXES:
            return _objects(where, path, path.read_text(encoding="utf-8-sig"))
        if delimiter == "auto":
            delimiter = "tab" if path.suffix.lower() in (".tsv", ".tab") else "comma"
        quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "tab" else csv.QUOTE_MINIMAL
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=_CHARACTERS[delimiter], quoting=quoting)
            lines = [(reader.line_num, tuple(cells)) for cells in reader if any(cell.strip() for cell in cells)]
    except FileNotFoundError:
        raise ResourceError(where, "no such file", got=str(path)) from None
    except (OSError, UnicodeDecodeError, csv.Error) as broken:
        raise ResourceError(where, f"{path} cannot be read as a table: {broken}") from None
    if len(lines) < 2:
        raise ResourceError(where, f"{path} has {'a header but ' if lines else ''}no rows")
    header = tuple(name.strip() for name in lines[0][1])
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise ResourceError(
                where,
                f"{path}, line {number}: {len(cells)} cells, but the header has {len(header)}",
                hint=f"read with delimiter {delimiter}; columns: {', '.join(header)}",
            )
    return TableFile(where, path, header, tuple(cells for _, cells in lines[1:]), tuple(n for n, _ in lines[1:]))


def _objects(where: str, path: Path, text: str) -> TableFile:
    """The rows of a JSON list, or of one JSON object per line."""
    is_list = text.lstrip().startswith("[")
    unit = "item" if is_list else "line"
    items: list[tuple[int, Any]] = []
    number = 0
    try:
        if is_list:
            items = list(enumerate(json.loads(text), start=1))
        else:
            for number, line in enumerate(text.splitlines(), start=1):
                if line.strip():
                    items.append((number, json.loads(line)))
    except (json.JSONDecodeError, RecursionError) as broken:
        place = str(path) if is_list else f"{path}, line {number}"
        raise ResourceError(
            where,
            f"{place} cannot be read as JSON: {broken}",
            hint="a list of objects, or one object per line",
        ) from None
    if not items:
        raise ResourceError(where, f"{path} has no rows")
    for number, item in items:
        if not isinstance(item, Mapping):
            raise ResourceError(where, f"{path}, {unit} {number}: must be an object", got=type(item).__name__)
    header = tuple(dict.fromkeys(str(key) for _, item in items for key in item))
    rows = tuple(tuple(_cell(item.get(key)) for key in header) for _, item in items)
    return TableFile(where, path, header, rows, tuple(n for n, _ in items), unit)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
