"""The built-in methods, a folder a family. Files beside the families hold what several families use."""

from __future__ import annotations

from xaiexp.builtin.methods import attention, backprop, cam, controls, gradient, layer, path, perturbation, shapley
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

_FAMILIES = (gradient, path, backprop, cam, attention, perturbation, shapley, layer, controls)

COMPONENTS: tuple[type[Component], ...] = tuple(component for family in _FAMILIES for component in family.COMPONENTS)
