"""The dataset ``image_folder``: images listed in a CSV file, or sorted into one folder per class."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.datasets.labels import LabelKind, LabelRules, read_table_labels
from xaiexp.builtin.datasets.table_file import TableFile, read_table_file
from xaiexp.builtin.image_decoding import WHITE, image_data
from xaiexp.contract.kinds import Dataset
from xaiexp.core.parameters import Range
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import MismatchError, ResourceError, nearest
from xaiexp.store.fingerprints import file_stamp

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

__all__ = ["ImageFolder"]

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a box in pixels; right and bottom are excluded."""


@dataclass(frozen=True)
class ImageFolder(Dataset):
    """Images in a folder, with labels, masks and boxes from a CSV file; decoded when they are read.

    Images are rotated according to their EXIF orientation, composed over ``background`` where they are transparent and
    converted to RGB; of several images in a file the first is read. They become PIL images of 8 bits per channel.
    Greyscale of 16 bits or of floats becomes a float tensor ``[3, H, W]`` in 0..1 without loss: 65535 is mapped to 1,
    floats must lie in 0..1. Values out of range are refused. Of colours of 16 bits, PIL decodes the upper 8. A damaged
    file is an error when it is read, not when the dataset is opened.

    Without a CSV file, the subfolders of ``root`` are the classes, in alphabetical order. An image in ``root`` itself
    is then an error, because it suggests that the CSV file is missing.

    Args:
        root: folder of the images.
        labels: the CSV file; null takes ``labels.csv`` in ``root`` or, if that is missing, one folder per class.
        file_column: column of file names, relative to ``root``.
        label_column: column of the labels: class indices or names from ``classes``, or as ``label_kind`` says; null if
            there is none.
        mask_column: column of ground-truth masks: image files, nonzero in the relevant region, of the size of their
            image, relative to ``root`` or to the folder of the CSV file. An empty cell, null or a missing column means
            no mask.
        box_column: column of ground-truth boxes, ``[[left, top, right, bottom], ...]`` in pixels of the image after
            rotation, right and bottom excluded; used for an image without a mask in ``mask_column``. An empty cell,
            null or a missing column means no boxes.
        name_column: column of display names; ignored if it is missing.
        classes: class names by index; for folders, empty takes the names of the folders.
        background: colour behind transparent pixels, RGB in 0..1; white as in most viewers.
        scale: the value of a channel that is mapped to 1, such as 4095 for 12 bits in greyscale files of 16; null takes
            the largest value of the type, 1 for floats.
        label_kind: what the labels are: one ``class`` an image, a ``value``, or a ``set`` of any number of classes.
            ``auto`` takes numbers for values if most of them have a fraction and more than twenty are distinct, and
            JSON lists for sets; what could be read in two ways is refused.
        label_separator: between the classes of a set that is not a JSON list; an empty cell is then an image of no
            class.
        label_columns: columns of 0 and 1, one a class, in place of ``label_column`` (null): a set of classes.
    """

    summary = "images in a folder, listed in a CSV file with labels, masks and boxes, or in one folder per class"
    source = "the user's own files"
    modality = "image"

    root: str
    labels: str | None = None
    file_column: str = "file"
    label_column: str | None = "label"
    mask_column: str | None = "mask"
    box_column: str | None = "boxes_xyxy"
    name_column: str | None = "class_name"
    classes: tuple[str, ...] = ()
    background: Annotated[tuple[float, float, float], Range(0, 1)] = WHITE
    scale: Annotated[float, Range(0, exclusive=True)] | None = None
    label_kind: LabelKind = "auto"
    label_separator: str = ";"
    label_columns: tuple[str, ...] = ()

    def open(self) -> Source:
        """The samples; an id is the file name in the CSV file.

        Raises:
            ResourceError, MismatchError: folder, CSV file, column, image or mask are missing, or a label is invalid.
        """
        import torch

        if self._has_class_folders():
            return self._open_class_folders()
        table, files = self._listed_files()
        count = len(files)
        rules = LabelRules(self.label_kind, self.label_separator, self.classes, only_indices=True)
        labels = read_table_labels(table, self.label_column, self.label_columns, rules)
        masks = self._mask_files(table)
        boxes = self._boxes(table)
        names = [""] * count
        if self.name_column in table.header and self.name_column is not None:
            names = table.column("dataset.name_column", self.name_column)
        for row, (path, mask) in enumerate(zip(files, masks, strict=True)):
            for file in (path,) if mask is None else (path, mask):
                if not file.is_file():
                    raise ResourceError("dataset.root", f"{table.place(row)}: no such file", got=str(file))
        ids = table.column("dataset.file_column", self.file_column)

        def read(start: int, stop: int) -> Sequence[Sample]:
            samples = []
            for row in range(count)[start:stop]:
                image = self._read_image(files[row])
                size = (image.shape[2], image.shape[1]) if isinstance(image, torch.Tensor) else image.size
                mask_file = masks[row]
                mask = None if mask_file is None else _read_mask(mask_file, files[row], size)
                if mask is None and boxes[row]:
                    mask = _box_mask(table.place(row), boxes[row], size)
                samples.append(Sample(ids[row], image, labels.values[row], mask, names[row]))
            return samples

        return Source(
            count,
            read,
            labels.names,
            task=labels.task,
            labels=lambda: labels.values,
            cells=lambda name: table.column("cluster", name),
        )

    def fingerprint(self) -> str:
        """Path, size and modification time of the folder, the CSV file, and every image and mask."""
        if self._has_class_folders():
            return file_stamp(self.root, *(path for path, _ in self._class_folders()[1]))
        table, images = self._listed_files()
        masks = [path for path in self._mask_files(table) if path is not None]
        return file_stamp(self.root, table.path, *images, *masks)

    def outline(self) -> Outline:
        """Number of images; their shape is determined by the preprocessing of the model."""
        if self._has_class_folders():
            return Outline(len(self._class_folders()[1]), None)
        table, _ = self._listed_files()
        return Outline(len(table), None)

    def _has_class_folders(self) -> bool:
        """Whether the images are in one folder per class, without a CSV file."""
        root = Path(self.root).expanduser()
        return self.labels is None and root.is_dir() and not (root / "labels.csv").exists()

    def _class_folders(self) -> tuple[tuple[str, ...], list[tuple[Path, int]]]:
        """The class names, and the image files with their class indices, in alphabetical order.

        Raises:
            ResourceError: there are no images in folders, or there are images beside the folders.
            MismatchError: the name of a folder is not in ``classes``.
        """
        root = Path(self.root).expanduser()
        folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        classes = self.classes or tuple(folder.name for folder in folders)
        images = []
        for folder in folders:
            if folder.name not in classes:
                raise MismatchError(
                    "dataset.classes",
                    f"{folder} is not one of the {len(classes)} classes",
                    got=folder.name,
                    nearest=nearest(folder.name, classes),
                )
            files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
            images += [(path, classes.index(folder.name)) for path in files]
        # Images beside the folders suggest that the folders are not classes (but masks, say) and the file is missing.
        if not images or any(path.suffix.lower() in _SUFFIXES for path in root.iterdir()):
            raise ResourceError(
                "dataset.labels",
                f"{root} contains neither a file labels.csv nor images in class folders only",
                hint="name the CSV file: dataset.labels=FILE",
            )
        return classes, images

    def _open_class_folders(self) -> Source:
        """The samples of one folder per class; an id consists of the class and the file name."""
        classes, files = self._class_folders()

        def read(start: int, stop: int) -> Sequence[Sample]:
            return [
                Sample(f"{path.parent.name}/{path.name}", self._read_image(path), label, name=path.parent.name)
                for path, label in files[start:stop]
            ]

        return Source(len(files), read, classes, labels=lambda: [label for _, label in files])

    def _read_image(self, path: Path) -> Image | Tensor:
        """The image in RGB: a PIL image, or a float tensor ``[3, H, W]`` where it has more than 8 bits per channel."""
        from PIL import Image

        hint = "dataset.scale=VALUE names the value that is mapped to 1"
        with _open(path) as file:
            data = image_data("dataset.root", str(path), file, self.background, self.scale, hint)
        return data.convert("RGB") if isinstance(data, Image.Image) else data.expand(3, -1, -1)

    def _listed_files(self) -> tuple[TableFile, list[Path]]:
        """The CSV file, and the paths of the images that it lists."""
        root = Path(self.root).expanduser()
        if not root.is_dir():
            raise ResourceError("dataset.root", "no such folder", got=str(root))
        table = read_table_file("dataset.labels", root / "labels.csv" if self.labels is None else self.labels)
        names = table.column("dataset.file_column", self.file_column)
        first: dict[str, int] = {}
        for row, name in enumerate(names):
            if first.setdefault(name, row) != row:
                raise ResourceError(
                    "dataset.labels",
                    f"{table.place(row)}: already listed on line {table.lines[first[name]]}",
                    got=name,
                )
        return table, [root / name for name in names]

    def _mask_files(self, table: TableFile) -> list[Path | None]:
        """The mask file of each image."""
        if self.mask_column is None or self.mask_column not in table.header:
            return [None] * len(table)
        root, table_folder = Path(self.root).expanduser(), table.path.parent
        cells = [cell.strip() for cell in table.column("dataset.mask_column", self.mask_column)]
        return [
            None if not cell else table_folder / cell if (table_folder / cell).is_file() else root / cell
            for cell in cells
        ]

    def _boxes(self, table: TableFile) -> list[tuple[Box, ...]]:
        """The boxes of each image.

        Raises:
            MismatchError: a cell is not a list of boxes.
        """
        if self.box_column is None or self.box_column not in table.header:
            return [()] * len(table)
        boxes_of = []
        for row, cell in enumerate(table.column("dataset.box_column", self.box_column)):
            try:
                boxes = json.loads(cell) if cell.strip() else []
                boxes_of.append(tuple(_parsed_box(box) for box in boxes))
            except (ValueError, TypeError) as error:
                raise MismatchError(
                    "dataset.box_column",
                    f"{table.place(row)}: {error}",
                    got=cell,
                    hint="boxes have the form [[left, top, right, bottom], ...]",
                ) from None
        return boxes_of


