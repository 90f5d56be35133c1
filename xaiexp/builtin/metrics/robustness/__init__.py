"""How far attributions change when the input changes slightly.

``sensitivity_max.py`` holds the components; ``sensitivity_formulas.py`` (maximum change, Lipschitz),
``stability_formulas.py`` (relative stability) and ``invariance_formulas.py`` (shifted inputs) the formulas.
"""

from __future__ import annotations

from xaiexp.builtin.metrics.robustness.sensitivity_max import (
    InputInvariance,
    LocalLipschitz,
    RelativeInputStability,
    RelativeOutputStability,
    RelativeRepresentationStability,
    SensitivityMax,
)
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    InputInvariance,
    LocalLipschitz,
    RelativeInputStability,
    RelativeOutputStability,
    RelativeRepresentationStability,
    SensitivityMax,
)
