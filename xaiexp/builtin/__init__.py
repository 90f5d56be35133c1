"""The built-in components, registered as a plugin through the entry point ``xaiexp.builtin``.

One folder holds each kind: models, datasets, features, outputs, baselines, methods, removals, metrics, agreements,
panels, trackers and callbacks; ``publications`` holds published results. The modules beside the folders are shared by
several families: ``splits`` (training and held-out parts), ``shape_images`` (generated images), ``gaussian_blur`` and
``data_range``.
"""

from __future__ import annotations

from xaiexp.builtin import (
    agreements,
    baselines,
    callbacks,
    datasets,
    features,
    methods,
    metrics,
    models,
    outputs,
    panels,
    publications,
    removals,
    trackers,
)
from xaiexp.contract.hookspecs import hookimpl
from xaiexp.contract.kinds import Component
from xaiexp.core.publications import Publication

__all__ = ["xaiexp_components", "xaiexp_publications"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """All built-in component classes."""
    return [
        *models.COMPONENTS,
        *datasets.COMPONENTS,
        *features.COMPONENTS,
        *outputs.COMPONENTS,
        *baselines.COMPONENTS,
        *methods.COMPONENTS,
        *removals.COMPONENTS,
        *metrics.COMPONENTS,
        *agreements.COMPONENTS,
        *panels.COMPONENTS,
        *trackers.COMPONENTS,
        *callbacks.COMPONENTS,
    ]


@hookimpl
def xaiexp_publications() -> list[Publication]:
    """All published results that are built in."""
    return [*publications.PUBLICATIONS]
