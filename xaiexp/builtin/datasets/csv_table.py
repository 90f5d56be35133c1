"""The dataset ``csv``: a table with named columns of numbers and categories, split for training and explanation."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.datasets.column_encoding import Encoding, fit_columns
from xaiexp.builtin.datasets.labels import LabelKind, LabelRules, Labels, read_table_labels
from xaiexp.builtin.datasets.table_file import Delimiter, read_table_file
from xaiexp.builtin.datasets.written_numbers import Decimal, Notation, Thousands
from xaiexp.builtin.splits import is_held_out
from xaiexp.contract.kinds import Dataset
from xaiexp.core.parameters import Range
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import MismatchError, ResourceError
from xaiexp.store.fingerprints import file_stamp

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Csv"]

log = logging.getLogger("xaiexp")


@dataclass(frozen=True)
class _Table:
    """A table that was read and split, with its encoding.

    Args:
        dataset: its parameters.
        path: path of the file.
        ids: id of each row; None for the row number.
        labels: of each row.
        encoding: the columns, encoded.
        train, held_out: row numbers of the two parts.
    """

    dataset: Csv
    path: Path
    ids: Sequence[str] | None
    labels: Labels
    encoding: Encoding
    train: NDArray[np.int64]
    held_out: NDArray[np.int64]

    def id(self, row: int) -> str:
        """The id of a row."""
        return str(row) if self.ids is None else self.ids[row]

    def cells(self, name: str, rows: NDArray[np.int64]) -> list[str]:
        """The cells of a column in the given rows; this reads the file, whose other columns are not kept."""
        file = read_table_file("dataset.path", self.path, self.dataset.delimiter, self.dataset.encoding)
        return [cell or "" for cell in file.strings("cluster", name).take(rows).to_pylist()]


@dataclass(frozen=True)
class Csv(Dataset):
    """A table with named columns; one part of the rows is held out for explanation, the others are for training.

    Columns of numbers keep their units; a missing number is replaced by the median of the training part. Columns with
    few distinct texts are categories, encoded one-hot (``sex=female``); a missing value is the level ``missing``.
    Columns with many distinct texts (names, notes) are left out, which is logged. Whether a row is held out depends on
    its id only, so adding rows does not move others to the other part.

    Args:
        path: path of a CSV, TSV or JSON file (see ``delimiter``) with column names.
        label_column: column of the labels; null if there is none. Rows without a label are not used for training.
        columns: columns to use; empty for all columns of numbers or categories.
        ignore: columns to leave out, such as values that are unknown at prediction time.
        categorical: columns to be treated as categories even if they are numeric or have many levels.
        id_column: column of unique row ids; null for the row number, from 0.
        classes: class names by index; empty takes the distinct labels, in numerical or alphabetical order.
        held_out: approximate share of the rows to explain; 1 for all, without a training part.
        split_seed: another seed selects another split.
        most_levels: maximum number of distinct texts of a categorical column.
        missing: cell contents that denote a missing value.
        delimiter: ``auto`` takes tabs for ``.tsv``, JSON for ``.json`` and ``.jsonl``, commas otherwise.
        label_kind: what the labels are: one ``class`` a row (words or whole numbers), a ``value`` (regression), or a
            ``set`` of any number of classes. ``auto`` takes numbers for values if most of them have a fraction and
            more than twenty are distinct, and JSON lists for sets; what could be read in two ways is refused.
        label_separator: between the classes of a set that is not a JSON list; an empty cell is then a row of no class.
        label_columns: columns of 0 and 1, one a class, in place of ``label_column`` (null): a set of classes.
        decimal, thousands: how numbers are written: what precedes the fraction, and what separates the thousands.
        encoding: of the characters of a CSV or TSV file, a name of Python's (``utf-8``, ``cp1252``, ``utf-16``).
    """

    summary = "rows of a CSV file: named columns of numbers and categories, with a training and a held-out part"
    source = "the user's own file"
    modality = "table"

    path: str
    label_column: str | None
    columns: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    id_column: str | None = None
    classes: tuple[str, ...] = ()
    held_out: Annotated[float, Range(0.01, 1)] = 0.25
    split_seed: Annotated[int, Range(0)] = 0
    most_levels: Annotated[int, Range(2)] = 20
    missing: tuple[str, ...] = ("", "NA", "N/A", "NaN", "nan", "null", "?")
    delimiter: Delimiter = "auto"
    label_kind: LabelKind = "auto"
    label_separator: str = ";"
    label_columns: tuple[str, ...] = ()
    decimal: Decimal = "point"
    thousands: Thousands = "none"
    encoding: str = "utf-8"

    def open(self) -> Source:
        """The held-out rows, float32 ``[F]``; a sample id consists of the file name and the row id.

        Raises:
            ResourceError, MismatchError: file, rows or column are missing, or a cell is invalid.
        """
        table = self._table()
        for note in table.encoding.notes:
            log.info("dataset.csv: %s", note)
        return _source(table, table.held_out)

    def training(self) -> Source | None:
        """The labelled rows that are not held out; None if all rows are held out."""
        import numpy as np

        table = self._table()
        if self.held_out == 1 or not (self.label_column or self.label_columns):
            return None
        rows = [row for row in table.train.tolist() if table.labels.values[row] is not None]
        if not rows:
            raise MismatchError("dataset.label_column", f"{table.path}: no row of the training part has a label")
        return _source(table, np.array(rows))

    def fingerprint(self) -> str:
        """Path, size and modification time of the file."""
        return file_stamp(self.path)

    def outline(self) -> Outline:
        """Numbers of rows and elements; this reads the file."""
        table = self._table()
        return Outline(len(table.held_out), (len(table.encoding.column_names),))

    def _table(self) -> _Table:
        return _read_table(self, file_stamp(self.path))


# The plan, the samples to explain and those to train on are read from one table.
@functools.lru_cache(maxsize=1)
def _read_table(dataset: Csv, stamp: str) -> _Table:  # noqa: ARG001  # it tells apart versions of the file
    """Read, split and encode the table of a dataset whose file has this stamp."""
    import numpy as np
    import pyarrow as pa

    notation = Notation(dataset.decimal, dataset.thousands)
    file = read_table_file("dataset.path", dataset.path, dataset.delimiter, dataset.encoding)
    ids = None if dataset.id_column is None else file.ids("dataset.id_column", dataset.id_column)
    rules = LabelRules(dataset.label_kind, dataset.label_separator, dataset.classes, notation)
    labels = read_table_labels(file, dataset.label_column, dataset.label_columns, rules, dataset.missing)
    non_inputs = {dataset.label_column, dataset.id_column, *dataset.label_columns} - {None}
    for parameter in ("columns", "ignore", "categorical"):
        for name in getattr(dataset, parameter):
            file.strings(f"dataset.{parameter}", name)
            if parameter == "columns" and name in {*non_inputs, *dataset.ignore}:
                raise MismatchError(
                    "dataset.columns", "is the label, the id or ignored, so it cannot be an input", got=name
                )
    is_out = np.array(
        [
            is_held_out(row_id, dataset.held_out, dataset.split_seed)
            for row_id in (map(str, range(len(file))) if ids is None else ids)
        ]
    )
    held_out = np.flatnonzero(is_out)
    # If all rows are held out, the encoding is fitted on them.
    train = np.flatnonzero(~is_out) if dataset.held_out < 1 else held_out
    for part, rows in (("held out", held_out), ("left for training", train)):
        if not len(rows):
            raise ResourceError(
                "dataset.held_out", f"none of the {len(file)} rows of {file.path} is {part}", got=dataset.held_out
            )
    encoding = fit_columns(
        file,
        train,
        columns=dataset.columns,
        exclude={*dataset.ignore, *(name for name in non_inputs if name is not None)},
        categorical=dataset.categorical,
        missing=dataset.missing,
        most_levels=dataset.most_levels,
        notation=notation,
    )
    path = file.path
    del file
    pa.default_memory_pool().release_unused()
    return _Table(dataset, path, ids, labels, encoding, train, held_out)


def _source(table: _Table, rows: NDArray[np.int64]) -> Source:
    """The samples of the given rows."""
    stem, labels = table.path.stem, table.labels

    def read(start: int, stop: int) -> Sequence[Sample]:
        import torch

        chosen = rows[start:stop]
        samples = []
        for row, encoded in zip(chosen.tolist(), table.encoding.encode(chosen), strict=True):
            name = table.id(row)
            data = torch.from_numpy(encoded)
            samples.append(Sample(f"{stem}/{name}", data, labels.values[row], name=f"row {name}"))
        return samples

    encoding = table.encoding
    return Source(
        len(rows),
        read,
        labels.names,
        encoding.feature_names,
        encoding.column_names,
        labels.task,
        labels=lambda: [labels.values[row] for row in rows.tolist()],
        cells=lambda name: table.cells(name, rows),
    )
