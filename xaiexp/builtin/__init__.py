"""The built-in plugin: it comes in through the same door as everybody else's."""

from __future__ import annotations

from xaiexp.builtin import agreements, baselines, datasets, features, methods, metrics, models
from xaiexp.contract.hookspecs import hookimpl
from xaiexp.contract.kinds import Component

__all__ = ["xaiexp_components"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """Every built-in component."""
    return [
        *models.COMPONENTS,
        *datasets.COMPONENTS,
        *features.COMPONENTS,
        *baselines.COMPONENTS,
        *methods.COMPONENTS,
        *metrics.COMPONENTS,
        *agreements.COMPONENTS,
    ]
