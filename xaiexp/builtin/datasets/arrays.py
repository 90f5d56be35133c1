"""The dataset ``arrays``: arrays of an ``.npz`` file, one of which is explained while others ride along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xaiexp.builtin.datasets.labels import LabelKind, LabelRules, Labels, read_labels
from xaiexp.builtin.datasets.npz_file import NpzFile, open_npz
from xaiexp.builtin.datasets.written_numbers import PLAIN
from xaiexp.contract.kinds import Dataset
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.core.vocabulary import Modality
from xaiexp.errors import MismatchError, UserError
from xaiexp.store.fingerprints import file_stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Arrays"]

_AXES = {"image": 3, "table": 1, "series": 2}


@dataclass(frozen=True)
class Arrays(Dataset):
    """Arrays of an ``.npz`` file with one row an example: one is explained, others are passed on as they are.

    For a network with several inputs (an image and a table): each of them is explained by a study of its own, as in
    ``xaiexp dataset=arrays dataset.inputs=table 'dataset.context=[image,table]'``, see ``model.inputs`` of
    ``model=factory``.

    Args:
        path: path of the file; it is read without pickle.
        inputs: key of the explained array: images ``[N, C, H, W]`` (floats in 0..1, or uint8), rows ``[N, F]``, or
            series ``[N, C, T]``.
        context: keys of the arrays that the network reads besides, ``[N, ...]``; a key is the name of the parameter of
            its ``forward``. They are neither explained nor perturbed. The key of ``inputs`` may be among them.
        labels: key of the labels: texts or numbers, one an example (NaN where unknown); null if there are none.
        classes: class names by index; empty takes the distinct labels, in numerical or alphabetical order.
        label_kind: as of ``dataset=csv``.
    """

    summary = "arrays of an .npz file: one is explained, others ride along"
    source = "the user's own file"

    path: str
    inputs: str = "inputs"
    context: tuple[str, ...] = ()
    labels: str | None = None
    classes: tuple[str, ...] = ()
    label_kind: LabelKind = "auto"

    @property
    def modality(self) -> Modality:
        """From the number of axes of the explained array; ``table`` while the file cannot be read."""
        try:
            axes = len(self._file().shape("dataset.inputs", self.inputs)) - 1
        except UserError:
            return "table"
        found: dict[int, Modality] = {3: "image", 2: "series"}
        return found.get(axes, "table")

    def open(self) -> Source:
        """The examples; an id is the row number in the file.

        Raises:
            ResourceError: the file is missing or damaged.
            MismatchError: an array is missing, has another number of rows, or is not of numbers.
        """
        import torch

        file = self._file()
        count = self._shape(file)[0]
        inputs = self._numbers(file, "dataset.inputs", self.inputs, count)
        further = [key for key in self.context if key != self.inputs]
        context = {key: self._numbers(file, "dataset.context", key, count) for key in further}
        labels = self._labels(file, count)

        def read(start: int, stop: int) -> Sequence[Sample]:
            return [
                Sample(
                    str(row),
                    torch.from_numpy(inputs[row].copy()),
                    labels.values[row],
                    context={key: torch.from_numpy(values[row].copy()) for key, values in context.items()},
                )
                for row in range(start, stop)
            ]

        return Source(count, read, labels.names, task=labels.task, labels=lambda: labels.values)

    def fingerprint(self) -> str:
        """Path, size and modification time of the file."""
        return file_stamp(self.path)

    def outline(self) -> Outline:
        """Number and shape of the examples, from the headers of the arrays."""
        count, *shape = self._shape(self._file())
        return Outline(count, tuple(shape))

    def _file(self) -> NpzFile:
        return open_npz("dataset.path", self.path)

    def _shape(self, file: NpzFile) -> tuple[int, ...]:
        shape = file.shape("dataset.inputs", self.inputs)
        if len(shape) - 1 not in _AXES.values() or 0 in shape:
            raise MismatchError(
                "dataset.inputs",
                f"{file.path}: array {self.inputs!r} must be [N, C, H, W], [N, C, T] or [N, F], and not empty",
                got=list(shape),
            )
        return shape

    def _numbers(self, file: NpzFile, where: str, key: str, count: int) -> NDArray[Any]:
        """The array under a key: floats as float32, bytes of images in 0..1; integers of the context as they are."""
        import numpy as np

        values = file.read(where, key)
        if values.dtype.kind not in "biuf" or not values.ndim or len(values) != count:
            raise MismatchError(
                where,
                f"{file.path}: array {key!r} must hold numbers, one row for each of the {count} of {self.inputs!r}",
                got=f"{values.dtype} {list(values.shape)}",
            )
        if values.dtype == np.uint8 and values.ndim == 4:
            return np.asarray(values, dtype=np.float32) / 255
        explained = key == self.inputs
        return np.asarray(values, dtype=np.float32 if explained or values.dtype.kind == "f" else np.int64)

    def _labels(self, file: NpzFile, count: int) -> Labels:
        if self.labels is None:
            return Labels((None,) * count, self.classes)
        values = file.read("dataset.labels", self.labels)
        if values.shape != (count,):
            raise MismatchError(
                "dataset.labels",
                f"{file.path}: array {self.labels!r} must have shape [{count}]",
                got=list(values.shape),
            )
        cells = [None if value != value else str(value) for value in values.tolist()]  # NaN
        rules = LabelRules(self.label_kind, ";", self.classes, PLAIN)
        return read_labels("dataset.labels", cells, lambda row: f"{file.path}, {self.labels}[{row}]", rules)
