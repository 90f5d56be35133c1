"""Baselines of one value, or one value per channel: zero, a constant, the mean of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.kinds import Baseline
from xaiexp.core.batches import Batch
from xaiexp.core.vocabulary import MODALITIES
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws

__all__ = ["Constant", "Mean", "Zero", "fill"]


def fill(inputs: Tensor, value: Tensor | float) -> Tensor:
    """A new tensor like ``inputs [N, *shape]``, filled with ``value``, which broadcasts over one input."""
    import torch

    if isinstance(value, torch.Tensor):
        value = value.to(device=inputs.device, dtype=inputs.dtype)
    return torch.zeros_like(inputs).add_(value)


@dataclass(frozen=True)
class Zero(Baseline):
    """Zero in data space, ``[N, *shape]``: black images, columns that are 0 in their units.

    In model space this is ``(0 - mean) / std``, which is not zero if inputs are normalised. For texts it is the zero
    embedding.
    """

    summary = "zero in data space (black); the zero embedding for texts"
    source = "Sundararajan et al. 2017, section 3 (black image, zero embedding)"
    modalities = MODALITIES

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space."""
        return fill(batch.inputs, batch.background.encode(0.0))


@dataclass(frozen=True)
class Constant(Baseline):
    """The same value for every element in data space, ``[N, *shape]``.

    Args:
        value: value in data space: 0 is black and 1 is white for images; in the units of the columns for tables.
    """

    summary = "the same value for every element, in data space (0.5: mid grey)"
    source = "Sturmfels, Lundberg, Lee 2020 (Distill), section on constant baselines"
    modalities = ("image", "table", "series")

    value: float = 0.5

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space."""
        return fill(batch.inputs, batch.background.encode(self.value))


@dataclass(frozen=True)
class Mean(Baseline):
    """The mean of the data, ``[N, *shape]``, per channel, column or embedding dimension."""

    summary = "the mean of the data per channel, column or embedding dimension"
    source = "Ancona et al. 2018; the usual removal of deletion curves (Samek et al. 2017, section III)"
    modalities = MODALITIES

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space.

        Raises:
            Unsupported: the mean of the data is unknown.
        """
        if batch.background.mean is None:
            raise Unsupported(
                "baseline 'mean' needs examples of the data to average, but there are none: "
                "give background=, or use baseline 'zero' or 'constant'"
            )
        return fill(batch.inputs, batch.background.mean)
