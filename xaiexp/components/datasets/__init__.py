"""The built-in data sets."""

from __future__ import annotations

from xaiexp.components.datasets.bundled import BreastCancer, Digits
from xaiexp.components.datasets.image_folder import ImageFolder
from xaiexp.components.datasets.shapes import Shapes
from xaiexp.components.datasets.text import Text
from xaiexp.contract import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (Digits, BreastCancer, Shapes, ImageFolder, Text)
