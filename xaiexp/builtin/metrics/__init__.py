"""The built-in metrics."""

from __future__ import annotations

from xaiexp.builtin.metrics.axioms import Completeness, NonSensitivity
from xaiexp.builtin.metrics.complexity import EffectiveComplexity, Entropy, Sparseness
from xaiexp.builtin.metrics.cost import Memory, Passes, Seconds
from xaiexp.builtin.metrics.faithfulness_correlations import (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    MonotonicityNguyen,
    SensitivityN,
)
from xaiexp.builtin.metrics.faithfulness_curves import (
    Aopc,
    Deletion,
    Insertion,
    Irof,
    MonotonicityArya,
    PixelFlipping,
)
from xaiexp.builtin.metrics.faithfulness_noise import Infidelity, PredictionGapImportant, PredictionGapUnimportant
from xaiexp.builtin.metrics.faithfulness_shares import Comprehensiveness, Road, Sufficiency
from xaiexp.builtin.metrics.localisation import (
    AveragePrecision,
    EnergyPointingGame,
    PointingGame,
    PrecisionAtK,
    RelevanceMass,
    RelevanceRank,
    TopKIntersection,
)
from xaiexp.builtin.metrics.randomisation import ParameterRandomisation, RandomLogit
from xaiexp.builtin.metrics.robustness import (
    InputInvariance,
    LocalLipschitz,
    RelativeInputStability,
    RelativeOutputStability,
    RelativeRepresentationStability,
    SensitivityMax,
)
from xaiexp.contract import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    Infidelity,
    Deletion,
    Insertion,
    PixelFlipping,
    Aopc,
    Irof,
    Road,
    Comprehensiveness,
    Sufficiency,
    FaithfulnessCorrelation,
    SensitivityN,
    FaithfulnessEstimate,
    MonotonicityArya,
    MonotonicityNguyen,
    PredictionGapImportant,
    PredictionGapUnimportant,
    SensitivityMax,
    LocalLipschitz,
    RelativeInputStability,
    RelativeOutputStability,
    RelativeRepresentationStability,
    InputInvariance,
    Completeness,
    NonSensitivity,
    ParameterRandomisation,
    RandomLogit,
    Sparseness,
    Entropy,
    EffectiveComplexity,
    PointingGame,
    RelevanceMass,
    RelevanceRank,
    EnergyPointingGame,
    TopKIntersection,
    PrecisionAtK,
    AveragePrecision,
    Passes,
    Seconds,
    Memory,
)