def _parsed_box(value: object) -> Box:
    """One box.

    Raises:
        ValueError: the value is not a box.
    """
    numbers = value if isinstance(value, list) else []
    if len(numbers) != 4 or not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        raise ValueError(f"{value} is not a box of four numbers")
    left, top, right, bottom = map(float, numbers)
    if not (left < right and top < bottom):
        raise ValueError(f"the box {value} is empty")
    return left, top, right, bottom


def _box_mask(where: str, boxes: Sequence[Box], size: tuple[int, int]) -> Tensor:
    """The mask, bool ``[H, W]``: pixels that overlap a box.

    Raises:
        MismatchError: a box lies outside the image.
    """
    import torch

    width, height = size
    mask = torch.zeros(height, width, dtype=torch.bool)
    for box in boxes:
        left, top, right, bottom = box
        if left >= width or top >= height or right <= 0 or bottom <= 0:
            raise MismatchError(
                "dataset.box_column", f"{where}: the box lies outside the image of {width} x {height}", got=list(box)
            )
        rows = slice(max(0, math.floor(top)), math.ceil(bottom))
        mask[rows, max(0, math.floor(left)) : math.ceil(right)] = True
    return mask


def _damaged(path: Path, broken: Exception) -> ResourceError:
    return ResourceError("dataset.root", f"{path} cannot be read as an image: {broken}")


def _open(path: Path) -> Image:
    """An image of which only the header has been read."""
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path)
    except UnidentifiedImageError:
        raise ResourceError("dataset.root", f"{path} is not an image, or is damaged") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as broken:
        raise _damaged(path, broken) from None


def _read_mask(path: Path, image_path: Path, size: tuple[int, int]) -> Tensor:
    """The mask, bool ``[H, W]``: True where the file is not 0."""
    import numpy as np
    import torch

    with _open(path) as image:
        try:
            values = np.asarray(image if image.mode in ("P", "I", "I;16", "F") else image.convert("L"))
        except (OSError, ValueError, SyntaxError) as broken:
            raise _damaged(path, broken) from None
    height, width = values.shape
    if (width, height) != size:
        raise ResourceError(
            "dataset.mask_column",
            f"{path} is {width} x {height} pixels, its image {image_path.name} is {size[0]} x {size[1]}",
        )
    return torch.from_numpy(values != 0)
