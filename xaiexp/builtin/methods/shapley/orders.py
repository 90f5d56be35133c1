"""Random orders from uniform numbers; on the CPU by numpy's sort of whole numbers, which is several times faster."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["ascending", "shuffled"]


def shuffled(numbers: Tensor) -> Tensor:
    """The places ``0 .. C - 1`` in the order of the numbers along the last axis, int64; equal numbers keep their order.

    Args:
        numbers: uniform numbers of 24 bits as :class:`~xaiexp.core.draws.Draws` gives them, ``[..., C]``, at most 2.

    >>> shuffled(torch.tensor([0.5, 0.25, 0.75]))
    tensor([1, 0, 2])
    """
    count = numbers.shape[-1]
    base = 1 << max(1, count - 1).bit_length()  # number and place are sorted as one whole number
    return ascending((numbers * 2**24).long() * base + torch.arange(count, device=numbers.device)) % base


def ascending(numbers: Tensor) -> Tensor:
    """The numbers sorted along the last axis."""
    if numbers.device.type == "cpu":
        return torch.from_numpy(np.sort(numbers.numpy(), axis=-1))
    return numbers.sort(dim=-1).values
