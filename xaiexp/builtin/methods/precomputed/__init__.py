"""Attributions from elsewhere: ``precomputed_maps.py`` holds the component, ``map_files.py`` reads files."""

from __future__ import annotations

from xaiexp.builtin.methods.precomputed.precomputed_maps import Precomputed
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (Precomputed,)
