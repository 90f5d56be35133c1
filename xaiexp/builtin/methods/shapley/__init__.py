"""Shapley values and linear surrogates over coalitions of features.

``shapley_values.py`` (sampling, permutations, exact) and ``kernel_shap.py`` (KernelSHAP, LIME) hold the components;
``permutations.py`` the orders of features, ``coalitions.py`` drawn coalitions and their sums, ``regressions.py`` the two
weighted least-squares fits.
"""

from __future__ import annotations

from xaiexp.builtin.methods.shapley.kernel_shap import KernelShap, Lime
from xaiexp.builtin.methods.shapley.shapley_values import ExactShapley, PermutationShap, ShapleySampling
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    ExactShapley,
    PermutationShap,
    ShapleySampling,
    KernelShap,
    Lime,
)
