"""Ground truth of what matters, from masks over elements to features."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from xaiexp.core.batches import Batch
from xaiexp.errors import Unsupported

__all__ = ["boxes", "grown", "shares"]


def shares(batch: Batch, masks: Tensor) -> Tensor:
    """The share of each feature's elements that lie inside the truth, float64 ``[N, d]`` in [0, 1].

    0 in columns that an example does not have.

    Args:
        masks: bool ``[N, H, W]`` for pictures, ``[N, T]`` for texts and series, ``[N, F]`` for tables.
    """
    modality = batch.background.modality
    if modality in ("image", "series"):
        masks = masks.unsqueeze(1)
    elif modality == "text":
        masks = masks.unsqueeze(2)
    inside = masks.expand(batch.inputs.shape).double()
    return batch.features.pool(inside) / batch.features.sizes.clamp(min=1)


def boxes(masks: Tensor) -> Tensor:
    """The smallest box around each truth: a rectangle of ``[N, H, W]``, a stretch of ``[N, T]``; bool."""
    out = torch.ones_like(masks)
    axes = range(1, masks.ndim)
    for axis in axes:
        others = [a for a in axes if a != axis]
        touched = masks.any(dim=others, keepdim=True) if others else masks
        after = touched.cumsum(dim=axis) > 0
        before = touched.flip(axis).cumsum(dim=axis).flip(axis) > 0
        out = out & after & before
    return out


def grown(masks: Tensor, tolerance: int, modality: str) -> Tensor:
    """The truth with everything that is at most ``tolerance`` pixels (steps of a series) away from it, bool.

    Raises:
        Unsupported: there is no distance between columns of a table or tokens.
    """
    if not tolerance:
        return masks
    if modality not in ("image", "series"):
        raise Unsupported(f"a tolerance is a distance in pixels or steps, and a {modality} has neither: tolerance=0")
    grid = masks.double().view(len(masks), 1, *(masks.shape[1:] if masks.ndim == 3 else (1, masks.shape[1])))
    height = grid.shape[2]
    out = torch.zeros_like(grid)
    # A disc is a stack of rows: each is a wider mask, moved up or down.
    for down in range(max(-tolerance, 1 - height), min(tolerance, height - 1) + 1):
        wide = math.isqrt(tolerance**2 - down**2)
        row = functional.max_pool2d(grid, (1, 2 * wide + 1), stride=1, padding=(0, wide))
        to, start = max(down, 0), max(-down, 0)
        part = out[:, :, to : height - start]
        torch.maximum(part, row[:, :, start : height - to], out=part)
    return (out > 0).view(masks.shape)
