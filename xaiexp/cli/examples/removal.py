"""The removal mine for xaiexp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from xaiexp.plugin import Batch, Component, Draws, Fill, Modality, ReferenceFill, Removal, hookimpl

XAIEXP_API = 1  # the version of the plugin contract that this plugin requires


@dataclass(frozen=True)
class Mine(Removal):
    """Absent features get one value, plus a number that is drawn once for each example.

    Args:
        value: in data space.
    """

    summary = "one value for every element, brighter or darker by example"
    source = "made up"
    modalities: ClassVar[tuple[Modality, ...]] = ("image", "series")
    differentiable = True
    value: float = 0.5

    def fill(self, batch: Batch, rng: Draws) -> Fill:
        """The same reference for every mask of an example."""
        import torch

        drawn = 0.1 * rng.normal("brightness").to(batch.inputs).view(-1, *[1] * len(batch.shape))
        return ReferenceFill(batch, torch.zeros_like(batch.inputs) + batch.background.encode(self.value) + drawn)


@hookimpl
def xaiexp_components() -> Sequence[type[Component]]:
    """The components of this plugin."""
    return [Mine]
