"""The built-in baselines."""

from __future__ import annotations

from xaiexp.components.baselines.blur import Blur
from xaiexp.components.baselines.constants import Constant, Mean, Zero
from xaiexp.components.baselines.noise import Gaussian, Uniform
from xaiexp.components.baselines.samples import DatasetSample
from xaiexp.components.baselines.tokens import MaskToken, PadToken
from xaiexp.contract import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    Zero,
    PadToken,
    MaskToken,
    Constant,
    Mean,
    Blur,
    Uniform,
    Gaussian,
    DatasetSample,
)
