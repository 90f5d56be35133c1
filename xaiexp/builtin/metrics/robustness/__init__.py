"""Robustness: how far attributions change when the input changes slightly.

``sensitivity.py`` (maximum sensitivity, local Lipschitz estimate), ``stability.py`` (relative stability) and
``invariance.py`` (input invariance) hold the components; the formulas of each are in the file ``*_formulas.py`` of the
same name.
"""

from __future__ import annotations

from xaiexp.builtin.metrics.robustness.invariance import InputInvariance
from xaiexp.builtin.metrics.robustness.sensitivity import LocalLipschitz, SensitivityMax
from xaiexp.builtin.metrics.robustness.stability import (
    RelativeInputStability,
    RelativeOutputStability,
    RelativeRepresentationStability,
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
