"""Axioms: completeness, and non-sensitivity to features without influence.

``completeness.py`` and ``non_sensitivity.py`` hold the components; the formulas of each are in the file
``*_formulas.py`` of the same name.
"""

from __future__ import annotations

from xaiexp.builtin.metrics.axioms.completeness import Completeness
from xaiexp.builtin.metrics.axioms.non_sensitivity import NonSensitivity
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    Completeness,
    NonSensitivity,
)
