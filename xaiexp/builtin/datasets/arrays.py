"""Arrays in an ``.npz`` file, read without pickle, their shapes without reading them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaiexp.errors import MismatchError, ResourceError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Arrays", "look_into"]


@dataclass(frozen=True)
class Arrays:
    """An ``.npz`` file whose headers were read.

    Args:
        where: the parameter that named the file.
        path: the file.
        shapes: of each array, by its key.
    """

    where: str
    path: Path
    shapes: Mapping[str, tuple[int, ...]]

    def shape(self, where: str, key: str) -> tuple[int, ...]:
        """The shape of an array.

        Raises:
            MismatchError: there is no such key; ``where`` is the parameter that named it.
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
        """An array.

        Raises:
            MismatchError: there is no such key.
            ResourceError: the file is damaged, or the array holds Python objects.
        """
        import numpy as np

        self.shape(where, key)
        try:
            with np.load(self.path, allow_pickle=False) as file:
                found: NDArray[Any] = file[key]
        except Exception as broken:  # a damaged archive may raise anything
            raise _unreadable(self.where, self.path, broken) from None
        return found


def look_into(where: str, path: str | Path) -> Arrays:
    """The names and shapes of the arrays in a file.

    Args:
        where: the parameter that named the file.
        path: of the file.

    Raises:
        ResourceError: no such file, damaged, or with Python objects in it.
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
                    raise ResourceError(where, f"{path}: array {name.removesuffix('.npy')!r} holds Python objects")
                shapes[name.removesuffix(".npy")] = tuple(shape)
    except FileNotFoundError:
        raise ResourceError(where, "no such file", got=str(path)) from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as broken:
        raise _unreadable(where, path, broken) from None
    return Arrays(where, path, shapes)


def _unreadable(where: str, path: Path, broken: Exception) -> ResourceError:
    return ResourceError(where, f"{path} cannot be read as arrays: {str(broken).splitlines()[0][:120]}")
