"""The built-in features."""

from __future__ import annotations

from xaiexp.builtin.features.elements import Column, Element, Pixel, Step
from xaiexp.builtin.features.grid import Grid
from xaiexp.builtin.features.token import Token
from xaiexp.contract import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (Element, Pixel, Grid, Column, Step, Token)
