"""ONNX models on ONNX Runtime, and pictures from ``.npz`` files, for xaiexp."""

from __future__ import annotations

from xaiexp.plugin import Component, hookimpl
from xaiexp_onnx.arrays import Npz
from xaiexp_onnx.model import Onnx

__all__ = ["xaiexp_components"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The model and the data set."""
    return [Onnx, Npz]
