"""Arrays of an ``.npz`` file, read without pickle; their shapes are read from the headers."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.errors import MismatchError, ResourceError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NpzFile", "open_npz"]

# Arrays above this size must not be compressed more than this: deflate reaches 1 : 1032 for a constant array.
_UNCHECKED_BYTES = 1 << 28
_MOST_COMPRESSION = 100


@dataclass(frozen=True)
class NpzFile:
    """An ``.npz`` file and the shapes of its arrays.

    Args:
        where: the parameter that names the file, for messages.
        path: path of the file.
        shapes: shape of each array, by key.
    """

    where: str
    path: Path
    shapes: Mapping[str, tuple[int, ...]]

    def shape(self, where: str, key: str) -> tuple[int, ...]:
        """The shape of an array.

        Args:
            where: the parameter that names the key, for messages.
            key: key of the array.

        Raises:
            MismatchError: there is no such key.
        """
        if key not in self.shapes:
            raise MismatchError(
                where,
                f"{self.path} has no array of this name",
                got=key,
                nearest=nearest(key, self.shapes),
                hint=f"arrays: {', '.join(self.shapes)}",
            )
        return self.shapes[key]

    def read(self, where: str, key: str) -> NDArray[Any]:
        """The array under a key.

        Raises:
            MismatchError: there is no such key.
            ResourceError: the file is damaged, or the array contains Python objects.
        """
        import numpy as np

        self.shape(where, key)
        try:
            with np.load(self.path, allow_pickle=False) as file:
                array: NDArray[Any] = file[key]
        except Exception as broken:  # a damaged archive may raise anything
            raise _unreadable(self.where, self.path, broken) from None
        return array


def open_npz(where: str, path: str | Path) -> NpzFile:
    """Read the keys and shapes of the arrays in a file.

    Args:
        where: the parameter that names the file, for messages.
        path: path of the file.

    Raises:
        ResourceError: the file is missing, damaged, or contains Python objects; the header of an array claims more
            than the file holds, or an array is so much larger than the file that the file may be a zip bomb.
    """
    from numpy.lib import format as npy

    path = Path(path).expanduser()
    shapes = {}
    try:
        size = path.stat().st_size
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                _check_size(where, path, size, entry)
                with archive.open(entry) as member:
                    reader = (
                        npy.read_array_header_1_0 if npy.read_magic(member) == (1, 0) else npy.read_array_header_2_0
                    )
                    shape, _, dtype = reader(member)
                    held = entry.file_size - member.tell()
                if dtype.hasobject:
                    raise ResourceError(where, f"{path}: array {name!r} contains Python objects")
                claimed = math.prod(shape) * dtype.itemsize
                if min(shape, default=0) < 0 or claimed > held:
                    raise ResourceError(
                        where,
                        f"{path}: the header of array {name!r} claims {dtype} {list(shape)}, {claimed} bytes; "
                        f"the file holds {held}",
                    )
                shapes[name] = tuple(shape)
    except FileNotFoundError:
        raise ResourceError(where, "no such file", got=str(path)) from None
    # RuntimeError: the archive is encrypted, or compressed in a way that is not supported
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as broken:
        raise _unreadable(where, path, broken) from None
    return NpzFile(where, path, shapes)


def _check_size(where: str, path: Path, size: int, entry: zipfile.ZipInfo) -> None:
    """Raise ResourceError for an entry of an archive that may take far more memory than the file takes on disk."""
    name = entry.filename.removesuffix(".npy")
    stored = entry.compress_type == zipfile.ZIP_STORED
    if entry.compress_size > size or (stored and entry.file_size != entry.compress_size):
        raise ResourceError(where, f"{path} is damaged: array {name!r} is larger than the file")
    if entry.file_size > _UNCHECKED_BYTES and entry.file_size > _MOST_COMPRESSION * entry.compress_size:
        raise ResourceError(
            where,
            f"{path}: array {name!r} would expand from {entry.compress_size} bytes to {entry.file_size}, "
            "as in a zip bomb",
            hint="if it is right, save it uncompressed: numpy.savez",
        )


def _unreadable(where: str, path: Path, broken: Exception) -> ResourceError:
    return ResourceError(where, f"{path} cannot be read as arrays: {str(broken).splitlines()[0][:120]}")
