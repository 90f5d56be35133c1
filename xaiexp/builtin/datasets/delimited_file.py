"""Columns of a delimited text file (CSV, TSV), read in blocks by pyarrow; what it cannot read is told with its line."""

from __future__ import annotations

import codecs
import csv
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xaiexp.errors import ParameterError, ResourceError

__all__ = ["Delimiter", "Separator", "read_delimited_file"]

Separator = Literal["comma", "tab", "semicolon", "pipe"]
Delimiter = Literal["auto", "comma", "tab", "semicolon", "pipe"]
_CHARACTERS: dict[Separator, str] = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"}

# A row must fit into a block. Larger blocks are not faster, and take more memory.
_BLOCK_BYTES = 1 << 20
_BYTE_ORDER_MARKS = {
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}


@dataclass(frozen=True)
class _Delimited:
    """A file and how it is read.

    Args:
        where: the parameter that names the file, for messages.
        path: path of the file.
        separator: between the cells; cells of a tab-separated file are never unquoted.
        encoding: a codec of Python.
        selectable: whether the user can name the encoding (``dataset.encoding``), for messages.
    """

    where: str
    path: Path
    separator: Separator
    encoding: str
    selectable: bool

    @property
    def quotes(self) -> bool:
        return self.separator != "tab"

    def rows(self, ending: Iterable[str] = ()) -> Iterator[tuple[int, list[str]]]:
        """The rows that are not blank, with the line on which each ends, by Python's slow parser."""
        with self.path.open(encoding=self.encoding, newline="") as file:
            for line, cells in self.parsed(itertools.chain(file, ending)):
                if any(cell.strip() for cell in cells):
                    yield line, cells

    def parsed(self, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
        """The rows of the lines, with the line on which each ends."""
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE
        reader = csv.reader(lines, delimiter=_CHARACTERS[self.separator], quoting=quoting)
        for cells in reader:
            yield reader.line_num, cells

    def is_blank(self, text: str) -> bool:
        """Whether all cells of a row, given as its text, are empty."""
        return not any(cell.strip() for _, cells in self.parsed([text]) for cell in cells)

    def unreadable(self, problem: str, hint: str = "") -> ResourceError:
        return ResourceError(self.where, f"{self.path}{problem}", hint=hint)

    def encoding_hint(self, example: str) -> str:
        return f"save it in UTF-8, or dataset.encoding={example}" if self.selectable else "save it in UTF-8"

    def separator_hint(self, header: tuple[str, ...]) -> str:
        """How the file was read, and a separator that its header suggests."""
        for name, character in _CHARACTERS.items():
            if len(header) == 1 and name != self.separator and character in header[0]:
                return f"the header has the separator {character!r}: dataset.delimiter={name}"
        return f"read with delimiter {self.separator}; columns: {', '.join(header)}"


def read_delimited_file(
    where: str, path: Path, separator: Separator, encoding: str | None = None
) -> tuple[tuple[str, ...], list[Any], _Lines]:
    """The columns of a file with a header line. Blank lines, and rows whose cells are all empty, are passed over.

    Args:
        where: the parameter that names the file, for messages.
        path: path of the file.
        separator: between the cells.
        encoding: a codec of Python; None for UTF-8 where the user cannot name another.

    Returns:
        The names of the columns, a pyarrow ``ChunkedArray`` of strings for each, and what finds the line of a row.

    Raises:
        ResourceError: the file is missing, not text in this encoding, has no rows, or has a row with too many or too
            few cells.
        ParameterError: there is no such encoding.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        codecs.lookup(encoding or "utf-8")
    except LookupError:
        raise ParameterError(
            "dataset.encoding", "no encoding has this name", got=encoding, hint="such as utf-8, cp1252 or utf-16"
        ) from None
    file = _Delimited(where, path, separator, encoding or "utf-8-sig", encoding is not None)
    if codecs.lookup(file.encoding).name == "utf-8":
        file = _Delimited(where, path, separator, "utf-8-sig", file.selectable)
    try:
        _check_bytes(file)
        header_end, cells = next(file.rows(), (0, []))
        header = tuple(cell.strip() for cell in cells)
        if not header:
            raise file.unreadable(" has no rows")
        names = [str(i) for i in range(len(header))]
        reader = arrow_csv.open_csv(
            path,
            read_options=arrow_csv.ReadOptions(
                use_threads=False,
                block_size=_BLOCK_BYTES,
                skip_rows=header_end,
                column_names=names,
                encoding="utf8" if file.encoding == "utf-8-sig" else file.encoding,
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=_CHARACTERS[separator],
                quote_char='"' if file.quotes else False,
                newlines_in_values=file.quotes,
                invalid_row_handler=lambda row: "skip" if file.is_blank(row.text) else "error",
            ),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
        batches = [_without_blank_rows(batch) for batch in reader]
    except FileNotFoundError:
        raise ResourceError(where, "no such file", got=str(path)) from None
    except (OSError, UnicodeError, csv.Error, pa.ArrowInvalid, pa.ArrowKeyError) as broken:
        raise _fault(file, broken) from None
    if not any(batch.num_rows for batch in batches):
        raise file.unreadable(" has a header but no rows", file.separator_hint(header) if len(header) == 1 else "")
    table = pa.Table.from_batches(batches)
    _check_last_quote(file, table)
    return header, table.columns, _Lines(file)


@dataclass(frozen=True)
class _Lines:
    """Finds the line on which a row ends, for messages: the file is read again up to there."""

    file: _Delimited

    def __getitem__(self, row: int) -> int:
        return next(itertools.islice(self.file.rows(), row + 1, None))[0]


def _check_bytes(file: _Delimited) -> None:
    """Raise ResourceError where the bytes of a file show that it is in another encoding, or damaged."""
    if file.encoding.replace("_", "-").lower().startswith(("utf-16", "utf-32")):
        return
    lines = 1
    with file.path.open("rb") as opened:
        start = opened.read(4)
        for encoding, marks in _BYTE_ORDER_MARKS.items():
            if start.startswith(marks):
                raise file.unreadable(f" is in {encoding.upper()}", file.encoding_hint(encoding))
        opened.seek(0)
        while block := opened.read(_BLOCK_BYTES):
            place = block.find(b"\0")
            if place >= 0:
                lines += block.count(b"\n", 0, place)
                raise file.unreadable(
                    f", line {lines}: contains a NUL byte, so it is damaged or not in UTF-8",
                    file.encoding_hint("utf-16"),
                )
            lines += block.count(b"\n")


def _without_blank_rows(batch: Any) -> Any:
    """The rows that have a cell with more than white space."""
    import pyarrow.compute as pc

    blank = None
    for column in batch.columns:
        empty = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(column)), 0)
        blank = empty if blank is None else pc.and_(blank, empty)
        if not pc.any(blank).as_py():
            return batch
    return batch.filter(pc.invert(blank))


def _check_last_quote(file: _Delimited, table: Any) -> None:
    """Raise ResourceError if a quotation mark that is never closed has turned all lines after it into one cell."""
    last = [column[-1].as_py() for column in table.columns]
    if not file.quotes or not any("\n" in cell or "\r" in cell for cell in last):
        return
    end = "end"  # becomes a row of its own, unless it is within quotation marks
    before = line = 0
    for number, cells in file.rows(ending=("\n", end)):
        if cells == [end]:
            return
        line, before = number, line
    with file.path.open(encoding=file.encoding, newline="") as lines:
        start = next(number for number, text in enumerate(lines, start=1) if number > before and text.strip())
    raise file.unreadable(
        f", line {start}: a quotation mark is not closed before the end of the file",
        "close it, or write it twice within a quoted cell",
    )


def _fault(file: _Delimited, broken: Exception) -> ResourceError:
    """What is wrong with a file, with its line, found by the slow parser."""
    header: tuple[str, ...] = ()
    try:
        for line, cells in file.rows():
            if not header:
                header = tuple(cell.strip() for cell in cells)
            elif len(cells) != len(header):
                return file.unreadable(
                    f", line {line}: {len(cells)} cells, but the header has {len(header)}", file.separator_hint(header)
                )
    except UnicodeError as undecodable:
        number = _undecodable_line(file)
        return file.unreadable(
            f", line {number}: is not text in {file.encoding.removesuffix('-sig').upper()} ({undecodable.args[-1]})",
            file.encoding_hint("cp1252"),
        )
    except (OSError, csv.Error) as error:
        broken = error
    reason = str(broken).splitlines()[0][:200]
    return file.unreadable(f" cannot be read as a table: {reason}", f"read with delimiter {file.separator}")


def _undecodable_line(file: _Delimited) -> int:
    """The first line of a file that cannot be decoded."""
    decoder = codecs.getincrementaldecoder(file.encoding)()
    lines = 0
    with file.path.open("rb") as opened:
        for line in opened:
            lines += 1
            try:
                decoder.decode(line)
            except UnicodeError:
                break
    return lines
