"""Shapley values and linear surrogate models over coalitions of features.

``shapley_values.py`` (sampling, permutations, exact) and ``linear_surrogates.py`` (KernelSHAP, LIME) hold the
components. Formulas: ``permutation_sampling.py`` (values from random orders), ``all_coalitions.py`` (exact values),
``coalition_regression.py`` (regression over coalitions), ``coalition_errors.py`` (its standard errors),
``coalition_sizes.py`` (which coalitions KernelSHAP uses), ``shapley_regression.py`` and ``lime_regression.py`` (the two
forms of the regression), ``orders.py`` (random orders).
"""

from __future__ import annotations

from xaiexp.builtin.methods.shapley.linear_surrogates import KernelShap, Lime
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
