"""The built-in baselines."""

from __future__ import annotations

from xaiexp.builtin.baselines.blur import Blur
from xaiexp.builtin.baselines.constants import Constant, Mean, Zero
from xaiexp.builtin.baselines.inpaint import Inpaint
from xaiexp.builtin.baselines.mixture import Mixture
from xaiexp.builtin.baselines.noise import Gaussian, Uniform
from xaiexp.builtin.baselines.opposite import OppositeClass
from xaiexp.builtin.baselines.range import Black, MaxDistance, White
from xaiexp.builtin.baselines.samples import DatasetSample
from xaiexp.builtin.baselines.series import SeriesMean
from xaiexp.builtin.baselines.tokens import MaskToken, NeutralSentence, PadToken
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    Zero,
    Black,
    White,
    PadToken,
    MaskToken,
    NeutralSentence,
    Constant,
    Mean,
    SeriesMean,
    Blur,
    Inpaint,
    Uniform,
    Gaussian,
    MaxDistance,
    DatasetSample,
    OppositeClass,
    Mixture,
)
