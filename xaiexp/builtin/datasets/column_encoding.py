"""Encoding of the columns of a table: numbers as they are, categories one-hot.

The kind of a column is inferred from all rows; medians and levels are fitted on the training part only.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from xaiexp.builtin.datasets.table_file import TableFile
from xaiexp.errors import MismatchError

__all__ = ["MISSING", "Column", "Encoding", "fit_columns"]

MISSING = "missing"
# A column with at most this share of cells that are not numbers is taken for numeric, and these cells for mistakes.
_MOST_MISTAKES = 0.05
_LARGEST_FLOAT32 = 3.4e38


@dataclass(frozen=True)
class Column:
    """One column and its encoding.

    Args:
        name: name of the column.
        median: median of the training part, which replaces missing numbers; unused for categories.
        levels: the categories of the training part, one element each; None for a column of numbers.
    """

    name: str
    median: float = 0.0
    levels: tuple[str, ...] | None = None

    @property
    def elements(self) -> tuple[str, ...]:
        """The names of the column's elements: ``age``, or ``sex=female`` and ``sex=male``."""
        return (self.name,) if self.levels is None else tuple(f"{self.name}={level}" for level in self.levels)


@dataclass(frozen=True)
class Encoding:
    """The columns in use, and notes on those left out.

    Args:
        columns: in the order of the file.
        notes: messages on columns that were left out and on unknown categories.
    """

    columns: tuple[Column, ...]
    notes: tuple[str, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The name of each element of an encoded row."""
        return tuple(element for column in self.columns for element in column.elements)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The column of each element of an encoded row."""
        return tuple(column.name for column in self.columns for _ in column.elements)

    def encode(self, table: TableFile, missing: Collection[str], rows: Sequence[int]) -> list[list[float]]:
        """Encode rows as ``F`` lists of ``N`` numbers, one list per element.

        A category that does not occur in the training part is 0 in every element of its column.
        """
        elements: list[list[float]] = []
        for column in self.columns:
            cells = _cells(table, column.name, missing)
            if column.levels is None:
                elements.append([column.median if cells[row] is None else float(cells[row] or 0) for row in rows])
            else:
                categories = [cells[row] or MISSING for row in rows]
                elements += [[float(category == level) for category in categories] for level in column.levels]
        return elements


def fit_columns(
    table: TableFile,
    train: Sequence[int],
    *,
    columns: Sequence[str],
    exclude: Collection[str],
    categorical: Collection[str],
    missing: Collection[str],
    most_levels: int,
) -> Encoding:
    """Infer the kinds of the columns of a table, and fit their encoding.

    Args:
        table: the table.
        train: numbers of the rows on which medians and levels are fitted.
        columns: columns to use; empty for all columns of numbers or categories, with a note on each of the others.
        exclude: columns to leave out without a note.
        categorical: columns to be treated as categories even if they are numeric.
        missing: cell contents that denote a missing value.
        most_levels: maximum number of distinct texts of a categorical column.

    Raises:
        MismatchError: a numeric column has cells that are not finite numbers, a column in ``columns`` cannot be used,
            or no column is left.
    """
    encoded, notes = [], []
    requested = columns or [name for name in table.header if name not in exclude]
    for name in sorted(dict.fromkeys(requested), key=table.header.index):
        if not name:
            notes.append("left out a column without a name")
            continue
        column, note = _fitted_column(table, name, train, name in categorical, missing, most_levels)
        if column is None and columns:
            raise MismatchError(
                "dataset.columns",
                f"{table.path}: column {name!r} {note}",
                hint=f"remove it, or declare it a category: dataset.categorical=[{name}]",
            )
        if column is not None:
            encoded.append(column)
            note = _note_on_unknown_categories(table, column, train, missing)
        elif note:
            note = f"left out column {name!r}: it {note}"
        notes += [note] if note else []
    if not encoded:
        raise MismatchError("dataset.columns", f"{table.path} has no column that can be used", notes=notes)
    return Encoding(tuple(encoded), tuple(notes))


def _fitted_column(
    table: TableFile, name: str, train: Sequence[int], category: bool, missing: Collection[str], most_levels: int
) -> tuple[Column | None, str]:
    """The column with its encoding, or None and the reason why it cannot be used."""
    cells = _cells(table, name, missing)
    values = [cell for row in train if (cell := cells[row]) is not None]
    if not values:
        return None, "has no value in the training part"
    if not category and _is_numeric(table, name, cells):
        return Column(name, median=statistics.median(map(float, values))), ""
    levels = set(values)
    if not category and len(levels) > most_levels:
        return None, f"has {len(levels):,} distinct texts (dataset.most_levels={most_levels})"
    if len(values) < len(train):
        levels.add(MISSING)
    return Column(name, levels=tuple(sorted(levels))), ""


def _is_numeric(table: TableFile, name: str, cells: Sequence[str | None]) -> bool:
    """Whether a column contains numbers.

    Raises:
        MismatchError: all but a few cells are numbers, or a number is not finite.
    """
    mistakes = [row for row, cell in enumerate(cells) if cell is not None and not _is_number(cell)]
    present = sum(cell is not None for cell in cells)
    if mistakes and len(mistakes) > _MOST_MISTAKES * present:
        return False
    for row in mistakes:
        raise MismatchError(
            "dataset.columns",
            f"{table.place(row)}, column {name!r}: not a number, unlike nearly all cells of the column",
            got=cells[row],
            hint=f"correct it, or dataset.missing=[...], dataset.categorical=[{name}] or dataset.ignore=[{name}]",
        )
    for row, cell in enumerate(cells):
        if cell is not None and not abs(float(cell)) < _LARGEST_FLOAT32:
            raise MismatchError(
                "dataset.columns",
                f"{table.place(row)}, column {name!r}: not a finite number",
                got=cell,
                hint=f"correct it, or dataset.missing=[...] or dataset.ignore=[{name}]",
            )
    return True


def _is_number(cell: str) -> bool:
    if "_" in cell:  # a number in Python syntax only
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _note_on_unknown_categories(
    table: TableFile, column: Column, train: Sequence[int], missing: Collection[str]
) -> str:
    """A note on categories that do not occur in the training part; empty if all occur."""
    if column.levels is None:
        return ""
    in_training_part = set(train)
    cells = _cells(table, column.name, missing)
    unknown = Counter(cell or MISSING for row, cell in enumerate(cells) if row not in in_training_part)
    for level in column.levels:
        del unknown[level]
    if not unknown:
        return ""
    examples = ", ".join(repr(level) for level, _ in unknown.most_common(3))
    more = " ..." if len(unknown) > 3 else ""
    return (
        f"column {column.name!r}: {unknown.total()} rows have a value that does not occur in the training part "
        f"({examples}{more}); all elements of the column are 0 in these rows"
    )


def _cells(table: TableFile, name: str, missing: Collection[str]) -> list[str | None]:
    """The cells of a column, None for missing values."""
    cells = [cell.strip() for cell in table.column("dataset.columns", name)]
    return [None if cell in missing else cell for cell in cells]
