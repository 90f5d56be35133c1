"""Rows and columns of CSV, TSV and JSON files, with errors that name the file and the line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from xaiexp.builtin.datasets.delimited_file import Delimiter, Separator, read_delimited_file
from xaiexp.errors import MismatchError, ResourceError, nearest

__all__ = ["Delimiter", "TableFile", "read_table_file"]

_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
_SUFFIXES: dict[str, Separator] = {".tsv": "tab", ".tab": "tab"}


class _Lines(Protocol):
    def __getitem__(self, row: int, /) -> int: ...


@dataclass(frozen=True)
class TableFile:
    """The content of a table in a file.

    Args:
        where: the parameter that names the file (``dataset.labels``).
        path: path of the file.
        header: names of the columns.
        columns: the cells of each column, a pyarrow ``ChunkedArray`` of strings; null where a JSON object has null or
            lacks the key.
        lines: the line of the file on which each row ends; in a JSON list, the number of the item, from 1.
        unit: unit of ``lines``, ``line`` or ``item``.
    """

    where: str
    path: Path
    header: tuple[str, ...]
    columns: Sequence[Any] = field(repr=False)
    lines: _Lines = field(repr=False)
    unit: str = "line"

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.columns[0])

    def place(self, row: int) -> str:
        """File and line of a row, for messages."""
        return f"{self.path}, {self.unit} {self.lines[row]}"

    def strings(self, where: str, name: str) -> Any:
        """The cells of a column as a pyarrow ``ChunkedArray`` of strings.

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
        return self.columns[self.header.index(name)]

    def column(self, where: str, name: str) -> list[str]:
        """The cells of a column; null is an empty cell.

        Raises:
            MismatchError: there is no such column, or more than one; ``where`` is the parameter that names it.
        """
        cells: list[str] = self.strings(where, name).fill_null("").to_pylist()
        return cells

    def ids(self, where: str, name: str | None) -> Sequence[str]:
        """The cells of a column of unique names; the row numbers, from 0, if the column is None.

        Raises:
            MismatchError: there is no such column, a cell is empty, or two rows have the same name.
        """
        if name is None:
            return [str(row) for row in range(len(self))]
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


def read_table_file(
    where: str, path: str | Path, delimiter: Delimiter = "auto", encoding: str | None = None
) -> TableFile:
    """Read a table with a header line, or JSON objects.

    Cells of a comma-, semicolon- or pipe-separated file may be quoted. Those of a tab-separated file are never
    unquoted, because sentences may contain single quotation marks. ``.json`` contains a list of objects, ``.jsonl`` and
    ``.ndjson`` (and a ``.json`` that does not begin with a bracket) one object per line. The keys of the objects are
    the columns; a string is the cell itself, null or a missing key an empty cell, and any other value the cell in JSON
    (``[0, 1]``).

    Args:
        where: the parameter that names the file, for messages.
        path: path of the file.
        delimiter: ``auto`` takes tabs for ``.tsv`` and ``.tab``, JSON for the suffixes above, commas otherwise.
        encoding: a codec of Python; None for UTF-8 where the user cannot name another.

    Raises:
        ResourceError: the file is missing, not readable as text or has no rows; a row has too many or too few cells.
        ParameterError: there is no such encoding.
    """
    path = Path(path).expanduser()
    if delimiter == "auto":
        if path.suffix.lower() in _JSON_SUFFIXES:
            return _objects(where, path)
        delimiter = _SUFFIXES.get(path.suffix.lower(), "comma")
    header, columns, lines = read_delimited_file(where, path, delimiter, encoding)
    return TableFile(where, path, header, columns, lines)


def _objects(where: str, path: Path) -> TableFile:
    """The rows of a JSON list, or of one JSON object per line."""
    import pyarrow as pa

    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ResourceError(where, "no such file", got=str(path)) from None
    except (OSError, UnicodeDecodeError) as broken:
        raise ResourceError(where, f"{path} cannot be read as a table: {broken}") from None
    is_list = text.lstrip().startswith("[")
    unit = "item" if is_list else "line"
    items: list[tuple[int, Any]] = []
    number = 0
    try:
        if is_list:
            items = list(enumerate(json.loads(text), start=1))
        else:
            for number, line in enumerate(text.split("\n"), start=1):  # U+2028 does not end a line
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
    if not header:
        raise ResourceError(where, f"{path} has no columns: its objects are empty")
    try:
        columns = [pa.chunked_array([[_cell(item.get(key)) for _, item in items]], pa.string()) for key in header]
    except UnicodeEncodeError as broken:
        raise ResourceError(where, f"{path} cannot be read as text: {broken}") from None
    return TableFile(where, path, header, columns, tuple(n for n, _ in items), unit)


def _cell(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
