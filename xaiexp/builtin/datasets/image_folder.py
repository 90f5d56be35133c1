"""Pictures in a folder, listed in a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xaiexp.builtin.datasets.listing import Listing, read_listing
from xaiexp.contract import Dataset
from xaiexp.errors import ResourceError
from xaiexp.types import Outline, Sample, Source

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

__all__ = ["ImageFolder"]

# Pictures whose header is looked at before anything is computed. It costs a fraction of a millisecond each;
# what is damaged further inside is found when it is decoded.
_LOOKED_AT = 1000


@dataclass(frozen=True)
class ImageFolder(Dataset):
    """Pictures in a folder, with labels and masks from a CSV file; decoded when they are read.

    Pictures are turned as their EXIF orientation says and converted to RGB.

    Args:
        root: the folder of the pictures.
        labels: the CSV file; null is ``labels.csv`` in ``root``.
        file_column: file names, relative to ``root``.
        label_column: class indices or names from ``classes``; null where there are none.
        mask_column: pictures of what matters (any value but 0), of the size of their picture, relative to
            ``root`` or to the folder of the CSV file; an empty cell is no mask. Null, or no such column: no masks.
        name_column: what a person would call the class; used where there is such a column.
        classes: class names by index.
    """

    summary = "pictures in a folder, listed in a CSV file with labels and masks"
    source = "the user's own files"
    modality = "image"

    root: str
    labels: str | None = None
    file_column: str = "file"
    label_column: str | None = "label"
    mask_column: str | None = "mask"
    name_column: str | None = "class_name"
    classes: tuple[str, ...] = ()

    def open(self) -> Source:
        """The samples; an id is the file's name as the CSV file has it.

        Raises:
            ResourceError, MismatchError: folder, CSV file, column, picture or mask missing or damaged, a label
                that is none.
        """
        listing, files = self._files()
        count = len(files)
        labels: list[int | None] = [None] * count
        if self.label_column is not None:
            labels = listing.labels("dataset.label_column", self.label_column, self.classes)
        masks = self._masks(listing)
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
                samples.append(Sample(ids[row], picture, labels[row], truth, names[row]))
            return samples

        return Source(count, read, self.classes)

    def outline(self) -> Outline:
        """How many pictures; their shape is the model's to decide."""
        listing, _ = self._files()
        return Outline(len(listing.rows), None)

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
