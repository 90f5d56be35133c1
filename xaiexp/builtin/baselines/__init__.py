"""The built-in baselines."""

from __future__ import annotations

from xaiexp.builtin.baselines.blur import Blur
from xaiexp.builtin.baselines.constants import Constant, Mean, Zero
from xaiexp.builtin.baselines.noise import Gaussian, Uniform
from xaiexp.builtin.baselines.samples import DatasetSample
from xaiexp.builtin.baselines.tokens import MaskToken, PadToken
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
