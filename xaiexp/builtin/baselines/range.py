"""Baselines at the ends of the range of the data: black, white, and whichever end is farther away."""

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

__all__ = ["Black", "MaxDistance", "White", "ends", "farthest"]


def ends(batch: Batch, baseline: str) -> tuple[Tensor, Tensor]:
    """Lowest and highest values of the data, in model space, in the dtype and on the device of the inputs.

    Raises:
        Unsupported: the range is unknown.
    """
    low, high = batch.background.low, batch.background.high
    if low is None or high is None:
        raise Unsupported(
            f"baseline {baseline!r} needs the range of the data, which is unknown: "
            "give background=, or use baseline 'zero' or 'constant'"
        )
    return low.to(batch.inputs), high.to(batch.inputs)


def farthest(inputs: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """For every element the end of its range that is farther from it; the lower one in the middle.

    No other input within the range is farther away, by L1 or any other Lp.

    Args:
        inputs: ``[N, *shape]``.
        low, high: broadcast over one input.
    """
    import torch

    return torch.where(inputs - low >= high - inputs, low.expand_as(inputs), high.expand_as(inputs))


@dataclass(frozen=True)
class Black(Baseline):
    """The lowest legal value of every channel in data space, ``[N, *shape]``: a black picture.

    As baseline ``zero`` where the data begin at 0; black it is also where they do not.
    """

    summary = "the lowest legal value of every channel (pictures)"
    source = "Sundararajan et al. 2017, section 3; Sturmfels, Lundberg, Lee 2020 (Distill), on its blindness to black"
    modalities = ("image",)

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space.

        Raises:
            Unsupported: the range of the data is unknown.
        """
        return fill(batch.inputs, ends(batch, self.name)[0])


@dataclass(frozen=True)
class White(Baseline):
    """The highest legal value of every channel in data space, ``[N, *shape]``: a white picture."""

    summary = "the highest legal value of every channel (pictures)"
    source = "Sturmfels, Lundberg, Lee 2020 (Distill), section on constant baselines"
    modalities = ("image",)

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space.

        Raises:
            Unsupported: the range of the data is unknown.
        """
        return fill(batch.inputs, ends(batch, self.name)[1])


@dataclass(frozen=True)
class MaxDistance(Baseline):
    """The legal input that is farthest from each example, ``[N, *shape]``: no value is kept, none is illegal.

    Every element takes the end of its range that is farther from it: of pictures the darkest or the brightest value
    of its channel, of tables and series the lowest or the highest one among the data (per column, per channel).
    Columns are taken one by one, so that this corner of the range may be nobody's row (all or none of a one-hot group).
    """

    summary = "for every element the farther end of the range of the data"
    source = "Sturmfels, Lundberg, Lee 2020 (Distill), maximum distance baseline"
    modalities = ("image", "table", "series")

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space.

        Raises:
            Unsupported: the range of the data is unknown.
        """
        return farthest(batch.inputs.detach(), *ends(batch, self.name))
