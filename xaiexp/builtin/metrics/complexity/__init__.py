"""Complexity: how many features an explanation concentrates on.

``sparseness.py`` holds the components ``sparseness`` and ``entropy``, ``effective_complexity.py`` the component of that
name; the formulas of each are in the file ``*_formulas.py`` beside it.
"""

from __future__ import annotations

from xaiexp.builtin.metrics.complexity.effective_complexity import EffectiveComplexity
from xaiexp.builtin.metrics.complexity.sparseness import Entropy, Sparseness
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    EffectiveComplexity,
    Entropy,
    Sparseness,
)
