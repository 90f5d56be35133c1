"""Encoding of the columns of a table: numbers as they are, categories one-hot.

The kind of a column is inferred from all rows; medians and levels are fitted on the training part only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xaiexp.builtin.datasets.table_file import TableFile
from xaiexp.builtin.datasets.written_numbers import PLAIN, Notation, notation_hint, parsed_numbers
from xaiexp.errors import MismatchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MISSING", "Column", "Encoding", "fit_columns", "present_cells"]

MISSING = "missing"
# A column with at most this share of cells that are not numbers is taken for numeric, and these cells for mistakes.
_MOST_MISTAKES = 0.05
_LARGEST_FLOAT32 = 3.4e38


@dataclass(frozen=True)
class Column:
    """One column and its encoding.

    Args:
        name: name of the column.
        cells: of every row, the number (float32), missing ones replaced by the median of the training part; or the
            index of its level (int32), -1 for one that does not occur in the training part.
        levels: the categories of the training part, one element each; None for a column of numbers.
    """

    name: str
    cells: NDArray[Any]
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

    def encode(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Encode the rows of these numbers, float32 ``[len(rows), F]``.

        A category that does not occur in the training part is 0 in every element of its column.
        """
        import numpy as np

        encoded = np.zeros((len(rows), len(self.column_names)), dtype=np.float32)
        first = 0
        for column in self.columns:
            cells = column.cells[rows]
            if column.levels is None:
                encoded[:, first] = cells
            else:
                known = np.flatnonzero(cells >= 0)
                encoded[known, first + cells[known]] = 1
            first += len(column.elements)
        return encoded


@dataclass(frozen=True)
class _Rules:
    """How the columns of a table are read; see :func:`fit_columns`."""

    table: TableFile
    train: NDArray[np.int64]
    categorical: Collection[str]
    missing: Collection[str]
    most_levels: int
    notation: Notation


def fit_columns(
    table: TableFile,
    train: NDArray[np.int64],
    *,
    columns: Sequence[str],
    exclude: Collection[str],
    categorical: Collection[str],
    missing: Collection[str],
    most_levels: int,
    notation: Notation = PLAIN,
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
        notation: of the numbers.

    Raises:
        MismatchError: a numeric column has cells that are not finite numbers, or are written in another notation, a
            column in ``columns`` cannot be used, or no column is left.
    """
    rules = _Rules(table, train, categorical, missing, most_levels, notation)
    encoded, notes = [], []
    requested = columns or [name for name in table.header if name not in exclude]
    for name in sorted(dict.fromkeys(requested), key=table.header.index):
        if not name:
            notes.append("left out a column without a name")
            continue
        column, note = _fitted_column(rules, name)
        if column is None and columns:
            raise MismatchError(
                "dataset.columns",
                f"{table.path}: column {name!r} {note}",
                hint=f"remove it, or declare it a category: dataset.categorical=[{name}]",
            )
        if column is not None:
            encoded.append(column)
        elif note:
            note = f"left out column {name!r}: it {note}"
        notes += [note] if note else []
    if not encoded:
        raise MismatchError("dataset.columns", f"{table.path} has no column that can be used", notes=notes)
    return Encoding(tuple(encoded), tuple(notes))


def present_cells(cells: Any, missing: Collection[str]) -> Any:
    """The cells (pyarrow strings) without surrounding space, null for missing values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = pc.utf8_trim_whitespace(cells)
    is_missing = pc.is_in(cells, value_set=pa.array(sorted(missing), pa.string()))
    return pc.if_else(is_missing, pa.scalar(None, pa.string()), cells)


def _fitted_column(rules: _Rules, name: str) -> tuple[Column | None, str]:
    """The column with its encoding and a note, or None and the reason why it cannot be used."""
    import numpy as np

    cells = present_cells(rules.table.strings("dataset.columns", name), rules.missing)
    is_present = cells.is_valid().to_numpy()
    in_train = is_present[rules.train]
    if not in_train.any():
        return None, "has no value in the training part"
    if name not in rules.categorical:
        numbers = _numbers(rules, name, cells, is_present)
        if numbers is not None:
            median = np.median(numbers[rules.train][in_train])
            return Column(name, np.where(is_present, numbers, median).astype(np.float32)), ""
    encoded = cells.dictionary_encode().combine_chunks()
    texts = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    levels = {texts[code] for code in np.unique(codes[rules.train][in_train])}
    if name not in rules.categorical and len(levels) > rules.most_levels:
        return None, f"has {len(levels):,} distinct texts (dataset.most_levels={rules.most_levels})"
    if not in_train.all():
        levels.add(MISSING)
    ordered = tuple(sorted(levels))
    index = {level: i for i, level in enumerate(ordered)}
    # The last entry is that of a missing value, whose code is -1.
    texts.append(MISSING)
    column = Column(name, np.array([index.get(text, -1) for text in texts], dtype=np.int32)[codes], ordered)
    return column, _note_on_unknown_categories(column, [texts[code] for code in codes[column.cells < 0]])


def _numbers(rules: _Rules, name: str, cells: Any, is_present: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """The numbers in a column, NaN where missing; None if it contains texts.

    Raises:
        MismatchError: all but a few cells are numbers, all are numbers in another notation, or a number is not finite.
    """
    import numpy as np

    table = rules.table
    numbers, is_other = parsed_numbers(cells, rules.notation)
    mistakes = int(is_other.sum())
    few = mistakes <= _MOST_MISTAKES * int(is_present.sum())
    if mistakes:
        row = int(is_other.argmax())
        written = notation_hint(cells.drop_null().unique().to_pylist(), rules.notation)
        if written:
            raise MismatchError(
                "dataset.columns",
                f"{table.place(row)}, column {name!r}: a number in another notation",
                got=cells[row].as_py(),
                hint=f"{written}; as a category or not at all: dataset.categorical=[{name}], dataset.ignore=[{name}]",
            )
        if few:
            raise MismatchError(
                "dataset.columns",
                f"{table.place(row)}, column {name!r}: not a number, unlike nearly all cells of the column",
                got=cells[row].as_py(),
                hint=f"correct it, or dataset.missing=[...], dataset.categorical=[{name}] or dataset.ignore=[{name}]",
            )
        return None
    not_finite = is_present & ~(np.abs(numbers) < _LARGEST_FLOAT32)
    if not_finite.any():
        row = int(not_finite.argmax())
        raise MismatchError(
            "dataset.columns",
            f"{table.place(row)}, column {name!r}: not a finite number",
            got=cells[row].as_py(),
            hint=f"correct it, or dataset.missing=[...] or dataset.ignore=[{name}]",
        )
    return numbers


def _note_on_unknown_categories(column: Column, texts: Sequence[str]) -> str:
    """A note on the categories of those rows whose category does not occur in the training part; empty if none."""
    unknown = Counter(texts)
    if not unknown:
        return ""
    examples = ", ".join(repr(text) for text, _ in unknown.most_common(3))
    more = " ..." if len(unknown) > 3 else ""
    return (
        f"column {column.name!r}: {unknown.total()} rows have a value that does not occur in the training part "
        f"({examples}{more}); all elements of the column are 0 in these rows"
    )
