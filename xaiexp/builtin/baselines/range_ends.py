"""Baselines at the ends of the range of the data: lowest value, highest value, and the end that is farther away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.builtin.baselines.constants import fill
from xaiexp.contract.kinds import Baseline
from xaiexp.core.batches import Batch
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws

__all__ = ["Black", "MaxDistance", "White", "data_range_ends", "farther_end"]


def data_range_ends(batch: Batch, baseline: str) -> tuple[Tensor, Tensor]:
    """Lowest and highest values of the data, in model space, in the dtype and on the device of the inputs.

    Raises:
        Unsupported: the range of the data is unknown.
    """
    low, high = batch.background.low, batch.background.high
    if low is None or high is None:
        raise Unsupported(
            f"baseline {baseline!r} needs the range of the data, which is unknown: "
            "give background=, or use baseline 'zero' or 'constant'"
        )
    return low.to(batch.inputs), high.to(batch.inputs)


def farther_end(inputs: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The end of the range that is farther from each element; the lower end for an element in the middle.

    The result has the maximum Lp distance from the input within the range, for every p.

    Args:
        inputs: ``[N, *shape]``.
        low, high: broadcast over one input.
    """
    import torch

    return torch.where(inputs - low >= high - inputs, low.expand_as(inputs), high.expand_as(inputs))


@dataclass(frozen=True)
class Black(Baseline):
    """The lowest valid value of every channel in data space, ``[N, *shape]``: a black image.

    It equals baseline ``zero`` if the data range begins at 0, and is black for any other range too.
    """

    summary = "the lowest valid value of every channel (images)"
    source = "Sundararajan et al. 2017, section 3; Sturmfels, Lundberg, Lee 2020 (Distill), on its blindness to black"
    modalities = ("image",)

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space.

        Raises:
            Unsupported: the range of the data is unknown.
        """
        return fill(batch.inputs, data_range_ends(batch, self.name)[0])


@dataclass(frozen=True)
class White(Baseline):
    """The highest valid value of every channel in data space, ``[N, *shape]``: a white image."""

    summary = "the highest valid value of every channel (images)"
    source = "Sturmfels, Lundberg, Lee 2020 (Distill), section on constant baselines"
    modalities = ("image",)

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space.

        Raises:
            Unsupported: the range of the data is unknown.
        """
        return fill(batch.inputs, data_range_ends(batch, self.name)[1])


@dataclass(frozen=True)
class MaxDistance(Baseline):
    """The valid input with the maximum distance from each example, ``[N, *shape]``.

    Every element is replaced by the farther end of its range: for images the lowest or highest valid value of its
    channel, for tables and series the minimum or maximum of the data (per column or channel). Columns are treated
    independently, so the result may be impossible as a row (all or none of the levels of a category).
    """

    summary = "the end of the range of the data that is farther from each element"
    source = "Sturmfels, Lundberg, Lee 2020 (Distill), maximum distance baseline"
    modalities = ("image", "table", "series")

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space.

        Raises:
            Unsupported: the range of the data is unknown.
        """
        return farther_end(batch.inputs.detach(), *data_range_ends(batch, self.name))
