"""Sliding windows over an input, as products of one interval per axis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["axis_masks", "overlapping_windows", "window_mean"]


def axis_masks(length: int, window: int, stride: int, device: torch.device) -> Tensor:
    """The intervals along one axis, bool ``[K, length]``; the last one is clipped at the border.

    >>> axis_masks(4, 2, 2, torch.device("cpu")).int().tolist()
    [[1, 1, 0, 0], [0, 0, 1, 1]]
    """
    starts = torch.arange(-(-(length - window) // stride) + 1, device=device).unsqueeze(1) * stride
    position = torch.arange(length, device=device)
    return (position >= starts) & (position < starts + window)


def overlapping_windows(inside: Tensor, masks: Sequence[Tensor]) -> Tensor:
    """Which windows contain an element of ``inside`` (bool ``[N, *shape]``): bool ``[N, K1 * K2 * ...]``."""
    counts = inside.float()
    for axis, mask in enumerate(masks, start=1):
        counts = torch.tensordot(counts, mask.float(), dims=([axis], [1])).movedim(-1, axis)
    return counts.flatten(1) > 0


def window_mean(values: Tensor, masks: Sequence[Tensor]) -> Tensor:
    """The mean value of the windows that cover each element: ``[N, K1 * K2 * ...]`` to ``[N, *shape]``."""
    total = values.view(-1, *(len(mask) for mask in masks))
    for axis, mask in enumerate(masks, start=1):
        share = mask.to(values.dtype) / mask.sum(dim=0)
        total = torch.tensordot(total, share, dims=([axis], [0])).movedim(-1, axis)
    return total.contiguous()
