"""The built-in baselines: reference inputs that methods compare with and metrics replace features by.

``constants``, ``range_ends``, ``noise`` and ``tokens`` hold constants of the data or the tokenizer, and random noise;
``blur``, ``inpaint`` and ``series_mean`` compute references from the explained input; ``dataset_samples`` and
``opposite_class`` take other examples; ``mixture`` combines several baselines into one distribution.
"""

from __future__ import annotations

from xaiexp.builtin.baselines.blur import Blur
from xaiexp.builtin.baselines.constants import Constant, Mean, Zero
from xaiexp.builtin.baselines.dataset_samples import DatasetSample
from xaiexp.builtin.baselines.inpaint import Inpaint
from xaiexp.builtin.baselines.mixture import Mixture
from xaiexp.builtin.baselines.noise import Gaussian, Uniform
from xaiexp.builtin.baselines.opposite_class import OppositeClass
from xaiexp.builtin.baselines.range_ends import Black, MaxDistance, White
from xaiexp.builtin.baselines.series_mean import SeriesMean
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
