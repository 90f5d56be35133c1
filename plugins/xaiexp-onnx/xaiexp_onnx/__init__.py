"""A plugin for xaiexp: ONNX models on ONNX Runtime, and images from ``.npz`` files."""

from __future__ import annotations

from xaiexp.plugin import Component, hookimpl
from xaiexp_onnx.model import Onnx
from xaiexp_onnx.npz_dataset import Npz

__all__ = ["xaiexp_components"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The model and the dataset."""
    return [Onnx, Npz]
