"""The built-in features."""

from __future__ import annotations

from xaiexp.components.features.elements import Column, Element, Pixel, Step
from xaiexp.components.features.grid import Grid
from xaiexp.components.features.token import Token
from xaiexp.contract import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (Element, Pixel, Grid, Column, Step, Token)
