"""The dataset ``hf_dataset``: datasets in the format of Hugging Face, in a folder or on the hub."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from xaiexp.builtin.datasets.labels import LabelKind, LabelRules, Labels, read_labels
from xaiexp.builtin.datasets.text import estimated_tokens
from xaiexp.builtin.image_decoding import image_data
from xaiexp.contract.kinds import Dataset
from xaiexp.core.samples import Label, Outline, Sample, Source
from xaiexp.core.vocabulary import Modality
from xaiexp.errors import MismatchError, ParameterError, ResourceError, nearest
from xaiexp.store.fingerprints import folder_stamp

__all__ = ["HfDataset"]

_OLDEST_VERSION = 4  # earlier versions run loading scripts of datasets
_ROWS_TO_ESTIMATE_TOKENS = 500


@dataclass(frozen=True)
class HfDataset(Dataset):
    """Texts or images of one split of a dataset in the format of Hugging Face.

    It needs the library ``datasets``, version 4 or newer, which does not run code of a dataset. Images that are neither
    greyscale nor RGB are converted to RGB.

    Args:
        path: a folder written by ``save_to_disk``, a folder of data files, or the id of a dataset on the hub.
        split: the split to explain; ignored if the folder contains a single one.
        text_column: column of the texts; ignored if there is an ``image_column``.
        image_column: column of the images; null for texts.
        label_column: column of the labels: classes by index, number or name, lists of these, or values; null if there
            is none.
        id_column: column of unique example ids; null for the row number, from 0.
        subset: configuration of a dataset on the hub.
        revision: branch, tag or commit of a dataset on the hub.
        classes: class names by index; empty takes those of the dataset.
        label_kind: what the labels are: one ``class`` an example, a ``value``, or a ``set`` of any number of classes.
            ``auto`` takes lists for sets, and numbers for values if most of them have a fraction and more than twenty
            are distinct; what could be read in two ways is refused.
    """

    summary = "texts or images of a Hugging Face dataset, from a folder or the hub"
    source = "Lhoest et al. 2021 (the library datasets); the data are the user's choice"

    path: str
    split: str = "test"
    text_column: str | None = "text"
    image_column: str | None = None
    label_column: str | None = "label"
    id_column: str | None = None
    subset: str | None = None
    revision: str | None = None
    classes: tuple[str, ...] = ()
    label_kind: LabelKind = "auto"

    @property
    def modality(self) -> Modality:
        """``image`` if ``image_column`` is given, else ``text``."""
        return "text" if self.image_column is None else "image"

    def open(self) -> Source:
        """The samples; an id consists of the split and the row id.

        Raises:
            ResourceError: library or folder are missing, the hub cannot be reached, or the data are damaged.
            MismatchError: there is no such split or column, or a label is invalid.
            ParameterError: neither ``text_column`` nor ``image_column`` is given.
        """
        rows, column = self._rows()
        labels = self._labels(rows)
        names = [str(row) for row in range(len(rows))]
        if self.id_column is not None:
            names = [str(name) for name in _values(rows, self.id_column)]
            _check_unique(names)

        def read(start: int, stop: int) -> Sequence[Sample]:
            numbers = range(len(rows))[start:stop]
            values = self._read(rows.select_columns([column]), numbers, column)
            return [
                Sample(f"{self.split}/{names[row]}", data, labels.values[row], name=f"row {names[row]}")
                for row, data in zip(numbers, values, strict=True)
            ]

        def cells(name: str) -> list[str]:
            _check_column(rows, "cluster", name)
            return ["" if value is None else str(value) for value in _values(rows, name)]

        return Source(len(rows), read, labels.names, task=labels.task, labels=lambda: labels.values, cells=cells)

    def fingerprint(self) -> str:
        """Path, size and modification time of every file of a folder; empty for a dataset on the hub."""
        return folder_stamp(self.path)

    def outline(self) -> Outline:
        """Number of examples; for texts, an estimate of the number of tokens."""
        rows, column = self._rows()
        if self.modality == "image":
            return Outline(len(rows), None)
        texts = self._read(rows.select_columns([column]), range(min(_ROWS_TO_ESTIMATE_TOKENS, len(rows))), column)
        return Outline(len(rows), (estimated_tokens(texts),), exact=False)

    def _rows(self) -> tuple[Any, str]:
        """The rows of the split, and the column of the inputs."""
        column = self.text_column if self.image_column is None else self.image_column
        if column is None:
            raise ParameterError("dataset.text_column", "either this or image_column must be given")
        with _quiet() as library:
            rows = self._loaded(library)
        for parameter, name in ((f"{self.modality}_column", column), ("label_column", self.label_column)):
            _check_column(rows, f"dataset.{parameter}", name)
        _check_column(rows, "dataset.id_column", self.id_column)
        if not len(rows):
            raise ResourceError("dataset.path", f"split {self.split!r} of {self.path} has no rows")
        return rows, column

    def _loaded(self, library: Any) -> Any:
        """The split, loaded by the library."""
        folder = Path(self.path).expanduser()
        try:
            if (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
                loaded = library.load_from_disk(str(folder))
            else:
                location = str(folder) if folder.is_dir() else self.path
                loaded = library.load_dataset(location, self.subset, revision=self.revision)
        except Exception as broken:  # files, networks and parsers raise errors of many types
            lines = str(broken).strip().splitlines() or [type(broken).__name__]
            raise ResourceError(
                "dataset.path",
                f"cannot be loaded: {lines[0][:200]}",
                got=self.path,
                hint="give a folder written by save_to_disk, or an id on the hub (which needs a network)",
            ) from None
        if not isinstance(loaded, dict):
            return loaded
        if self.split not in loaded:
            raise MismatchError(
                "dataset.split",
                f"{self.path} has no such split",
                got=self.split,
                nearest=nearest(self.split, loaded),
                hint=f"splits: {', '.join(loaded)}",
            )
        return loaded[self.split]

    def _labels(self, rows: Any) -> Labels:
        """The labels of the rows."""
        if self.label_column is None:
            return Labels((None,) * len(rows), self.classes)
        values = list(_values(rows, self.label_column))
        feature = rows.features[self.label_column]
        if names := self._class_names(feature):
            if self.label_kind in ("auto", "class"):
                return Labels(tuple(map(_known, values)), names)
        elif (names := self._class_names(getattr(feature, "feature", None))) and self.label_kind in ("auto", "set"):
            sets = (None if value is None else tuple(sorted({int(index) for index in value})) for value in values)
            return Labels(tuple(sets), names, "multilabel")

        def place(row: int) -> str:
            return f"{self.path}, split {self.split}, row {row}"

        cells = [_written(value) for value in values]
        return read_labels("dataset.label_column", cells, place, LabelRules(self.label_kind, classes=self.classes))

    def _class_names(self, feature: Any) -> tuple[str, ...]:
        """The class names of a column of class indices; empty for other columns."""
        names = tuple(getattr(feature, "names", None) or ())
        if names and self.classes and len(self.classes) != len(names):
            raise MismatchError("dataset.classes", f"{self.path} has {len(names)} classes", got=list(self.classes))
        return names and (self.classes or names)

    def _read(self, rows: Any, numbers: range, column: str) -> list[Any]:
        """The texts or images of the rows with the given numbers.

        Raises:
            MismatchError: a value is neither a text nor an image, as required.
            ResourceError: an image is damaged.
        """
        from PIL import Image

        try:
            values = rows[numbers.start : numbers.stop][column]
        except (OSError, ValueError, SyntaxError) as broken:
            raise ResourceError(
                "dataset.path", f"{self.path}, rows {numbers.start} to {numbers.stop - 1} cannot be decoded: {broken}"
            ) from None
        kind: type = str if self.modality == "text" else Image.Image
        for row, value in zip(numbers, values, strict=True):
            if not isinstance(value, kind):
                raise MismatchError(
                    f"dataset.{self.modality}_column",
                    f"row {row} of column {column!r} is not {'a text' if self.modality == 'text' else 'an image'}",
                    got=type(value).__name__,
                )
        if self.modality == "text":
            return list(values)
        return [
            image_data("dataset.path", f"row {row} of {self.path}", image)
            for row, image in zip(numbers, values, strict=True)
        ]


def _known(index: int | None) -> Label:
    """A class index; -1 denotes an unpublished label."""
    return None if index is None or index < 0 else int(index)


def _written(value: Any) -> str | None:
    """A label as it would be written in a file; None where it is unknown."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return json.dumps(value) if isinstance(value, list) else str(value)


