"""Tables from a CSV file, with named columns of numbers and categories."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from xaiexp.builtin.datasets.columns import Encoding, fit_columns
from xaiexp.builtin.datasets.labels import Labels, read_labels
from xaiexp.builtin.datasets.listing import Delimiter, Listing, read_listing, stamp
from xaiexp.builtin.splits import is_held_out
from xaiexp.contract.kinds import Dataset
from xaiexp.core.parameters import Range
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import MismatchError, ResourceError

__all__ = ["Csv"]

log = logging.getLogger("xaiexp")


@dataclass(frozen=True)
class _Table:
    """A table that was read and cut, with its encoding."""

    listing: Listing
    ids: list[str]
    labels: Labels
    encoding: Encoding
    train: tuple[int, ...]
    held_out: tuple[int, ...]


@dataclass(frozen=True)
class Csv(Dataset):
    """A table: rows of named columns, a part of them held out to be explained, the others to train on.

    Columns of numbers are taken as they are, in their own units; a missing number is the median of the training
    part. Columns of few different texts are categories, one element of 0 or 1 for each level
    (``sex=female``); a missing value is a level of its own, ``missing``. Columns of many different texts (names,
    notes) are left out, which is logged. Which row is held out depends on its id alone, so that new rows move no
    others.

    Args:
        path: of a CSV, TSV or JSON file (see ``delimiter``) with names of columns, in UTF-8.
        label_column: the column of the classes, texts or whole numbers; null where there are none. Rows without a
            label are not trained on.
        columns: those to use; empty for all columns of numbers or categories.
        ignore: columns to leave out: what would not be known when the model is asked.
        categorical: columns whose values are categories though they are numbers, or many.
        id_column: what names a row; null for its number, counted from 0.
        classes: class names by index; empty takes the different labels, in the order of numbers or alphabet.
        held_out: share of the rows to explain, about; 1 for all, so that there is no training part.
        split_seed: another seed holds out other rows.
        most_levels: of a column of texts that counts as categories.
        missing: cells that mean that there is no value.
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
        """The rows that are held out, float ``[F]``; an id is the file's name and what names the row.

        Raises:
            ResourceError, MismatchError: no such file, no rows, no such column, a cell that does not fit.
        """
        table = self._table()
        for note in table.encoding.notes:
            log.info("dataset.csv: %s", note)
        return self._source(table, table.held_out)

    def training(self) -> Source | None:
        """The other rows, as far as they have a label; None where everything is held out."""
        table = self._table()
        if self.held_out == 1 or self.label_column is None:
            return None
        rows = [row for row in table.train if table.labels.indices[row] is not None]
        if not rows:
            raise MismatchError(
                "dataset.label_column", f"{table.listing.path}: no row of the training part has a label"
            )
        return self._source(table, rows)

    def fingerprint(self) -> str:
        """Size and time of the file."""
        return stamp(self.path)

    def outline(self) -> Outline:
        """How many rows of how many elements; it takes reading the file."""
        table = self._table()
        return Outline(len(table.held_out), (len(table.encoding.names),))

    def _table(self) -> _Table:
        listing = read_listing("dataset.path", self.path, self.delimiter)
        ids = listing.ids("dataset.id_column", self.id_column)
        cells = [""] * len(ids)
        if self.label_column is not None:
            cells = [cell.strip() for cell in listing.column("dataset.label_column", self.label_column)]
            cells = ["" if cell in self.missing else cell for cell in cells]
        labels = read_labels("dataset.label_column", cells, listing.at, self.classes)
        apart = {self.label_column, self.id_column}
        for parameter in ("columns", "ignore", "categorical"):
            for name in getattr(self, parameter):
                listing.column(f"dataset.{parameter}", name)
                if parameter == "columns" and name in {*apart, *self.ignore}:
                    raise MismatchError("dataset.columns", "is the label, the id or ignored, and no input", got=name)
        out = [is_held_out(each, self.held_out, self.split_seed) for each in ids]
        held_out = tuple(row for row, held in enumerate(out) if held)
        # Where everything is explained, the encoding has nothing else to come from.
        train = tuple(row for row, held in enumerate(out) if not held) if self.held_out < 1 else held_out
        for part, rows in (("held out", held_out), ("left to train on", train)):
            if not rows:
                raise ResourceError(
                    "dataset.held_out", f"none of the {len(ids)} rows of {listing.path} is {part}", got=self.held_out
                )
        encoding = fit_columns(
            listing,
            train,
            columns=self.columns,
            leave={*self.ignore, *(name for name in apart if name is not None)},
            categorical=self.categorical,
            missing=self.missing,
            most_levels=self.most_levels,
        )
        return _Table(listing, ids, labels, encoding, train, held_out)

    def _source(self, table: _Table, rows: Sequence[int]) -> Source:
        """The samples of some rows."""
        import torch

        elements = table.encoding.encode(table.listing, self.missing, rows)
        inputs = torch.tensor(elements, dtype=torch.float32).T.contiguous()
        stem = table.listing.path.stem

        def read(start: int, stop: int) -> Sequence[Sample]:
            samples = []
            for i in range(len(rows))[start:stop]:
                name = table.ids[rows[i]]
                label = table.labels.indices[rows[i]]
                samples.append(Sample(f"{stem}/{name}", inputs[i].clone(), label, name=f"row {name}"))
            return samples

        return Source(len(rows), read, table.labels.names, table.encoding.feature_names, table.encoding.names)
