"""Ground truth masks: from elements to features, bounding boxes, tolerance."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from xaiexp.core.batches import Batch
from xaiexp.errors import Unsupported

__all__ = ["bounding_boxes", "dilated", "inside_shares"]


def inside_shares(batch: Batch, masks: Tensor) -> Tensor:
    """The share of each feature's elements that lie inside the ground truth, float64 ``[N, d]`` in [0, 1].

    0 in columns that an example does not have.

    Args:
        masks: bool ``[N, H, W]`` for images, ``[N, T]`` for texts and time series, ``[N, F]`` for tables.
    """
    modality = batch.background.modality
    if modality in ("image", "series"):
        masks = masks.unsqueeze(1)
    elif modality == "text":
        masks = masks.unsqueeze(2)
    inside = masks.expand(batch.inputs.shape).double()
    return batch.features.pool(inside) / batch.features.sizes.clamp(min=1)


def bounding_boxes(masks: Tensor) -> Tensor:
    """The smallest box around each ground truth, bool: a rectangle of ``[N, H, W]``, an interval of ``[N, T]``."""
    out = torch.ones_like(masks)
    axes = range(1, masks.ndim)
    for axis in axes:
        others = [a for a in axes if a != axis]
        occupied = masks.any(dim=others, keepdim=True) if others else masks
        after_first = occupied.cumsum(dim=axis) > 0
        before_last = occupied.flip(axis).cumsum(dim=axis).flip(axis) > 0
        out = out & after_first & before_last
    return out


def dilated(masks: Tensor, tolerance: int, modality: str) -> Tensor:
    """The ground truth with all pixels (steps of a time series) at a distance of at most ``tolerance`` added, bool.

    Raises:
        Unsupported: ``tolerance`` is not 0 for a table or text, where there is no distance, or for a volume.
    """
    if not tolerance:
        return masks
    if modality not in ("image", "series"):
        raise Unsupported(
            f"a tolerance is a distance in pixels or steps, which a {modality} does not have: tolerance=0"
        )
    if masks.ndim > 3:
        raise Unsupported("a tolerance is a distance in an image or a time series, not in a volume: tolerance=0")
    grid = masks.double().view(len(masks), 1, *(masks.shape[1:] if masks.ndim == 3 else (1, masks.shape[1])))
    height = grid.shape[2]
    out = torch.zeros_like(grid)
    # A disc consists of rows. Each row is a mask dilated horizontally and shifted vertically.
    for down in range(max(-tolerance, 1 - height), min(tolerance, height - 1) + 1):
        half_width = math.isqrt(tolerance**2 - down**2)
        row = functional.max_pool2d(grid, (1, 2 * half_width + 1), stride=1, padding=(0, half_width))
        to, start = max(down, 0), max(-down, 0)
        part = out[:, :, to : height - start]
        torch.maximum(part, row[:, :, start : height - to], out=part)
    return (out > 0).view(masks.shape)