def _values(rows: Any, column: str) -> Any:
    return rows.select_columns([column])[:][column]


def _check_column(rows: Any, where: str, name: str | None) -> None:
    if name is not None and name not in rows.column_names:
        raise MismatchError(
            where,
            "the dataset has no such column",
            got=name,
            nearest=nearest(name, rows.column_names),
            hint=f"columns: {', '.join(rows.column_names)}",
        )


def _check_unique(names: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for row, name in enumerate(names):
        if first.setdefault(name, row) != row:
            raise MismatchError("dataset.id_column", f"rows {first[name]} and {row} have the same id", got=name)


@contextlib.contextmanager
def _quiet() -> Iterator[Any]:
    """The library ``datasets``, without progress bars within the block.

    Raises:
        ResourceError: the library is not installed, or too old.
    """
    try:
        datasets: Any = import_module("datasets")
    except ImportError:
        raise ResourceError(
            "dataset.hf_dataset",
            "needs the library datasets, which is not installed",
            hint=f"pip install 'datasets>={_OLDEST_VERSION}'",
        ) from None
    if int(datasets.__version__.split(".")[0]) < _OLDEST_VERSION:
        raise ResourceError(
            "dataset.hf_dataset",
            "this version of the library datasets may run code of a dataset",
            got=datasets.__version__,
            hint=f"pip install 'datasets>={_OLDEST_VERSION}'",
        )
    were_shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield datasets
    finally:
        if were_shown:
            datasets.enable_progress_bars()
