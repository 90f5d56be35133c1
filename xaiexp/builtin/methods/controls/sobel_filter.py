"""Edges of a picture."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

__all__ = ["sobel"]


def sobel(pictures: Tensor) -> Tensor:
    """Length of the gradient of grey pictures ``[N, H, W]``, ``[N, H, W]``: 1 where they rise by 1 a pixel.

    Sobel and Feldman 1968: the difference of the two neighbours along one axis, halved, smoothed along the other
    by 1/4, 1/2, 1/4. The border is repeated outwards.

    >>> import torch
    >>> sobel(torch.arange(4.0).expand(1, 3, 4))[0, 1].tolist()
    [0.5, 1.0, 1.0, 0.5]
    """
    around = F.pad(pictures.unsqueeze(1), (1, 1, 1, 1), mode="replicate").squeeze(1)
    # Differences first: where nothing changes they are exactly 0.
    down, across = around[:, 2:] - around[:, :-2], around[..., 2:] - around[..., :-2]
    down = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    across = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    return (down.square() + across.square()).sqrt() / 8
