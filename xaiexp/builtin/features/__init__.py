"""The built-in features."""

from __future__ import annotations

from xaiexp.builtin.features.elements import Column, Element, Pixel, Step
from xaiexp.builtin.features.grid import Grid
from xaiexp.builtin.features.superpixels import Slic
from xaiexp.builtin.features.token import Token, Word
from xaiexp.builtin.features.window import Window
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (Element, Pixel, Grid, Slic, Column, Step, Window, Token, Word)
