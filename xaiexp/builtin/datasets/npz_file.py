"""Arrays of an ``.npz`` file, read without pickle; their shapes are read from the headers."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.errors import MismatchError, ResourceError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NpzFile", "open_npz"]


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
        ResourceError: the file is missing, damaged, or contains Python objects.
    """
    from numpy.lib import format as npy

    path = Path(path).expanduser()
    shapes = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    reader = (
                        npy.read_array_header_1_0 if npy.read_magic(member) == (1, 0) else npy.read_array_header_2_0
                    )
                    shape, _, dtype = reader(member)
                if dtype.hasobject:
                    raise ResourceError(where, f"{path}: array {name.removesuffix('.npy')!r} contains Python objects")
                shapes[name.removesuffix(".npy")] = tuple(shape)
    except FileNotFoundError:
        raise ResourceError(where, "no such file", got=str(path)) from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as broken:
        raise _unreadable(where, path, broken) from None
    return NpzFile(where, path, shapes)


def _unreadable(where: str, path: Path, broken: Exception) -> ResourceError:
    return ResourceError(where, f"{path} cannot be read as arrays: {str(broken).splitlines()[0][:120]}")
