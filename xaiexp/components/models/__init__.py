"""The built-in models."""

from __future__ import annotations

from xaiexp.components.models.factory import Factory
from xaiexp.components.models.language import Transformers
from xaiexp.components.models.small import DigitsCnn, DigitsMlp, ShapesCnn, TabularMlp
from xaiexp.components.models.vision import Torchvision
from xaiexp.contract import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    DigitsCnn,
    DigitsMlp,
    TabularMlp,
    ShapesCnn,
    Torchvision,
    Transformers,
    Factory,
)
