"""Studies in TensorBoard: ``tracker=[tensorboard]``."""

from __future__ import annotations

from xaiexp.plugin import Component, hookimpl
from xaiexp_tensorboard.tracker import Tensorboard

__all__ = ["Tensorboard", "xaiexp_components"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The tracker."""
    return [Tensorboard]
