"""Gaussian blur of images and time series."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


__all__ = ["default_sigma", "gaussian_blur"]

_TRUNCATE = 4.0


def default_sigma(sides: tuple[int, ...]) -> float:
    """The standard deviation that makes images (or time series) unrecognisable: 0.75 * sqrt(longest side).

    That is 2.1 for 8 x 8 digits, 4.2 for 32 x 32 and 11.2 for 224 x 224 photos (Fong and Vedaldi take 10 there). The
    value was determined empirically: the built-in networks and MobileNetV2 are at chance on inputs blurred by it (see
    ``tests/builtin/models/test_kit.py``), while colour and lighting remain. It is not proportional to the side length,
    because small images need a larger share of it than large ones.

    Args:
        sides: height and width in pixels, or steps.
    """
    return 0.75 * math.sqrt(max(sides))


def _matrix(side: int, sigma: float, like: Tensor) -> Tensor:
    """The blur along one axis as a matrix ``[side, side]``, whose rows and columns sum to 1.

    The axis is continued by reflection at the border (``d c b a | a b c d | d c b a``), for kernels of any width, so
    the blur keeps the mean.
    """
    import torch

    radius = int(_TRUNCATE * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    weights /= weights.sum()
    source = (torch.arange(side).unsqueeze(1) + offsets) % (2 * side)
    source = torch.where(source < side, source, 2 * side - 1 - source)
    matrix = torch.zeros(side, side, dtype=torch.float64)
    matrix.scatter_add_(1, source, weights.expand(side, -1))
    return matrix.to(device=like.device, dtype=like.dtype)


def gaussian_blur(inputs: Tensor, sigma: float) -> Tensor:
    """Blur the last two axes of ``[N, C, H, W]``, or the last one of ``[N, C, T]``.

    Equals ``scipy.ndimage.gaussian_filter`` (mode ``reflect``, truncated at 4 sigma). Its weights sum to 1, so
    blurring in model space and in data space gives the same result.

    Args:
        inputs: float, any device.
        sigma: standard deviation in pixels or time steps.
    """
    blurred = inputs @ _matrix(inputs.shape[-1], sigma, inputs)
    if inputs.ndim == 4:
        blurred = _matrix(inputs.shape[-2], sigma, inputs) @ blurred
    return blurred
