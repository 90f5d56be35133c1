"""The picture models of timm, for xaiexp."""

from __future__ import annotations

import xaiexp
from xaiexp.contract import Component
from xaiexp_timm.model import Timm

__all__ = ["xaiexp_components"]


@xaiexp.hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The model."""
    return [Timm]
