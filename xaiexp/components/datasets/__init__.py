"""The built-in datasets."""

from __future__ import annotations

from xaiexp.contract import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = ()
