"""Pictures in a folder, listed in a CSV file or sorted into a folder for each class."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xaiexp.builtin.datasets.listing import Listing, read_listing, stamp
from xaiexp.contract.kinds import Dataset
from xaiexp.core.samples import Outline, Sample, Source
from xaiexp.errors import MismatchError, ResourceError, nearest

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

__all__ = ["ImageFolder"]

# Pictures whose header is looked at before anything is computed. It costs a fraction of a millisecond each;
# what is damaged further inside is found when it is decoded.
_LOOKED_AT = 1000
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ImageFolder(Dataset):
    """Pictures in a folder, with labels, masks and boxes from a CSV file; decoded when they are read.

    Pictures are turned as their EXIF orientation says and converted to RGB. Without a CSV file, the folders in
    ``root`` are the classes, in the order of the alphabet, and the pictures in them the examples; a picture beside
    the folders is an error, for there a list is missing.

    Args:
        root: the folder of the pictures.
        labels: the CSV file; null is ``labels.csv`` in ``root`` or, where there is none, a folder for each class.
        file_column: file names, relative to ``root``.
        label_column: class indices or names from ``classes``; null where there are none.
        mask_column: pictures of what matters (any value but 0), of the size of their picture, relative to
            ``root`` or to the folder of the CSV file; an empty cell is no mask. Null, or no such column: no masks.
        box_column: boxes around what matters, ``[[left, top, right, bottom], ...]`` in pixels of the picture as it
            is shown, right and bottom excluded; the mask of a picture that has none in ``mask_column``. An empty
            cell is no mask. Null, or no such column: no boxes.
        name_column: what a person would call the class; used where there is such a column.
        classes: class names by index; of folders, empty takes their own names.
    """

    summary = "pictures in a folder, listed in a CSV file with labels, masks and boxes, or a folder for each class"
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

    def open(self) -> Source:
        """The samples; an id is the file's name as the CSV file has it.

        Raises:
            ResourceError, MismatchError: folder, CSV file, column, picture or mask missing or damaged, a label
                that is none.
        """
        if self._sorted():
            return self._classes()
        listing, files = self._files()
        count = len(files)
        labels: list[int | None] = [None] * count
        if self.label_column is not None:
            labels = listing.labels("dataset.label_column", self.label_column, self.classes)
        masks = self._masks(listing)
        boxes = self._boxes(listing)
        names = [""] * count
        if self.name_column in listing.header and self.name_column is not None:
            names = listing.column("dataset.name_column", self.name_column)
        for row, (path, mask) in enumerate(zip(files, masks, strict=True)):
            for each in (path,) if mask is None else (path, mask):
                if not each.is_file():
                    raise ResourceError("dataset.root", f"{listing.at(row)}: no such file", got=str(each))
                if row < _LOOKED_AT:
                    _open(each).close()
        ids = listing.column("dataset.file_column", self.file_column)

        def read(start: int, stop: int) -> Sequence[Sample]:
            samples = []
            for row in range(count)[start:stop]:
                picture = _picture(files[row])
                mask = masks[row]
                truth = None if mask is None else _mask(mask, files[row], picture.size)
                if truth is None and boxes[row]:
                    truth = _box_mask(listing.at(row), boxes[row], picture.size)
                samples.append(Sample(ids[row], picture, labels[row], truth, names[row]))
            return samples

        return Source(count, read, self.classes)

    def fingerprint(self) -> str:
        """Size and time of the file."""
        return stamp(self.root, *((self.labels,) if self.labels else (Path(self.root).expanduser() / "labels.csv",)))

    def outline(self) -> Outline:
        """How many pictures; their shape is the model's to decide."""
        if self._sorted():
            return Outline(len(self._found()[1]), None)
        listing, _ = self._files()
        return Outline(len(listing.rows), None)

    def _sorted(self) -> bool:
        """Whether the pictures lie in a folder for each class."""
        root = Path(self.root).expanduser()
        return self.labels is None and root.is_dir() and not (root / "labels.csv").exists()

    def _found(self) -> tuple[tuple[str, ...], list[tuple[Path, int]]]:
        """The classes, and the pictures with their class index, in the order of the alphabet.

        Raises:
            ResourceError: there are none.
            MismatchError: a folder that is none of ``classes``.
        """
        root = Path(self.root).expanduser()
        folders = sorted(each for each in root.iterdir() if each.is_dir() and not each.name.startswith("."))
        classes = self.classes or tuple(folder.name for folder in folders)
        found = []
        for folder in folders:
            if folder.name not in classes:
                raise MismatchError(
                    "dataset.classes",
                    f"{folder} is none of the {len(classes)} classes",
                    got=folder.name,
                    nearest=nearest(folder.name, classes),
                )
            files = sorted(each for each in folder.iterdir() if each.suffix.lower() in _SUFFIXES)
            found += [(each, classes.index(folder.name)) for each in files]
        # Pictures beside the folders tell that these are no classes (of masks, say), and that a list is missing.
        if not found or any(each.suffix.lower() in _SUFFIXES for each in root.iterdir()):
            raise ResourceError(
                "dataset.labels",
                f"{root} has neither a file labels.csv nor its pictures in folders alone",
                hint="name the CSV file: dataset.labels=FILE",
            )
        return classes, found

    def _classes(self) -> Source:
        """The samples of a folder for each class; an id is the name of the class and of the file."""
        classes, found = self._found()
        for path, _ in found[:_LOOKED_AT]:
            _open(path).close()

        def read(start: int, stop: int) -> Sequence[Sample]:
            return [
                Sample(f"{path.parent.name}/{path.name}", _picture(path), label, name=path.parent.name)
                for path, label in found[start:stop]
            ]

        return Source(len(found), read, classes)

    def _files(self) -> tuple[Listing, list[Path]]:
        root = Path(self.root).expanduser()
        if not root.is_dir():
            raise ResourceError("dataset.root", "no such folder", got=str(root))
        listing = read_listing("dataset.labels", root / "labels.csv" if self.labels is None else self.labels)
        names = listing.column("dataset.file_column", self.file_column)
        first: dict[str, int] = {}
        for row, name in enumerate(names):
            if first.setdefault(name, row) != row:
                raise ResourceError(
                    "dataset.labels",
                    f"{listing.at(row)}: listed before, on line {listing.lines[first[name]]}",
                    got=name,
                )
        return listing, [root / name for name in names]

    def _masks(self, listing: Listing) -> list[Path | None]:
        if self.mask_column is None or self.mask_column not in listing.header:
            return [None] * len(listing.rows)
        root, beside = Path(self.root).expanduser(), listing.path.parent
        cells = [cell.strip() for cell in listing.column("dataset.mask_column", self.mask_column)]
        return [None if not cell else beside / cell if (beside / cell).is_file() else root / cell for cell in cells]

    def _boxes(self, listing: Listing) -> list[tuple[Box, ...]]:
        """The boxes of each picture.

        Raises:
            MismatchError: a cell that is no list of boxes.
        """
        if self.box_column is None or self.box_column not in listing.header:
            return [()] * len(listing.rows)
        found = []
        for row, cell in enumerate(listing.column("dataset.box_column", self.box_column)):
            try:
                boxes = json.loads(cell) if cell.strip() else []
                found.append(tuple(_box(each) for each in boxes))
            except (ValueError, TypeError) as unfit:
                raise MismatchError(
                    "dataset.box_column",
                    f"{listing.at(row)}: {unfit}",
                    got=cell,
                    hint="boxes are written [[left, top, right, bottom], ...]",
                ) from None
        return found


