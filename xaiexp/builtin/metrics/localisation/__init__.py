"""Localisation: whether attributions lie on the ground truth.

``overlap.py`` holds the components, ``overlap_formulas.py`` their formulas; ``ground_truth.py`` converts masks over
elements to shares of features.
"""

from __future__ import annotations

from xaiexp.builtin.metrics.localisation.overlap import (
    AveragePrecision,
    EnergyPointingGame,
    PointingGame,
    PrecisionAtK,
    RelevanceMass,
    RelevanceRank,
    TopKIntersection,
)
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    AveragePrecision,
    EnergyPointingGame,
    PointingGame,
    PrecisionAtK,
    RelevanceMass,
    RelevanceRank,
    TopKIntersection,
)
