"""A plugin for xaiexp: the image models of timm."""

from __future__ import annotations

from xaiexp.plugin import Component, hookimpl
from xaiexp_timm.model import Timm

__all__ = ["xaiexp_components"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The model."""
    return [Timm]
