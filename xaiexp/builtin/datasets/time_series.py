"""The dataset ``time_series``: time series from the arrays of an ``.npz`` file or from a CSV file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from xaiexp.builtin.datasets.column_encoding import present_cells
from xaiexp.builtin.datasets.labels import (
    LabelKind,
    LabelRules,
    Labels,
    read_label_columns,
    read_labels,
    read_table_labels,
)
from xaiexp.builtin.datasets.npz_file import NpzFile, open_npz
from xaiexp.builtin.datasets.table_file import Delimiter, TableFile, read_table_file
from xaiexp.builtin.datasets.written_numbers import Decimal, Notation, Thousands, notation_hint, parsed_numbers
from xaiexp.builtin.splits import is_held_out
from xaiexp.contract.kinds import Dataset
from xaiexp.core.parameters import Range
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import MismatchError, ResourceError
from xaiexp.store.fingerprints import file_stamp

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TimeSeries"]

_PART_SUFFIXES = ("_train", "_test")


@dataclass(frozen=True)
class _Series:
    """All series of a file, ``[N, C, T]``, with labels, masks, ids, row numbers of the two parts, and further cells."""

    values: NDArray[np.float32]
    labels: Labels
    masks: NDArray[np.bool_] | None
    ids: list[str]
    held_out: Sequence[int]
    train: Sequence[int]
    cells: Callable[[str], list[str]]


@dataclass(frozen=True)
class TimeSeries(Dataset):
    """Labelled time series of equal length; one part is held out for explanation, the others are for training.

    An ``.npz`` file contains arrays ``[N, C, T]`` or ``[N, T]`` under ``series_key``; if it contains that key with the
    suffixes ``_train`` and ``_test``, these are the two parts. Any other file contains one series of one channel per
    row: the label, and the steps in the order of the columns. Without given parts a dataset is split by the ids of its
    series, so adding series does not move others to the other part.

    Args:
        path: path of an ``.npz`` file, or of a CSV, TSV or JSON file with a header.
        series_key: key of the series in an ``.npz`` file.
        labels_key: key of the labels in an ``.npz`` file: texts or numbers, one a series (NaN where unknown), or ``[N,
            K]`` of 0 and 1, a set of K classes; null if there are none.
        mask_key: key of the ground-truth masks of steps in an ``.npz`` file, ``[N, T]``; null if there are none.
        channels_last: whether series in an ``.npz`` file are ``[N, T, C]``.
        label_column: column of the labels in a CSV file; null if there is none.
        id_column: column of unique series ids in a CSV file; null for the row number, from 0.
        ignore: columns of a CSV file that are not steps.
        classes: class names by index; empty takes the distinct labels, in numerical or alphabetical order.
        held_out: approximate share of the series to explain if the file has no given parts; 1 for all.
        split_seed: another seed selects another split.
        delimiter: of a CSV file; ``auto`` takes tabs for ``.tsv``, JSON for ``.json``, commas otherwise.
        label_kind: what the labels are: one ``class`` a series (words or whole numbers), a ``value`` (regression), or a
            ``set`` of any number of classes. ``auto`` takes numbers for values if most of them have a fraction and
            more than twenty are distinct, and JSON lists for sets; what could be read in two ways is refused.
        label_separator: between the classes of a set that is not a JSON list; an empty cell is then a series of no
            class.
        label_columns: columns of 0 and 1, one a class, in place of ``label_column`` (null): a set of classes.
        decimal, thousands: how numbers are written: what precedes the fraction, and what separates the thousands.
        encoding: of the characters of a CSV or TSV file, a name of Python's (``utf-8``, ``cp1252``, ``utf-16``).
    """

    summary = "time series from arrays (npz) or a CSV file, with a training and a held-out part"
    source = "the user's own file"
    modality = "series"

    path: str
    series_key: str = "x"
    labels_key: str | None = "y"
    mask_key: str | None = None
    channels_last: bool = False
    label_column: str | None = "label"
    id_column: str | None = None
    ignore: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    held_out: Annotated[float, Range(0.01, 1)] = 0.25
    split_seed: Annotated[int, Range(0)] = 0
    delimiter: Delimiter = "auto"
    label_kind: LabelKind = "auto"
    label_separator: str = ";"
    label_columns: tuple[str, ...] = ()
    decimal: Decimal = "point"
    thousands: Thousands = "none"
    encoding: str = "utf-8"

    def open(self) -> Source:
        """The held-out series, float32 ``[C, T]``; an id consists of the file name, the part and the number.

        Raises:
            ResourceError, MismatchError: file, array or column are missing, or a value is not a finite number.
        """
        series = self._series()
        return _source(series, series.held_out)

    def training(self) -> Source | None:
        """The labelled series that are not held out; None if there are none."""
        series = self._series()
        rows = [row for row in series.train if series.labels.values[row] is not None]
        return _source(series, rows) if rows else None

    def fingerprint(self) -> str:
        """Path, size and modification time of the file."""
        return file_stamp(self.path)

    def outline(self) -> Outline:
        """Number and shape ``[C, T]`` of the series; of an ``.npz`` file only the headers are read."""
        if self._is_npz():
            file = open_npz("dataset.path", self.path)
            parts = self._parts(file)
            shape = self._shape(file, parts[-1])
            if len(parts) == 2:
                return Outline(shape[0], shape[1:])
            return Outline(len(self._split([str(i) for i in range(shape[0])])[0]), shape[1:])
        table, steps = self._table()
        held_out, _ = self._split(table.ids("dataset.id_column", self.id_column))
        return Outline(len(held_out), (1, len(steps)))

    def _is_npz(self) -> bool:
        return Path(self.path).suffix.lower() == ".npz"

    def _series(self) -> _Series:
        return self._from_arrays() if self._is_npz() else self._from_table()

    def _split(self, ids: Sequence[str]) -> tuple[list[int], list[int]]:
        """Row numbers of the held-out series and of the others.

        Raises:
            ResourceError: no series is held out.
        """
        is_out = [is_held_out(series_id, self.held_out, self.split_seed) for series_id in ids]
        held_out = [row for row, out in enumerate(is_out) if out]
        if not held_out:
            raise ResourceError(
                "dataset.held_out", f"none of the {len(ids)} series of {self.path} is held out", got=self.held_out
            )
        return held_out, [row for row, out in enumerate(is_out) if not out]

    def _parts(self, file: NpzFile) -> tuple[str, ...]:
        """The suffixes of the keys of the parts; the last part is the one to explain."""
        both = all(f"{self.series_key}{part}" in file.shapes for part in _PART_SUFFIXES)
        return _PART_SUFFIXES if both and self.series_key not in file.shapes else ("",)

    def _shape(self, file: NpzFile, part: str) -> tuple[int, int, int]:
        """``(N, C, T)`` of a part."""
        key = f"{self.series_key}{part}"
        shape = file.shape("dataset.series_key", key)
        if len(shape) == 2:
            shape = (shape[0], 1, shape[1])
        elif len(shape) == 3 and self.channels_last:
            shape = (shape[0], shape[2], shape[1])
        if len(shape) != 3 or 0 in shape:
            raise MismatchError(
                "dataset.series_key",
                f"{file.path}: array {key!r} must be [series, channels, steps] or [series, steps], and not empty",
                got=list(file.shapes[key]),
            )
        return shape

    def _from_arrays(self) -> _Series:
        """The series of an ``.npz`` file."""
        import numpy as np

        file = open_npz("dataset.path", self.path)
        parts = self._parts(file)
        shapes = [self._shape(file, part) for part in parts]
        if len({shape[1:] for shape in shapes}) > 1:
            raise MismatchError("dataset.series_key", f"{file.path}: the parts differ in [channels, steps]", got=shapes)
        places = [(part, i) for part, shape in zip(parts, shapes, strict=True) for i in range(shape[0])]
        names = [f"{part.removeprefix('_')}/{i}".removeprefix("/") for part, i in places]
        values = np.concatenate([self._values(file, part) for part in parts])

        def place(row: int) -> str:
            return f"{file.path}, {self.series_key}{places[row][0]}[{places[row][1]}]"

        _check_finite("dataset.series_key", values, place)
        labels = self._labels(file, {part: shape[0] for part, shape in zip(parts, shapes, strict=True)}, place)
        masks = None
        if self.mask_key is not None:
            masks = np.concatenate([self._masks(file, part, s) for part, s in zip(parts, shapes, strict=True)])
        if len(parts) == 2:
            train, held_out = range(shapes[0][0]), range(shapes[0][0], len(values))
        else:
            held_out, train = self._split([str(i) for _, i in places])  # type: ignore[assignment]  # row numbers, too
        ids = [f"{file.path.stem}/{name}" for name in names]
        return _Series(values, labels, masks, ids, held_out, train, self._cells)

    def _values(self, file: NpzFile, part: str) -> NDArray[np.float32]:
        """The series of a part, ``[N, C, T]``."""
        import numpy as np

        values = file.read("dataset.series_key", f"{self.series_key}{part}")
        if values.dtype.kind not in "biuf":
            raise MismatchError("dataset.series_key", f"{file.path}: the series are not numbers", got=str(values.dtype))
        values = values[:, None] if values.ndim == 2 else values.swapaxes(1, 2) if self.channels_last else values
        with np.errstate(over="ignore"):  # overflow is reported by the check for finite values
            return values.astype(np.float32)

    @property
    def _rules(self) -> LabelRules:
        """How a column or array of labels is read."""
        return LabelRules(self.label_kind, self.label_separator, self.classes, Notation(self.decimal, self.thousands))

    def _labels(self, file: NpzFile, counts: Mapping[str, int], place: Callable[[int], str]) -> Labels:
        """The labels of the parts, which have these numbers of series."""
        if self.labels_key is None:
            return Labels((None,) * sum(counts.values()), self.classes)
        rows: list[Any] = []
        shapes = set()
        for part, count in counts.items():
            key = f"{self.labels_key}{part}"
            labels = file.read("dataset.labels_key", key)
            if labels.ndim not in (1, 2) or labels.shape[0] != count:
                raise MismatchError(
                    "dataset.labels_key",
                    f"{file.path}: array {key!r} must have shape [{count}], one label a series, or [{count}, classes]",
                    got=list(labels.shape),
                )
            shapes.add(labels.shape[1:])
            rows += labels.tolist()
        if len(shapes) > 1:
            raise MismatchError("dataset.labels_key", f"{file.path}: the parts differ in their classes")
        shape = shapes.pop()
        if not shape:
            return read_labels("dataset.labels_key", map(_written_label, rows), place, self._rules)
        if self.label_kind in ("class", "value"):
            raise MismatchError(
                "dataset.label_kind", f"{file.path} has a label of 0 or 1 per series and class", got=self.label_kind
            )
        names = self.classes or tuple(str(i) for i in range(shape[0]))
        if len(names) != shape[0]:
            raise MismatchError("dataset.classes", f"{file.path} has labels of {shape[0]} classes", got=list(names))
        columns = {name: [_written_label(row[i]) for row in rows] for i, name in enumerate(names)}
        return read_label_columns("dataset.labels_key", columns, place)

    def _masks(self, file: NpzFile, part: str, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
        """The masks of a part, ``[N, T]``."""
        key = f"{self.mask_key}{part}"
        masks = file.read("dataset.mask_key", key)
        if masks.shape != (shape[0], shape[2]):
            raise MismatchError(
                "dataset.mask_key",
                f"{file.path}: array {key!r} must be [series, steps], [{shape[0]}, {shape[2]}]",
                got=list(masks.shape),
            )
        return masks != 0  # type: ignore[no-any-return]  # of an array

    def _table(self) -> tuple[TableFile, list[int]]:
        """The table, and the indices of the columns that are steps."""
        table = read_table_file("dataset.path", self.path, self.delimiter, self.encoding)
        for name in self.ignore:
            table.strings("dataset.ignore", name)
        labels = [("label_columns", name) for name in self.label_columns]
        for parameter, column in (("label_column", self.label_column), ("id_column", self.id_column), *labels):
            if column is not None:
                table.strings(f"dataset.{parameter}", column)
        others = {self.label_column, self.id_column, *self.label_columns, *self.ignore}
        steps = [i for i, name in enumerate(table.header) if name not in others]
        if not steps:
            raise MismatchError("dataset.path", f"{table.path} has no columns of steps")
        return table, steps

    def _cells(self, name: str) -> list[str]:
        """The cells of a column of a table; this reads the file again."""
        if self._is_npz():
            raise MismatchError("cluster", "arrays have no named columns", got=name)
        return self._table()[0].column("cluster", name)

    def _from_table(self) -> _Series:
        """The series of a CSV, TSV or JSON file."""
        import numpy as np

        table, steps = self._table()
        names = table.ids("dataset.id_column", self.id_column)
        labels = read_table_labels(table, self.label_column, self.label_columns, self._rules)
        values = np.empty((len(names), 1, len(steps)), dtype=np.float32)
        for place, step in enumerate(steps):
            values[:, 0, place] = _steps(table, step, self._rules.notation)
        held_out, train = self._split(names)
        return _Series(
            values, labels, None, [f"{table.path.stem}/{name}" for name in names], held_out, train, self._cells
        )


def _written_label(value: object) -> str | None:
    """A label of an array as a string; None for NaN."""
    return None if isinstance(value, float) and math.isnan(value) else str(value)


def _steps(table: TableFile, step: int, notation: Notation) -> NDArray[np.float64]:
    """The numbers in a column; raises MismatchError unless all are finite in float32."""
    import numpy as np

    cells = present_cells(table.columns[step], ())
    values, _ = parsed_numbers(cells, notation)
    is_wrong = ~(np.abs(values) < 3.4e38)  # the largest float32
    if is_wrong.any():
        row = int(is_wrong.argmax())
        written = notation_hint(cells.unique().drop_null().to_pylist(), notation)
        raise MismatchError(
            "dataset.path",
            f"{table.place(row)}, column {table.header[step]!r}: a step must be a finite number",
            got=cells[row].as_py() or "",
            hint=f"{written + '; ' if written else ''}to leave out this column: dataset.ignore=[{table.header[step]}]",
        )
    return values


def _check_finite(where: str, values: NDArray[np.float32], place: Callable[[int], str]) -> None:
    """Raise ResourceError with the place of the first value that is not finite."""
    import numpy as np

    not_finite = np.argwhere(~np.isfinite(values))
    if len(not_finite):
        row, channel, step = not_finite[0].tolist()
        raise ResourceError(
            where,
            f"{place(row)}: channel {channel}, step {step} is not a finite number",
            got=float(values[row, channel, step]),
            hint="pad or interpolate series of different lengths or with gaps first",
        )


def _source(series: _Series, rows: Sequence[int]) -> Source:
    """The samples of the given rows."""
    import torch

    values = torch.from_numpy(series.values)
    masks = None if series.masks is None else torch.from_numpy(series.masks)

    def read(start: int, stop: int) -> Sequence[Sample]:
        samples = []
        for row in rows[start:stop]:
            mask = None if masks is None else masks[row].clone()
            name = series.ids[row].partition("/")[2]
            samples.append(Sample(series.ids[row], values[row].clone(), series.labels.values[row], mask, name))
        return samples

    def cells(name: str) -> list[str]:
        of_all = series.cells(name)
        return [of_all[row] for row in rows]

    return Source(
        len(rows),
        read,
        series.labels.names,
        task=series.labels.task,
        labels=lambda: [series.labels.values[row] for row in rows],
        cells=cells,
    )
