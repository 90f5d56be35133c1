"""Studies in Weights & Biases: ``tracker=[wandb]``."""

from __future__ import annotations

from xaiexp.plugin import Component, hookimpl
from xaiexp_wandb.tracker import Wandb

__all__ = ["Wandb", "xaiexp_components"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The tracker."""
    return [Wandb]
