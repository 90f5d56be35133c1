"""The range of the data, which noise and radii are relative to."""

from __future__ import annotations

from torch import Tensor

from xaiexp.core.batches import Batch
from xaiexp.errors import Unsupported

__all__ = ["data_range"]


def data_range(batch: Batch) -> Tensor:
    """Highest minus lowest value of the data, in model space; broadcasts over one input.

    Raises:
        Unsupported: the background does not contain the range, or all of its examples are equal.
    """
    low, high = batch.background.low, batch.background.high
    if low is None or high is None:
        raise Unsupported("perturbations are relative to the range of the data, which is unknown: give background=")
    found = (high - low).to(batch.inputs)
    if not bool(found.any()):
        raise Unsupported("perturbations are relative to the range of the data, and all examples of the data are equal")
    return found
