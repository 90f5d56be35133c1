"""A plugin for xaiexp: the metrics of Quantus."""

from __future__ import annotations

from xaiexp.plugin import Component, hookimpl
from xaiexp_quantus import axiomatic, complexity, faithfulness, localisation, randomisation, robustness

__all__ = ["xaiexp_components"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The metrics."""
    families = (faithfulness, robustness, randomisation, complexity, localisation, axiomatic)
    return [getattr(family, name) for family in families for name in family.__all__]
