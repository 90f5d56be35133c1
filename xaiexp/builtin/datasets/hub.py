"""Data sets of the library ``datasets``: saved in a folder, or on the hub."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from xaiexp.builtin.datasets.labels import Labels, read_labels
from xaiexp.builtin.datasets.text import about_tokens
from xaiexp.contract.kinds import Dataset
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.core.vocabulary import Modality
from xaiexp.errors import MismatchError, ParameterError, ResourceError, nearest

__all__ = ["HfDataset"]

_OLDEST = 4  # before, a data set could bring a script of its own
_LOOKED_AT = 500


@dataclass(frozen=True)
class HfDataset(Dataset):
    """Texts or pictures of a data set in the format of Hugging Face, one split of it.

    It needs the library ``datasets``, 4 or newer, which runs no code that a data set brings. Pictures that are neither
    grey nor RGB are converted to RGB.

    Args:
        path: a folder made by ``save_to_disk``, a folder of data files, or the id of a data set on the hub.
        split: the part to explain; not read where the folder holds one part alone.
        text_column: the column of the texts; not read where there is an ``image_column``.
        image_column: the column of the pictures; null where it is texts.
        label_column: the column of the labels, classes by index, number or name; null where there are none.
        id_column: what names an example; null for the number of its row, from 0.
        subset: which configuration of a data set on the hub.
        revision: of a data set on the hub: a branch, a tag or a commit.
        classes: class names by index; empty takes the data set's own.
    """

    summary = "texts or pictures of a Hugging Face data set, from a folder or the hub"
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

    @property
    def modality(self) -> Modality:
        """Pictures where ``image_column`` is given, texts elsewhere."""
        return "text" if self.image_column is None else "image"

    def open(self) -> Source:
        """The samples; an id is the split and what names the row.

        Raises:
            ResourceError: the library, the folder or the hub is missing or out of reach, or the data are damaged.
            MismatchError: no such split or column, a label that is none.
            ParameterError: both or none of ``text_column`` and ``image_column``.
        """
        rows, column = self._rows()
        labels = self._labels(rows)
        names = [str(row) for row in range(len(rows))]
        if self.id_column is not None:
            names = [str(name) for name in _values(rows, self.id_column)]
            _check_unique(names)

        def read(start: int, stop: int) -> Sequence[Sample]:
            places = range(len(rows))[start:stop]
            found = self._read(rows.select_columns([column]), places, column)
            return [
                Sample(f"{self.split}/{names[row]}", data, labels.indices[row], name=f"row {names[row]}")
                for row, data in zip(places, found, strict=True)
            ]

        return Source(len(rows), read, labels.names)

    def outline(self) -> Outline:
        """How many examples; of texts, about how many tokens."""
        rows, column = self._rows()
        if self.modality == "image":
            return Outline(len(rows), None)
        some = self._read(rows.select_columns([column]), range(min(_LOOKED_AT, len(rows))), column)
        return Outline(len(rows), (about_tokens(some),), exact=False)

    def _rows(self) -> tuple[Any, str]:
        """The split, and the column of its inputs."""
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
        folder = Path(self.path).expanduser()
        try:
            if (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
                found = library.load_from_disk(str(folder))
            else:
                place = str(folder) if folder.is_dir() else self.path
                found = library.load_dataset(place, self.subset, revision=self.revision)
        except Exception as broken:  # files, networks and parsers fail in many ways
            lines = str(broken).strip().splitlines() or [type(broken).__name__]
            raise ResourceError(
                "dataset.path",
                f"cannot be loaded: {lines[0][:200]}",
                got=self.path,
                hint="a folder made by save_to_disk, or an id on the hub, with a network to reach it",
            ) from None
        if not isinstance(found, dict):
            return found
        if self.split not in found:
            raise MismatchError(
                "dataset.split",
                f"{self.path} has no such split",
                got=self.split,
                nearest=nearest(self.split, found),
                hint=f"splits: {', '.join(found)}",
            )
        return found[self.split]

    def _labels(self, rows: Any) -> Labels:
        if self.label_column is None:
            return Labels((None,) * len(rows), self.classes)
        values = list(_values(rows, self.label_column))
        own = getattr(rows.features[self.label_column], "names", None)
        if own:  # indices already; -1 stands for a label that is kept secret
            names = self.classes or tuple(own)
            if len(names) != len(own):
                raise MismatchError("dataset.classes", f"{self.path} has {len(own)} classes", got=list(names))
            return Labels(tuple(None if value is None or value < 0 else int(value) for value in values), names)

        def at(row: int) -> str:
            return f"{self.path}, split {self.split}, row {row}"

        cells = ["" if value is None else str(value) for value in values]
        return read_labels("dataset.label_column", cells, at, self.classes)

    def _read(self, rows: Any, places: range, column: str) -> list[Any]:
        """Texts or pictures of some rows.

        Raises:
            MismatchError: they are something else.
            ResourceError: a picture is damaged.
        """
        from PIL import Image

        try:
            found = rows[places.start : places.stop][column]
        except (OSError, ValueError, SyntaxError) as broken:
            raise ResourceError(
                "dataset.path", f"{self.path}, rows {places.start} to {places.stop - 1} cannot be decoded: {broken}"
            ) from None
        kind: type = str if self.modality == "text" else Image.Image
        for row, value in zip(places, found, strict=True):
            if not isinstance(value, kind):
                raise MismatchError(
                    f"dataset.{self.modality}_column",
                    f"row {row} of column {column!r} is no {self.modality}",
                    got=type(value).__name__,
                )
        if self.modality == "text":
            return list(found)
        return [each if each.mode in ("L", "RGB") else each.convert("RGB") for each in found]


def _values(rows: Any, column: str) -> Any:
    return rows.select_columns([column])[:][column]


def _check_column(rows: Any, where: str, name: str | None) -> None:
    if name is not None and name not in rows.column_names:
        raise MismatchError(
            where,
            "the data set has no such column",
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
    """The library, without its progress bars.

    Raises:
        ResourceError: it is not installed, or too old.
    """
    try:
        datasets: Any = import_module("datasets")
    except ImportError:
        raise ResourceError(
            "dataset.hf_dataset",
            "needs the library datasets, which is not installed",
            hint=f"pip install 'datasets>={_OLDEST}'",
        ) from None
    if int(datasets.__version__.split(".")[0]) < _OLDEST:
        raise ResourceError(
            "dataset.hf_dataset",
            "this version of the library datasets may run code that a data set brings",
            got=datasets.__version__,
            hint=f"pip install 'datasets>={_OLDEST}'",
        )
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield datasets
    finally:
        if shown:
            datasets.enable_progress_bars()
