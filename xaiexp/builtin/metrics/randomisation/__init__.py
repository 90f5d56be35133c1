"""Sanity checks: whether an explanation depends on the parameters and on the class.

``parameter_randomisation.py`` holds the components; ``randomisation_formulas.py`` the formulas,
``random_parameters.py`` draws the parameters of a copied network anew, ``map_similarity.py`` compares maps.
"""

from __future__ import annotations

from xaiexp.builtin.metrics.randomisation.parameter_randomisation import ParameterRandomisation, RandomLogit
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    ParameterRandomisation,
    RandomLogit,
)
