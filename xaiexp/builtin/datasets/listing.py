"""Rows of a CSV, TSV or JSON file, and the labels in them, with errors that name the file and the line."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xaiexp.errors import MismatchError, ResourceError, nearest

__all__ = ["Delimiter", "Listing", "read_listing", "stamp"]

Delimiter = Literal["auto", "comma", "tab", "semicolon"]
_SIGNS = {"comma": ",", "tab": "\t", "semicolon": ";"}
_JSON = (".json", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class Listing:
    """The rows of a file.

    Args:
        where: the parameter that named the file (``dataset.labels``).
        path: the file.
        header: names of the columns.
        rows: as many cells as the header has, each.
        lines: the line of the file that each row ends on; in a JSON list, the number of the item, from 1.
        unit: what ``lines`` counts, ``line`` or ``item``.
    """

    where: str
    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    unit: str = "line"

    def at(self, row: int) -> str:
        """Where a row stands, for messages."""
        return f"{self.path}, {self.unit} {self.lines[row]}"

    def column(self, where: str, name: str) -> list[str]:
        """The cells of a column.

        Raises:
            MismatchError: there is no such column, or there are two; ``where`` is the parameter that named it.
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
        """The cells of a column that names each row once; the numbers of the rows, from 0, where it is None.

        Raises:
            MismatchError: no such column, an empty cell, or two rows of one name.
        """
        if name is None:
            return [str(row) for row in range(len(self.rows))]
        found = [cell.strip() for cell in self.column(where, name)]
        first: dict[str, int] = {}
        for row, cell in enumerate(found):
            if not cell:
                raise MismatchError(where, f"{self.at(row)}: the cell of column {name!r} is empty")
            if first.setdefault(cell, row) != row:
                raise MismatchError(
                    where,
                    f"{self.at(row)}: stands before in column {name!r}, on {self.unit} {self.lines[first[cell]]}",
                    got=cell,
                )
        return found

    def labels(self, where: str, name: str, classes: Sequence[str] = ()) -> list[int | None]:
        """Class indices from a column; None where the cell is empty.

        Args:
            where: the parameter that named the column.
            name: of the column.
            classes: class names by index: a cell may hold one in place of a number; it must, where the names
                are numbers themselves.

        Raises:
            MismatchError: a cell that is neither a class index nor a class name.
        """
        found: list[int | None] = []
        numbered = any(_index(each) for each in classes)
        for row, text in enumerate(cell.strip() for cell in self.column(where, name)):
            if not text:
                found.append(None)
            elif text in classes:
                found.append(list(classes).index(text))
            elif _index(text) and not numbered and (not classes or int(text) < len(classes)):
                found.append(int(text))
            elif classes:
                raise MismatchError(
                    where,
                    f"{self.at(row)}: the label is none of the {len(classes)} classes",
                    got=text,
                    nearest=nearest(text, classes),
                )
            else:
                raise MismatchError(
                    where,
                    f"{self.at(row)}: a label must be a class index (0, 1, ...)",
                    got=text,
                    hint="for names of classes give dataset.classes=[FIRST,SECOND,...]",
                )
        return found


def _index(text: str) -> bool:
    return text.isascii() and text.isdigit()


def stamp(*paths: str | Path) -> str:
    """Size and time of files as they stand, which tell that one was edited; nothing for one that is missing."""
    told = []
    for path in (Path(p).expanduser() for p in paths):
        with contextlib.suppress(OSError):
            found = path.stat()
            told.append(f"{path.resolve()} {found.st_size} {found.st_mtime_ns}")
    return "; ".join(told)


def read_listing(where: str, path: str | Path, delimiter: Delimiter = "auto") -> Listing:
    """Read a text table with a header line, or JSON objects, UTF-8.

    A comma- or semicolon-separated file may quote its cells; a tab-separated one never does, so that a bare quote
    in a sentence stays what it is. ``.json`` holds a list of objects, ``.jsonl`` and ``.ndjson`` (and a ``.json``
    that does not begin with a bracket) one object a line; their keys are the columns, a text is the cell itself,
    null or a missing key an empty cell, and any other value the cell in JSON (``[0, 1]``).

    Args:
        where: the parameter that named the file.
        path: of the file.
        delimiter: ``auto`` takes tabs for ``.tsv`` and ``.tab``, JSON for the names above, commas otherwise.

    Raises:
        ResourceError: no such file, not readable as text, no rows, a row with too many or too few cells.
    """
    path = Path(path).expanduser()
    try:
        if delimiter == "auto" and path.suffix.lower() in _JSON:
            return _objects(where, path, path.read_text(encoding="utf-8-sig"))
        if delimiter == "auto":
            delimiter = "tab" if path.suffix.lower() in (".tsv", ".tab") else "comma"
        quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "tab" else csv.QUOTE_MINIMAL
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=_SIGNS[delimiter], quoting=quoting)
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
                f"{path}, line {number}: {len(cells)} cells where the header has {len(header)}",
                hint=f"read with delimiter {delimiter}; columns: {', '.join(header)}",
            )
    return Listing(where, path, header, tuple(cells for _, cells in lines[1:]), tuple(n for n, _ in lines[1:]))


def _objects(where: str, path: Path, text: str) -> Listing:
    """The rows of a JSON list, or of one JSON object a line."""
    listed = text.lstrip().startswith("[")
    unit = "item" if listed else "line"
    found: list[tuple[int, Any]] = []
    number = 0
    try:
        if listed:
            found = list(enumerate(json.loads(text), start=1))
        else:
            for number, line in enumerate(text.splitlines(), start=1):
                if line.strip():
                    found.append((number, json.loads(line)))
    except (json.JSONDecodeError, RecursionError) as broken:
        place = str(path) if listed else f"{path}, line {number}"
        raise ResourceError(
            where,
            f"{place} cannot be read as JSON: {broken}",
            hint="a list of objects, or one object a line",
        ) from None
    if not found:
        raise ResourceError(where, f"{path} has no rows")
    for number, each in found:
        if not isinstance(each, Mapping):
            raise ResourceError(where, f"{path}, {unit} {number}: {type(each).__name__} where an object should be")
    header = tuple(dict.fromkeys(str(key) for _, each in found for key in each))
    rows = tuple(tuple(_cell(each.get(key)) for key in header) for _, each in found)
    return Listing(where, path, header, rows, tuple(n for n, _ in found), unit)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
