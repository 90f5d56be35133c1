"""The binary part of a document, and its bytes as a whole."""

from __future__ import annotations

import json
import math
import struct
import zlib
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xaiexp.report.document import parts

__all__ = ["Binary", "pack", "unpack"]

_INT8, _INT16 = 127, 32_767
_ALIGN = 4


class Binary:
    """Collects numbers and files; a reference says where each lies."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def exact(self, values: ArrayLike) -> parts.Numbers:
        """Float32; NaN stays NaN."""
        array = np.ascontiguousarray(values, dtype="<f4")
        return self._numbers(array, "float32", None)

    def in_steps(self, values: NDArray[Any], fine: bool = False) -> parts.Numbers:
        """In 127 steps of the largest magnitude, or 32,767 where ``fine``; the smallest whole number is undefined."""
        steps, kind = (_INT16, "int16") if fine else (_INT8, "int8")
        known = np.isfinite(values)
        largest = float(np.abs(values[known]).max(initial=0.0))
        scale = largest / steps if largest else 1.0
        whole = np.where(known, np.rint(np.where(known, values, 0.0) / scale), -steps - 1)
        return self._numbers(whole.astype("<i2" if fine else "i1"), kind, scale)

    def flags(self, values: ArrayLike) -> parts.Numbers:
        """Zeros and ones."""
        return self._numbers(np.ascontiguousarray(values, dtype=np.uint8), "uint8", None)

    def whole(self, values: ArrayLike) -> parts.Numbers:
        """Whole numbers of 32 bits."""
        return self._numbers(np.ascontiguousarray(values, dtype="<i4"), "int32", None)

    def file(self, content: bytes, mime: str) -> parts.File:
        """The bytes of a file."""
        at = self._add(content)
        return parts.File(at, len(content), mime)

    def _numbers(self, array: NDArray[Any], kind: str, scale: float | None) -> parts.Numbers:
        return parts.Numbers(self._add(array.tobytes()), array.size, kind, scale)

    def _add(self, content: bytes) -> int:
        at = self.size
        padded = content + b"\0" * (-len(content) % _ALIGN)
        self._parts.append(padded)
        self.size += len(padded)
        return at

    def content(self) -> bytes:
        """Everything that was added."""
        return b"".join(self._parts)


def pack(document: parts.Document, binary: Binary) -> bytes:
    """The bytes of a document: length of the JSON part, JSON part, binary part; deflated. Equal for equal content."""
    text = json.dumps(_finite(asdict(document)), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % _ALIGN)
    return zlib.compress(struct.pack("<I", len(text)) + text + binary.content(), 6)


def unpack(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON part and the binary part of :func:`pack`."""
    whole = zlib.decompress(content)
    (length,) = struct.unpack_from("<I", whole)
    return json.loads(whole[4 : 4 + length]), whole[4 + length :]


def _finite(value: Any) -> Any:
    """The value with null for numbers that JSON does not have, and six significant digits for the others."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        short = float(f"{value:.6g}")
        return int(short) if short.is_integer() and abs(short) < 2**53 else short
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value
