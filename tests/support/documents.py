"""Reads the document of a page in tests."""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from xaiexp.report.document.binary import unpack

KINDS = {"int8": np.int8, "uint8": np.uint8, "int16": np.int16, "int32": np.int32, "float32": np.float32}


class Opened:
    """The document of a page: its fields as attributes, and its numbers.

    Args:
        content: the packed document, or the page that holds it.
    """

    def __init__(self, content: bytes | Path) -> None:
        if isinstance(content, Path):
            found = re.search(r'id="xaiexp-document">([^<]*)</script>', content.read_text(encoding="utf-8"))
            assert found is not None
            content = base64.b64decode(found[1])
        self.fields, self.binary = unpack(content)
        self.document: Any = _named(self.fields)

    @property
    def study(self) -> Any:
        """The first study."""
        return self.document.studies[0]

    def numbers(self, of: Any) -> np.ndarray:
        """The numbers of a reference; NaN where undefined."""
        whole = np.frombuffer(self.binary, KINDS[of.kind], of.count, of.at)
        if of.scale is None:
            return whole.astype(np.float64) if of.kind == "float32" else whole
        undefined = whole == np.iinfo(whole.dtype).min
        return np.where(undefined, math.nan, whole * of.scale)

    def file(self, of: Any) -> bytes:
        """The bytes of a file."""
        return self.binary[of.at : of.at + of.count]

    def metric(self, name: str) -> Any:
        """A metric of the first study."""
        return next(metric for metric in self.study.metrics if metric.name == name)

    def labels(self) -> list[str]:
        """The cells of the first study."""
        return [cell.label for cell in self.study.cells]


def _named(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{key: _named(part) for key, part in value.items()})
    return [_named(part) for part in value] if isinstance(value, list) else value
