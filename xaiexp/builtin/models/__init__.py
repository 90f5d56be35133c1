"""The built-in models."""

from __future__ import annotations

from xaiexp.builtin.models.factory import Factory
from xaiexp.builtin.models.fitted import SeriesCnn, TabularMlp
from xaiexp.builtin.models.pretrained import Transformers
from xaiexp.builtin.models.small import DigitsCnn, DigitsMlp, ShapesCnn
from xaiexp.builtin.models.vision import Torchvision
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    DigitsCnn,
    DigitsMlp,
    TabularMlp,
    ShapesCnn,
    SeriesCnn,
    Torchvision,
    Transformers,
    Factory,
)