def _box(written: object) -> Box:
    """One box.

    Raises:
        ValueError: it is none.
    """
    numbers = written if isinstance(written, list) else []
    if len(numbers) != 4 or not all(type(each) in (int, float) and math.isfinite(each) for each in numbers):
        raise ValueError(f"{written} is no box of four numbers")
    left, top, right, bottom = map(float, numbers)
    if not (left < right and top < bottom):
        raise ValueError(f"the box {written} is empty")
    return left, top, right, bottom


def _box_mask(where: str, boxes: Sequence[Box], size: tuple[int, int]) -> Tensor:
    """The mask, bool ``[H, W]``: the pixels that are at least partly in a box.

    Raises:
        MismatchError: a box that lies outside the picture.
    """
    import torch

    width, height = size
    mask = torch.zeros(height, width, dtype=torch.bool)
    for box in boxes:
        left, top, right, bottom = box
        if left >= width or top >= height or right <= 0 or bottom <= 0:
            raise MismatchError(
                "dataset.box_column", f"{where}: the box lies outside the picture of {width} x {height}", got=list(box)
            )
        rows = slice(max(0, math.floor(top)), math.ceil(bottom))
        mask[rows, max(0, math.floor(left)) : math.ceil(right)] = True
    return mask


def _damaged(path: Path, broken: Exception) -> ResourceError:
    return ResourceError("dataset.root", f"{path} cannot be read as a picture: {broken}")


def _open(path: Path) -> Image:
    """A picture whose header is read, and no more."""
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path)
    except UnidentifiedImageError:
        raise ResourceError("dataset.root", f"{path} is not a picture, or is damaged") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as broken:
        raise _damaged(path, broken) from None


def _picture(path: Path) -> Image:
    """The picture in RGB, turned as its EXIF orientation says."""
    from PIL import ImageOps

    with _open(path) as image:
        try:
            return ImageOps.exif_transpose(image).convert("RGB")
        except (OSError, ValueError, SyntaxError) as broken:
            raise _damaged(path, broken) from None


def _mask(path: Path, picture: Path, size: tuple[int, int]) -> Tensor:
    """The mask, bool ``[H, W]``: where it is not 0."""
    import numpy as np
    import torch

    with _open(path) as image:
        try:
            values = np.asarray(image if image.mode in ("P", "I", "I;16") else image.convert("L"))
        except (OSError, ValueError, SyntaxError) as broken:
            raise _damaged(path, broken) from None
    height, width = values.shape
    if (width, height) != size:
        raise ResourceError(
            "dataset.mask_column",
            f"{path} is {width} x {height} pixels, its picture {picture.name} is {size[0]} x {size[1]}",
        )
    return torch.from_numpy(values != 0)
