"""The baseline mine for xaiexp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from xaiexp.plugin import Baseline, Batch, Component, Draws, Modality, Range, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

XAIEXP_API = 1  # the version of the plugin contract that this plugin requires


@dataclass(frozen=True)
class Mine(Baseline):
    """A distribution of references, each with one value for all elements, drawn for each example.

    Args:
        count: the number of references of an example.
    """

    summary = "random values between 0 and 1, the same for every element"
    source = "after Sturmfels, Lundberg, Lee 2020, the uniform baseline"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    count: Annotated[int, Range(1)] = 4

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """``[N, count, *shape]``, drawn in data space."""
        import torch

        drawn = rng.uniform("value", samples=range(self.count)).to(batch.inputs)
        values = drawn.view(len(batch), self.count, *[1] * len(batch.shape))
        return torch.zeros_like(batch.inputs).unsqueeze(1) + batch.background.encode(values)


@hookimpl
def xaiexp_components() -> Sequence[type[Component]]:
    """The components of this plugin."""
    return [Mine]
