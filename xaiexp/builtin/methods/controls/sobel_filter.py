"""The Sobel edge filter."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

__all__ = ["sobel"]


def sobel(images: Tensor) -> Tensor:
    """The gradient magnitude ``[N, H, W]`` of grey-scale images ``[N, H, W]``, in units of 1 per pixel.

    Sobel and Feldman 1968: half the difference of the two neighbours along one axis, smoothed along the other with
    weights 1/4, 1/2, 1/4. The border is replicated.

    >>> import torch
    >>> sobel(torch.arange(4.0).expand(1, 3, 4))[0, 1].tolist()
    [0.5, 1.0, 1.0, 0.5]
    """
    padded = F.pad(images.unsqueeze(1), (1, 1, 1, 1), mode="replicate").squeeze(1)
    # Differences come first, so that they are exactly 0 in constant regions.
    down, across = padded[:, 2:] - padded[:, :-2], padded[..., 2:] - padded[..., :-2]
    down = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    across = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    return (down.square() + across.square()).sqrt() / 8
