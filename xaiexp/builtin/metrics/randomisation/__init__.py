"""Randomisation: whether an explanation depends on the parameters of the network and on the class (sanity checks).

``randomisation.py`` holds the components and ``randomisation_formulas.py`` their formulas. ``random_parameters.py``
randomises the parameters of a copied network, ``map_similarity.py`` compares two attribution maps.
"""

from __future__ import annotations

from xaiexp.builtin.metrics.randomisation.randomisation import ParameterRandomisation, RandomLogit
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    ParameterRandomisation,
    RandomLogit,
)
