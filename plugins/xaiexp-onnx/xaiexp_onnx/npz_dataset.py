"""The dataset ``npz``: images and labels from an ``.npz`` file."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from xaiexp.plugin import Dataset, MismatchError, Outline, Range, ResourceError, Sample, Source, file_stamp, nearest

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Layout", "Npz", "channels_last"]

Layout = Literal["auto", "nchw", "nhwc"]


def channels_last(where: str, layout: Layout, shape: Sequence[int]) -> bool:
    """Whether the last axis of images is that of the channels.

    Args:
        where: the parameter that selects the layout, for messages.
        layout: the selected layout; ``auto`` takes the axis of length 1, 3 or 4.
        shape: ``(C, H, W)`` or ``(H, W, C)``.

    Raises:
        MismatchError: the layout is ``auto`` and the shape is ambiguous.
    """
    if layout != "auto":
        return layout == "nhwc"
    first, last = (shape[axis] in (1, 3, 4) for axis in (0, 2))
    if first == last:
        raise MismatchError(
            where, "must be given, because the shape is ambiguous", got=list(shape), hint="nchw or nhwc"
        )
    return last


@dataclass(frozen=True)
class Npz(Dataset):
    """Images of an ``.npz`` file, ``[N, H, W]`` or with channels, as float tensors ``[C, H, W]`` in 0..1.

    Args:
        path: path of the file; it is read without pickle.
        images_key: key of the images: uint8, uint16 or floats.
        labels_key: key of the labels, integers ``[N]``; null if there are none.
        classes: the labels to keep, renumbered 0, 1, ... in this order; empty keeps all labels.
        layout: layout of images with channels; ``auto`` takes the axis of length 1, 3 or 4 for the channels.
        scale: the value that is mapped to 1; null takes 255 for uint8, 65535 for uint16 and 1 for floats.
    """

    summary = "images and labels from an .npz file"
    source = "the user's own file"
    modality = "image"

    path: str
    images_key: str = "images"
    labels_key: str | None = "labels"
    classes: tuple[int, ...] = ()
    layout: Layout = "auto"
    scale: Annotated[float, Range(0, exclusive=True)] | None = None

    def open(self) -> Source:
        """The samples; an id is the row number in the file.

        Raises:
            ResourceError, MismatchError: file or array are missing or damaged, shapes are not those of images, values
                are out of range, or a class has no examples.
        """
        import torch

        images = self._array("images_key", self.images_key)
        last = self._channels_last(images.shape)
        rows, labels = self._rows(len(images))
        scale = self._scale(images)

        def read(start: int, stop: int) -> Sequence[Sample]:
            samples = []
            for index in range(len(rows))[start:stop]:
                row, label = rows[index], labels[index]
                image = torch.from_numpy(images[row].copy()).float() / scale
                image = image.unsqueeze(0) if image.ndim == 2 else image.permute(2, 0, 1) if last else image
                name = str(self.classes[label]) if self.classes and label is not None else ""
                samples.append(Sample(str(row), image.contiguous(), label, name=name))
            return samples

        return Source(len(rows), read, tuple(map(str, self.classes)), labels=lambda: labels)

    def fingerprint(self) -> str:
        """Path, size and modification time of the file."""
        return file_stamp(self.path)

    def outline(self) -> Outline:
        """Number and shape of the images, from the header of the array."""
        shape = self._shape("images_key", self.images_key)
        last = self._channels_last(shape)
        rows, _ = self._rows(shape[0])
        image = tuple(shape[1:])
        return Outline(len(rows), (1, *image) if len(image) == 2 else (image[2], *image[:2]) if last else image)

    def _file(self) -> Path:
        """The path of the file, which exists and is a zip archive."""
        path = Path(self.path).expanduser()
        if not path.is_file():
            raise ResourceError("dataset.path", "no such file", got=str(path))
        if not zipfile.is_zipfile(path):
            raise ResourceError("dataset.path", f"{path} is not an .npz file")
        return path

    def _shape(self, where: str, key: str) -> tuple[int, ...]:
        """The shape of the array under a key, from its header; ``where`` is the parameter that names the key.

        Raises:
            MismatchError: there is no such array.
            ResourceError: the file is damaged or contains Python objects, or the array would take far more memory than
                the file holds.
        """
        from numpy.lib import format as npy

        path = self._file()
        try:
            with zipfile.ZipFile(path) as archive:
                entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
                if key not in entries:
                    raise MismatchError(
                        f"dataset.{where}",
                        f"{path} has no such array",
                        got=key,
                        nearest=nearest(key, entries),
                        hint=f"arrays: {', '.join(entries)}",
                    )
                entry = entries[key]
                # A larger array that is compressed more than this may be a zip bomb; numpy.savez does not compress.
                if entry.file_size > max(1 << 28, 100 * entry.compress_size):
                    raise _unreadable(
                        path, f"{key!r} would expand from {entry.compress_size} bytes to {entry.file_size}"
                    )
                with archive.open(entry) as member:
                    version = npy.read_magic(member)
                    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                    shape, _, dtype = header(member)
                    held = entry.file_size - member.tell()
                if dtype.hasobject:
                    raise _unreadable(path, f"{key!r} contains Python objects")
                if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize > held:
                    raise _unreadable(
                        path, f"the header of {key!r} claims {dtype} {list(shape)}, the file holds {held} bytes"
                    )
        except (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as broken:
            raise _unreadable(path, broken) from None
        return tuple(shape)

    def _array(self, where: str, key: str) -> np.ndarray[Any, Any]:
        """The array under a key; ``where`` is the parameter that names the key."""
        import numpy as np

        self._shape(where, key)
        path = self._file()
        try:
            with np.load(path, allow_pickle=False) as arrays:
                array: np.ndarray[Any, Any] = arrays[key]
        except Exception as broken:  # a damaged archive may raise anything
            raise _unreadable(path, broken) from None
        return array

    def _rows(self, count: int) -> tuple[list[int], list[int | None]]:
        """The numbers of the rows to keep, and their labels."""
        if self.labels_key is None:
            if self.classes:
                raise MismatchError(
                    "dataset.classes", "selects by label, but there are no labels", hint="labels_key=NAME"
                )
            return list(range(count)), [None] * count
        labels = self._array("labels_key", self.labels_key)
        if labels.ndim != 1 or labels.dtype.kind not in "iub" or len(labels) != count:
            raise MismatchError(
                "dataset.labels_key",
                "must be one integer for each image [N]",
                got=f"{labels.dtype} {list(labels.shape)}",
            )
        values = [int(label) for label in labels]
        if not self.classes:
            return list(range(len(values))), list(values)
        absent = [label for label in self.classes if label not in values]
        if absent or len(set(self.classes)) < len(self.classes):
            raise MismatchError(
                "dataset.classes",
                f"no example has the label {absent[0]}" if absent else "contains a label twice",
                got=list(self.classes),
                hint=f"labels: {', '.join(map(str, sorted(set(values))[:20]))}",
            )
        kept = [row for row, label in enumerate(values) if label in self.classes]
        return kept, [self.classes.index(values[row]) for row in kept]

    def _channels_last(self, shape: Sequence[int]) -> bool:
        """Whether the last axis of the array of images is that of the channels."""
        if len(shape) == 3:
            return False
        if len(shape) != 4:
            raise MismatchError(
                "dataset.images_key", "must be images [N, H, W], [N, C, H, W] or [N, H, W, C]", got=list(shape)
            )
        return channels_last("dataset.layout", self.layout, shape[1:])

    def _scale(self, images: np.ndarray[Any, Any]) -> float:
        """The value that is mapped to 1, after a check of the range of all values."""
        import numpy as np

        if images.dtype.kind != "f" and images.dtype not in (np.uint8, np.uint16):
            raise MismatchError("dataset.images_key", "must be uint8, uint16 or floats", got=str(images.dtype))
        scale = self.scale or (1.0 if images.dtype.kind == "f" else float(np.iinfo(images.dtype).max))
        low, high = (float(end) for end in (images.min(), images.max())) if images.size else (0.0, 0.0)
        if not (math.isfinite(low) and math.isfinite(high)) or low < 0 or high > scale:
            raise MismatchError(
                "dataset.scale", f"images must lie between 0 and {scale:g}", got=[low, high], hint="scale=MAXIMUM"
            )
        return scale


def _unreadable(path: Path, reason: object) -> ResourceError:
    return ResourceError("dataset.path", f"{path} cannot be read as .npz: {reason}")
