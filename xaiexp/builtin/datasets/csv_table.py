"""The dataset ``csv``: a table with named columns of numbers and categories, split for training and explanation."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from xaiexp.builtin.datasets.column_encoding import Encoding, fit_columns
from xaiexp.builtin.datasets.labels import Labels, read_labels
from xaiexp.builtin.datasets.table_file import Delimiter, TableFile, file_stamp, read_table_file
from xaiexp.builtin.splits import is_held_out
from xaiexp.contract.kinds import Dataset
from xaiexp.core.parameters import Range
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import MismatchError, ResourceError

__all__ = ["Csv"]

log = logging.getLogger("xaiexp")


@dataclass(frozen=True)
class _Table:
    """A table that was read and split, with its encoding."""

    file: TableFile
    ids: list[str]
    labels: Labels
    encoding: Encoding
    train: tuple[int, ...]
    held_out: tuple[int, ...]


@dataclass(frozen=True)
class Csv(Dataset):
    """A table with named columns; one part of the rows is held out for explanation, the others are for training.

    Columns of numbers keep their units; a missing number is replaced by the median of the training part. Columns with
    few distinct texts are categories, encoded one-hot (``sex=female``); a missing value is the level ``missing``.
    Columns with many distinct texts (names, notes) are left out, which is logged. Whether a row is held out depends on
    its id only, so adding rows does not move others to the other part.

    Args:
        path: path of a CSV, TSV or JSON file (see ``delimiter``) with column names, in UTF-8.
        label_column: column of the classes, texts or whole numbers; null if there is none. Rows without a label are
            not used for training.
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

    def open(self) -> Source:
        """The held-out rows, float32 ``[F]``; a sample id consists of the file name and the row id.

        Raises:
            ResourceError, MismatchError: file, rows or column are missing, or a cell is invalid.
        """
        table = self._table()
        for note in table.encoding.notes:
            log.info("dataset.csv: %s", note)
        return self._source(table, table.held_out)

    def training(self) -> Source | None:
        """The labelled rows that are not held out; None if all rows are held out."""
        table = self._table()
        if self.held_out == 1 or self.label_column is None:
            return None
        rows = [row for row in table.train if table.labels.indices[row] is not None]
        if not rows:
            raise MismatchError("dataset.label_column", f"{table.file.path}: no row of the training part has a label")
        return self._source(table, rows)

    def fingerprint(self) -> str:
        """Path, size and modification time of the file."""
        return file_stamp(self.path)

    def outline(self) -> Outline:
        """Numbers of rows and elements; this reads the file."""
        table = self._table()
        return Outline(len(table.held_out), (len(table.encoding.column_names),))

    def _table(self) -> _Table:
        """Read, split and encode the table."""
        file = read_table_file("dataset.path", self.path, self.delimiter)
        ids = file.ids("dataset.id_column", self.id_column)
        cells = [""] * len(ids)
        if self.label_column is not None:
            cells = [cell.strip() for cell in file.column("dataset.label_column", self.label_column)]
            cells = ["" if cell in self.missing else cell for cell in cells]
        labels = read_labels("dataset.label_column", cells, file.place, self.classes)
        non_inputs = {self.label_column, self.id_column}
        for parameter in ("columns", "ignore", "categorical"):
            for name in getattr(self, parameter):
                file.column(f"dataset.{parameter}", name)
                if parameter == "columns" and name in {*non_inputs, *self.ignore}:
                    raise MismatchError(
                        "dataset.columns", "is the label, the id or ignored, so it cannot be an input", got=name
                    )
        is_out = [is_held_out(row_id, self.held_out, self.split_seed) for row_id in ids]
        held_out = tuple(row for row, out in enumerate(is_out) if out)
        # If all rows are held out, the encoding is fitted on them.
        train = tuple(row for row, out in enumerate(is_out) if not out) if self.held_out < 1 else held_out
        for part, rows in (("held out", held_out), ("left for training", train)):
            if not rows:
                raise ResourceError(
                    "dataset.held_out", f"none of the {len(ids)} rows of {file.path} is {part}", got=self.held_out
                )
        encoding = fit_columns(
            file,
            train,
            columns=self.columns,
            exclude={*self.ignore, *(name for name in non_inputs if name is not None)},
            categorical=self.categorical,
            missing=self.missing,
            most_levels=self.most_levels,
        )
        return _Table(file, ids, labels, encoding, train, held_out)

    def _source(self, table: _Table, rows: Sequence[int]) -> Source:
        """The samples of the given rows."""
        import torch

        elements = table.encoding.encode(table.file, self.missing, rows)
        inputs = torch.tensor(elements, dtype=torch.float32).T.contiguous()
        stem = table.file.path.stem

        def read(start: int, stop: int) -> Sequence[Sample]:
            samples = []
            for i in range(len(rows))[start:stop]:
                name = table.ids[rows[i]]
                label = table.labels.indices[rows[i]]
                samples.append(Sample(f"{stem}/{name}", inputs[i].clone(), label, name=f"row {name}"))
            return samples

        return Source(len(rows), read, table.labels.names, table.encoding.feature_names, table.encoding.column_names)
