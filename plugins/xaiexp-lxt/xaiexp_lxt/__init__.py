"""A plugin for xaiexp: layer-wise relevance propagation (LRP) for transformers, AttnLRP and CP-LRP.

``methods.py`` holds the components, ``propagation.py`` finds the rule of every operation of a network while it runs,
``operations.py`` names the operations, ``rules.py`` holds the rules.
"""

from __future__ import annotations

from xaiexp.plugin import Component, hookimpl
from xaiexp_lxt.methods import AttnLrp, CpLrp

__all__ = ["xaiexp_components"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The methods."""
    return [AttnLrp, CpLrp]
