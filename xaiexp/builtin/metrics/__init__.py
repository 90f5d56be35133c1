"""The built-in metrics, one folder per family.

The files beside the folders: ``cost.py`` holds the metrics of cost, ``removal_curves.py`` the removal curves that
several families use.
"""

from __future__ import annotations

from xaiexp.builtin.metrics import axioms, complexity, cost, faithfulness, localisation, randomisation, robustness
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

_FAMILIES = (faithfulness, robustness, randomisation, axioms, localisation, complexity, cost)

COMPONENTS: tuple[type[Component], ...] = tuple(component for family in _FAMILIES for component in family.COMPONENTS)
