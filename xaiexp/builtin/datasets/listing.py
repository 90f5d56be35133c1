"""Rows of a CSV or TSV file, and the labels in them, with errors that name the file and the line."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xaiexp.errors import MismatchError, ResourceError, nearest

__all__ = ["Delimiter", "Listing", "read_listing"]

Delimiter = Literal["auto", "comma", "tab", "semicolon"]
_SIGNS = {"comma": ",", "tab": "\t", "semicolon": ";"}


@dataclass(frozen=True)
class Listing:
    """The rows of a file.

    Args:
        where: the parameter that named the file (``dataset.labels``).
        path: the file.
        header: names of the columns.
        rows: as many cells as the header has, each.
        lines: the line of the file that each row ends on.
    """

    where: str
    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def at(self, row: int) -> str:
        """Where a row stands, for messages."""
        return f"{self.path}, line {self.lines[row]}"

    def column(self, where: str, name: str) -> list[str]:
        """The cells of a column.

        Raises:
            MismatchError: there is no such column; ``where`` is the parameter that named it.
        """
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

    def labels(self, where: str, name: str, classes: Sequence[str] = ()) -> list[int | None]:
        """Class indices from a column; None where the cell is empty.

        Args:
            where: the parameter that named the column.
            name: of the column.
            classes: class names by index: a cell may hold one in place of a number.

        Raises:
            MismatchError: a cell that is neither a class index nor a class name.
        """
        found: list[int | None] = []
        for row, text in enumerate(cell.strip() for cell in self.column(where, name)):
            if not text:
                found.append(None)
            elif text in classes:
                found.append(list(classes).index(text))
            elif text.isascii() and text.isdigit() and (not classes or int(text) < len(classes)):
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


def read_listing(where: str, path: str | Path, delimiter: Delimiter = "auto") -> Listing:
    """Read a text table with a header line, UTF-8.

    A comma- or semicolon-separated file may quote its cells; a tab-separated one never does, so that a bare quote
    in a sentence stays what it is.

    Args:
        where: the parameter that named the file.
        path: of the file.
        delimiter: ``auto`` takes tabs for ``.tsv`` and ``.tab``, commas otherwise.

    Raises:
        ResourceError: no such file, not readable as text, no rows, a row with too many or too few cells.
    """
    path = Path(path).expanduser()
    if delimiter == "auto":
        delimiter = "tab" if path.suffix.lower() in (".tsv", ".tab") else "comma"
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "tab" else csv.QUOTE_MINIMAL
    try:
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
