"""The built-in methods: one package per family.

Modules beside the families are shared by several of them: ``estimation.py`` (sample means and variances with standard
errors), ``quadrature.py`` (quadrature rules), ``tracing.py`` and ``operations.py`` (tracing of torch operations) and
``rectifiers.py`` (modified gradients of ReLU). Families do not import each other.
"""

from __future__ import annotations

from xaiexp.builtin.methods import (
    attention,
    backprop,
    cam,
    controls,
    gradient,
    layer,
    path,
    perturbation,
    precomputed,
    shapley,
)
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

_FAMILIES = (gradient, path, backprop, cam, attention, perturbation, shapley, layer, controls, precomputed)

COMPONENTS: tuple[type[Component], ...] = tuple(component for family in _FAMILIES for component in family.COMPONENTS)
