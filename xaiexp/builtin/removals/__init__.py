"""Removals: what a removed feature is replaced with, and how far the masked inputs leave the data.

``named.py`` holds the components, ``choice.py`` the parameter ``removal`` of metrics, ``fill.py`` makes the fill of a
removal for a batch. ``imputation.py`` and ``multigrid.py`` compute noisy linear imputation, ``marginal.py`` draws
replacements from the data. ``masked_lm_infill.py`` and ``infill.py`` replace tokens by predictions of another language
model. ``masking.py`` is the base class of the metrics that remove features, ``data_distance.py``
measures how far masked inputs leave the data.
"""

from __future__ import annotations

from xaiexp.builtin.removals import named
from xaiexp.builtin.removals.masked_lm_infill import MaskedLmInfill
from xaiexp.contract.removal import Removal

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Removal], ...] = (*named.COMPONENTS, MaskedLmInfill)
