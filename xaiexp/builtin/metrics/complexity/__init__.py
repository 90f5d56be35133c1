"""How many features an explanation rests on.

``sparseness.py`` holds the components, ``sparseness_formulas.py`` Gini index and entropy; effective complexity uses
``metrics/feature_dependence.py``.
"""

from __future__ import annotations

from xaiexp.builtin.metrics.complexity.sparseness import EffectiveComplexity, Entropy, Sparseness
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    EffectiveComplexity,
    Entropy,
    Sparseness,
)
