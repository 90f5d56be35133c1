"""The columns of a table: which are numbers, which are categories, and how they become numbers.

What a column is follows from all rows; what its missing values and levels are, from the rows to train on alone.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from xaiexp.builtin.datasets.listing import Listing
from xaiexp.errors import MismatchError

__all__ = ["MISSING", "Column", "Encoding", "fit_columns"]

MISSING = "missing"
# A column whose cells are numbers but for so few of them is a column of numbers with a mistake in it.
_STRAY = 0.05
_FLOAT32 = 3.4e38


@dataclass(frozen=True)
class Column:
    """One column and its encoding.

    Args:
        name: of the column.
        median: of the training part, which stands for missing numbers; unused for categories.
        levels: the categories of the training part, one element each; None for a column of numbers.
    """

    name: str
    median: float = 0.0
    levels: tuple[str, ...] | None = None

    @property
    def elements(self) -> tuple[str, ...]:
        """The names of its elements: ``age``, or ``sex=female`` and ``sex=male``."""
        return (self.name,) if self.levels is None else tuple(f"{self.name}={level}" for level in self.levels)


@dataclass(frozen=True)
class Encoding:
    """The columns in use, and what was left out.

    Args:
        columns: in the order of the file.
        notes: what was left out and why, and what else a person should know.
    """

    columns: tuple[Column, ...]
    notes: tuple[str, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The name of each element of an encoded row."""
        return tuple(element for column in self.columns for element in column.elements)

    @property
    def names(self) -> tuple[str, ...]:
        """For each element, the column that it came from."""
        return tuple(column.name for column in self.columns for _ in column.elements)

    def encode(self, listing: Listing, missing: Collection[str], rows: Sequence[int]) -> list[list[float]]:
        """The elements of some rows, ``[F]`` lists of ``[N]`` numbers: element by element.

        A level that the training part lacks is 0 in every element of its column.
        """
        found: list[list[float]] = []
        for column in self.columns:
            cells = _cells(listing, column.name, missing)
            if column.levels is None:
                found.append([column.median if cells[row] is None else float(cells[row] or 0) for row in rows])
            else:
                some = [cells[row] or MISSING for row in rows]
                found += [[float(cell == level) for cell in some] for level in column.levels]
        return found


def fit_columns(
    listing: Listing,
    train: Sequence[int],
    *,
    columns: Sequence[str],
    leave: Collection[str],
    categorical: Collection[str],
    missing: Collection[str],
    most_levels: int,
) -> Encoding:
    """Decide what the columns of a table are, and fit their encoding.

    Args:
        listing: the table.
        train: the rows that medians and levels come from.
        columns: those to use; empty for all that are numbers or categories, the others being noted.
        leave: those to leave out without a note.
        categorical: those whose values are categories, numbers or not.
        missing: cells that mean that there is no value.
        most_levels: of a column of texts that counts as categories.

    Raises:
        MismatchError: a number among texts or a text among numbers, a column that was asked for and cannot be
            used, no column left.
    """
    found, notes = [], []
    wanted = columns or [name for name in listing.header if name not in leave]
    for name in sorted(dict.fromkeys(wanted), key=listing.header.index):
        if not name:
            notes.append("left out a column without a name")
            continue
        column, note = _column(listing, name, train, name in categorical, missing, most_levels)
        if column is None and columns:
            raise MismatchError(
                "dataset.columns",
                f"{listing.path}: column {name!r} {note}",
                hint=f"take it out, or make it a category: dataset.categorical=[{name}]",
            )
        if column is not None:
            found.append(column)
            note = _unseen(listing, column, train, missing)
        elif note:
            note = f"left out column {name!r}: it {note}"
        notes += [note] if note else []
    if not found:
        raise MismatchError("dataset.columns", f"{listing.path} has no column that can be used", notes=notes)
    return Encoding(tuple(found), tuple(notes))


def _column(
    listing: Listing, name: str, train: Sequence[int], category: bool, missing: Collection[str], most_levels: int
) -> tuple[Column | None, str]:
    """The column with its encoding, or None and why it cannot be used."""
    cells = _cells(listing, name, missing)
    some = [cell for row in train if (cell := cells[row]) is not None]
    if not some:
        return None, "has no value in the training part"
    if not category and _numbers(listing, name, cells):
        return Column(name, median=statistics.median(map(float, some))), ""
    levels = set(some)
    if not category and len(levels) > most_levels:
        return None, f"holds {len(levels):,} different texts (dataset.most_levels={most_levels})"
    if len(some) < len(train):
        levels.add(MISSING)
    return Column(name, levels=tuple(sorted(levels))), ""


def _numbers(listing: Listing, name: str, cells: Sequence[str | None]) -> bool:
    """Whether a column holds numbers.

    Raises:
        MismatchError: it does but for a few cells, or a number is not finite.
    """
    strays = [row for row, cell in enumerate(cells) if cell is not None and not _is_number(cell)]
    given = sum(cell is not None for cell in cells)
    if strays and len(strays) > _STRAY * given:
        return False
    for row in strays:
        raise MismatchError(
            "dataset.columns",
            f"{listing.at(row)}, column {name!r}: not a number, as nearly all of the column are",
            got=cells[row],
            hint=f"mend it, or dataset.missing=[...], dataset.categorical=[{name}] or dataset.ignore=[{name}]",
        )
    for row, cell in enumerate(cells):
        if cell is not None and not abs(float(cell)) < _FLOAT32:
            raise MismatchError(
                "dataset.columns",
                f"{listing.at(row)}, column {name!r}: not a finite number",
                got=cell,
                hint=f"mend it, or dataset.missing=[...] or dataset.ignore=[{name}]",
            )
    return True


def _is_number(cell: str) -> bool:
    if "_" in cell:  # a number to Python alone
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _unseen(listing: Listing, column: Column, train: Sequence[int], missing: Collection[str]) -> str:
    """A note on the categories that the training part lacks; empty where it has all."""
    if column.levels is None:
        return ""
    there = set(train)
    cells = _cells(listing, column.name, missing)
    strange = Counter(cell or MISSING for row, cell in enumerate(cells) if row not in there)
    for level in column.levels:
        del strange[level]
    if not strange:
        return ""
    told = ", ".join(repr(level) for level, _ in strange.most_common(3))
    more = " ..." if len(strange) > 3 else ""
    return (
        f"column {column.name!r}: {strange.total()} rows have a value that the training part lacks ({told}{more}); "
        "all elements of the column are 0 there"
    )


def _cells(listing: Listing, name: str, missing: Collection[str]) -> list[str | None]:
    """The cells of a column, None where there is no value."""
    cells = [cell.strip() for cell in listing.column("dataset.columns", name)]
    return [None if cell in missing else cell for cell in cells]
