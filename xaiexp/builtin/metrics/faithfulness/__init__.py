"""Faithfulness: whether attributions predict how the score changes when features are removed or perturbed.

Components: ``removal_in_steps.py`` (curves from the input to the fully removed input), ``removal_at_shares.py`` (given
shares of the features), ``normalised_aopc.py``, ``soft_masks.py``, ``correlation.py``, ``infidelity.py`` and
``prediction_gap.py``; ``ordered_removal.py`` holds the base class of the first three. Formulas: the files named
``*_formulas.py``; the removal curves are computed in ``metrics/removal_curves.py``.
"""

from __future__ import annotations

from xaiexp.builtin.metrics.faithfulness.correlation import (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    MonotonicityNguyen,
    SensitivityN,
)
from xaiexp.builtin.metrics.faithfulness.infidelity import Infidelity
from xaiexp.builtin.metrics.faithfulness.normalised_aopc import NormalisedAopc
from xaiexp.builtin.metrics.faithfulness.prediction_gap import PredictionGapImportant, PredictionGapUnimportant
from xaiexp.builtin.metrics.faithfulness.removal_at_shares import Comprehensiveness, Road, Sufficiency
from xaiexp.builtin.metrics.faithfulness.removal_in_steps import (
    Aopc,
    Deletion,
    Insertion,
    Irof,
    MonotonicityArya,
    PixelFlipping,
)
from xaiexp.builtin.metrics.faithfulness.soft_masks import SoftComprehensiveness, SoftSufficiency
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    MonotonicityNguyen,
    SensitivityN,
    Aopc,
    Deletion,
    Insertion,
    Irof,
    MonotonicityArya,
    PixelFlipping,
    Infidelity,
    PredictionGapImportant,
    PredictionGapUnimportant,
    Comprehensiveness,
    Road,
    Sufficiency,
    SoftSufficiency,
    SoftComprehensiveness,
    NormalisedAopc,
)
