"""Whether attributions lie on the ground truth.

``pointing_game.py`` holds the components, ``overlap_formulas.py`` the formulas, ``ground_truth.py`` turns masks over
elements into masks over features.
"""

from __future__ import annotations

from xaiexp.builtin.metrics.localisation.pointing_game import (
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
