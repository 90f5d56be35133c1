"""Properties that attributions promise: completeness, and non-sensitivity to features without influence.

``completeness.py`` holds the components, ``completeness_formulas.py`` the formula of completeness; non-sensitivity uses
``metrics/feature_dependence.py``.
"""

from __future__ import annotations

from xaiexp.builtin.metrics.axioms.completeness import Completeness, NonSensitivity
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    Completeness,
    NonSensitivity,
)
