"""The objects of an archive: maps and the probe set, compressed and named by the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xaiexp.errors import ResourceError
from xaiexp.trust.archive.places import Place

__all__ = ["add_json", "add_maps", "read_json", "read_maps"]

FloatArray = NDArray[np.float32]


def add_maps(place: Place, maps: FloatArray) -> str:
    """Add maps float32 ``[N, *features]``, unless the archive has them.

    The bytes of equal significance lie together, which makes them shorter when compressed.

    Returns:
        The name: SHA-256 of shape and values.
    """
    head = json.dumps({"shape": list(maps.shape)}).encode() + b"\n"
    little = np.ascontiguousarray(maps, dtype="<f4")
    shuffled = little.view(np.uint8).reshape(-1, 4).T
    return _add(place, head + np.ascontiguousarray(shuffled).tobytes())


def read_maps(place: Place, name: str) -> FloatArray:
    """Maps that were added.

    Raises:
        ResourceError: the object is missing or damaged.
    """
    content = _read(place, name)
    head, _, values = content.partition(b"\n")
    shape = json.loads(head)["shape"]
    restored = np.frombuffer(values, dtype=np.uint8).reshape(4, -1).T
    maps: FloatArray = np.ascontiguousarray(restored).view("<f4").reshape(shape)
    return maps


def add_json(place: Place, value: Any) -> str:
    """Add a value of JSON, unless the archive has it; returns its name."""
    return _add(place, json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def read_json(place: Place, name: str) -> Any:
    """A value that was added.

    Raises:
        ResourceError: as :func:`read_maps`.
    """
    return json.loads(_read(place, name))


def _file(name: str) -> str:
    return f"objects/{name[:2]}/{name}.z"


def _add(place: Place, content: bytes) -> str:
    name = hashlib.sha256(content).hexdigest()
    if not place.has(_file(name)):
        place.write(_file(name), zlib.compress(content, 9))
    return name


def _read(place: Place, name: str) -> bytes:
    try:
        content = zlib.decompress(place.read(_file(name)))
    except zlib.error as error:
        raise ResourceError(f"{place.where}/{_file(name)}", f"is damaged ({error})") from None
    if hashlib.sha256(content).hexdigest() != name:
        raise ResourceError(f"{place.where}/{_file(name)}", "has another content than was written")
    return content
