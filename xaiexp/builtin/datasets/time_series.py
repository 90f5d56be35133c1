"""Time series from arrays or from a CSV file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from xaiexp.builtin.datasets.arrays import Arrays, look_into
from xaiexp.builtin.datasets.labels import Labels, read_labels
from xaiexp.builtin.datasets.listing import Delimiter, Listing, read_listing, stamp
from xaiexp.builtin.splits import is_held_out
from xaiexp.contract.kinds import Dataset
from xaiexp.core.parameters import Range
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import MismatchError, ResourceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TimeSeries"]

_PARTS = ("_train", "_test")


@dataclass(frozen=True)
class _Series:
    """Series that were read: ``[N, C, T]`` with labels, truth and ids, and which are explained or trained on."""

    values: NDArray[np.float32]
    labels: Labels
    masks: NDArray[np.bool_] | None
    ids: list[str]
    held_out: Sequence[int]
    train: Sequence[int]


@dataclass(frozen=True)
class TimeSeries(Dataset):
    """Labelled time series of one length, a part of them held out to be explained, the others to train on.

    In an ``.npz`` file, arrays ``[N, C, T]`` or ``[N, T]`` under ``series_key``; where the file has that key with
    ``_train`` and ``_test`` behind it, these are the two parts. In any other file, a row for each series: the label
    and the steps, in the order of the columns, of one channel. Without parts of its own a data set is cut by the ids
    of its series, so that new series move no others.

    Args:
        path: of an ``.npz`` file, or a CSV, TSV or JSON file with a header.
        series_key: the key of the series in an ``.npz`` file.
        labels_key: the key of the labels in an ``.npz`` file, texts or whole numbers; null where there are none.
        mask_key: the key of the steps that matter, ``[N, T]`` in an ``.npz`` file; null where that is not known.
        channels_last: whether series in an ``.npz`` file are ``[N, T, C]``.
        label_column: the column of the labels in a CSV file; null where there are none.
        id_column: the column that names a series in a CSV file; null for the number of its row, from 0.
        ignore: columns of a CSV file that are no steps.
        classes: class names by index; empty takes the different labels, in the order of numbers or alphabet.
        held_out: share of the series to explain, about, where the file has no parts; 1 for all.
        split_seed: another seed holds out other series.
        delimiter: of a CSV file; ``auto`` takes tabs for ``.tsv``, JSON for ``.json``, commas otherwise.
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

    def open(self) -> Source:
        """The series that are held out, float ``[C, T]``; an id is the file's name, the part and the number.

        Raises:
            ResourceError, MismatchError: no such file, array or column, a value that is no finite number.
        """
        series = self._series()
        return _source(series, series.held_out)

    def training(self) -> Source | None:
        """The other series, as far as they have a label; None where there are none."""
        series = self._series()
        rows = [row for row in series.train if series.labels.indices[row] is not None]
        return _source(series, rows) if rows else None

    def fingerprint(self) -> str:
        """Size and time of the file."""
        return stamp(self.path)

    def outline(self) -> Outline:
        """How many series ``[C, T]``; of an ``.npz`` file only the headers are read."""
        if self._is_npz():
            file = look_into("dataset.path", self.path)
            parts = self._parts(file)
            shape = self._shape(file, parts[-1])
            if len(parts) == 2:
                return Outline(shape[0], shape[1:])
            return Outline(len(self._cut([str(i) for i in range(shape[0])])[0]), shape[1:])
        listing, steps = self._listing()
        held_out, _ = self._cut(listing.ids("dataset.id_column", self.id_column))
        return Outline(len(held_out), (1, len(steps)))

    def _is_npz(self) -> bool:
        return Path(self.path).suffix.lower() == ".npz"

    def _series(self) -> _Series:
        return self._from_arrays() if self._is_npz() else self._from_listing()

    def _cut(self, ids: Sequence[str]) -> tuple[list[int], list[int]]:
        """Rows to explain and rows to train on.

        Raises:
            ResourceError: there is none to explain.
        """
        out = [is_held_out(each, self.held_out, self.split_seed) for each in ids]
        held_out = [row for row, held in enumerate(out) if held]
        if not held_out:
            raise ResourceError(
                "dataset.held_out", f"none of the {len(ids)} series of {self.path} is held out", got=self.held_out
            )
        return held_out, [row for row, held in enumerate(out) if not held]

    # Arrays

    def _parts(self, file: Arrays) -> tuple[str, ...]:
        """What stands behind the keys of the parts; the last is the one to explain."""
        pair = all(f"{self.series_key}{part}" in file.shapes for part in _PARTS)
        return _PARTS if pair and self.series_key not in file.shapes else ("",)

    def _shape(self, file: Arrays, part: str) -> tuple[int, int, int]:
        """``(N, C, T)`` of a part."""
        key = f"{self.series_key}{part}"
        told = file.shape("dataset.series_key", key)
        if len(told) == 2:
            told = (told[0], 1, told[1])
        elif len(told) == 3 and self.channels_last:
            told = (told[0], told[2], told[1])
        if len(told) != 3 or 0 in told:
            raise MismatchError(
                "dataset.series_key",
                f"{file.path}: array {key!r} must be [series, channels, steps] or [series, steps], none of them 0",
                got=list(file.shapes[key]),
            )
        return told

    def _from_arrays(self) -> _Series:
        import numpy as np

        file = look_into("dataset.path", self.path)
        parts = self._parts(file)
        shapes = [self._shape(file, part) for part in parts]
        if len({shape[1:] for shape in shapes}) > 1:
            raise MismatchError(
                "dataset.series_key", f"{file.path}: the parts differ in their [channels, steps]", got=shapes
            )
        places = [(part, i) for part, shape in zip(parts, shapes, strict=True) for i in range(shape[0])]
        told = [f"{part.removeprefix('_')}/{i}".removeprefix("/") for part, i in places]
        values = np.concatenate([self._values(file, part) for part in parts])

        def at(row: int) -> str:
            return f"{file.path}, {self.series_key}{places[row][0]}[{places[row][1]}]"

        _check_finite("dataset.series_key", values, at)
        cells = [cell for part, s in zip(parts, shapes, strict=True) for cell in self._cells(file, part, s[0])]
        masks = None
        if self.mask_key is not None:
            masks = np.concatenate([self._masks(file, part, s) for part, s in zip(parts, shapes, strict=True)])
        if len(parts) == 2:
            train, held_out = range(shapes[0][0]), range(shapes[0][0], len(values))
        else:
            held_out, train = self._cut([str(i) for _, i in places])  # type: ignore[assignment]  # rows, too
        labels = read_labels("dataset.labels_key", cells, at, self.classes)
        ids = [f"{file.path.stem}/{name}" for name in told]
        return _Series(values, labels, masks, ids, held_out, train)

    def _values(self, file: Arrays, part: str) -> NDArray[np.float32]:
        import numpy as np

        found = file.read("dataset.series_key", f"{self.series_key}{part}")
        if found.dtype.kind not in "biuf":
            raise MismatchError("dataset.series_key", f"{file.path} holds no numbers", got=str(found.dtype))
        found = found[:, None] if found.ndim == 2 else found.swapaxes(1, 2) if self.channels_last else found
        with np.errstate(over="ignore"):  # found by the check for finite values
            return found.astype(np.float32)

    def _cells(self, file: Arrays, part: str, count: int) -> list[str]:
        """The labels of a part as texts."""
        if self.labels_key is None:
            return [""] * count
        key = f"{self.labels_key}{part}"
        found = file.read("dataset.labels_key", key)
        if found.shape != (count,):
            raise MismatchError(
                "dataset.labels_key",
                f"{file.path}: array {key!r} must be [{count}], as the series",
                got=list(found.shape),
            )
        return [str(value) for value in found.tolist()]

    def _masks(self, file: Arrays, part: str, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
        key = f"{self.mask_key}{part}"
        found = file.read("dataset.mask_key", key)
        if found.shape != (shape[0], shape[2]):
            raise MismatchError(
                "dataset.mask_key",
                f"{file.path}: array {key!r} must be [series, steps], [{shape[0]}, {shape[2]}]",
                got=list(found.shape),
            )
        return found != 0  # type: ignore[no-any-return]  # of an array

    # Rows

    def _listing(self) -> tuple[Listing, list[int]]:
        """The rows, and which columns are steps."""
        listing = read_listing("dataset.path", self.path, self.delimiter)
        for name in self.ignore:
            listing.column("dataset.ignore", name)
        for parameter, chosen in (("label_column", self.label_column), ("id_column", self.id_column)):
            if chosen is not None:
                listing.column(f"dataset.{parameter}", chosen)
        others = {self.label_column, self.id_column, *self.ignore}
        steps = [i for i, name in enumerate(listing.header) if name not in others]
        if not steps:
            raise MismatchError("dataset.path", f"{listing.path} has no column of steps")
        return listing, steps

    def _from_listing(self) -> _Series:
        import numpy as np

        listing, steps = self._listing()
        names = listing.ids("dataset.id_column", self.id_column)
        cells = [""] * len(names)
        if self.label_column is not None:
            cells = listing.column("dataset.label_column", self.label_column)
        labels = read_labels("dataset.label_column", cells, listing.at, self.classes)
        values = np.empty((len(names), 1, len(steps)), dtype=np.float32)
        for row, written in enumerate(listing.rows):
            values[row, 0] = [_number(listing, row, step, written[step]) for step in steps]
        held_out, train = self._cut(names)
        return _Series(values, labels, None, [f"{listing.path.stem}/{name}" for name in names], held_out, train)


def _number(listing: Listing, row: int, step: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not abs(value) < 3.4e38:  # of float32
        raise MismatchError(
            "dataset.path",
            f"{listing.at(row)}, column {listing.header[step]!r}: a step must be a finite number",
            got=cell,
            hint=f"a column that is no step: dataset.ignore=[{listing.header[step]}]",
        )
    return value


def _check_finite(where: str, values: NDArray[np.float32], at: Any) -> None:
    import numpy as np

    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, channel, step = bad[0].tolist()
        raise ResourceError(
            where,
            f"{at(row)}: channel {channel}, step {step} is no finite number",
            got=float(values[row, channel, step]),
            hint="series of unlike lengths, or with gaps, must be brought to one length first",
        )


def _source(series: _Series, rows: Sequence[int]) -> Source:
    import torch

    values = torch.from_numpy(series.values)
    masks = None if series.masks is None else torch.from_numpy(series.masks)

    def read(start: int, stop: int) -> Sequence[Sample]:
        samples = []
        for row in rows[start:stop]:
            mask = None if masks is None else masks[row].clone()
            name = series.ids[row].partition("/")[2]
            samples.append(Sample(series.ids[row], values[row].clone(), series.labels.indices[row], mask, name))
        return samples

    return Source(len(rows), read, series.labels.names)
