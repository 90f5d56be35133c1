"""Structural similarity of two maps as images (Wang et al. 2004)."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.builtin.agreements.paired_agreement import Pairs

__all__ = ["structural_similarity"]

# Pixels of a map that are processed at once; on a CPU they stay in its cache.
_BLOCK_PIXELS = {"cpu": 1 << 17, "cuda": 1 << 22}


def structural_similarity(maps: Tensor, pairs: Pairs, window: int, magnitudes: bool) -> Tensor:
    """Mean SSIM of P pairs of the maps ``[M, N, H, W]``, each first divided by its largest magnitude: ``[P, N]``.

    Equation 13 of Wang et al. 2004 with K1 = 0.01 and K2 = 0.03, over all square windows that lie inside, with equal
    weights and unbiased variances, in the precision of the maps, as in scikit-image.

    Args:
        window: side of the windows in pixels, odd; smaller where the map is.
        magnitudes: whether magnitudes are compared, in 0..1, or values, in -1..1; this is L of the paper, 1 or 2.

    Returns:
        NaN for maps that are constant, or smaller than three pixels.
    """
    _, n, height, width = maps.shape
    side = min(window, height, width)
    side -= 1 - side % 2
    out = maps.new_full((len(pairs), n), float("nan"))
    if side < 3:
        return out
    # Halves of both constants; all variances lack the factor side^2 / (side^2 - 1) that makes them unbiased.
    k1, k2 = (0.01, 0.03) if magnitudes else (0.02, 0.06)
    c1, c2 = k1**2 / 2, k2**2 / 2 * (side**2 - 1) / side**2
    step = max(1, _BLOCK_PIXELS.get(maps.device.type, _BLOCK_PIXELS["cpu"]) // (height * width))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        images = maps[:, rows].abs() if magnitudes else maps[:, rows]
        low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
        images = images / torch.maximum(-low, high) * (1 / side)  # sums of products over a window are means
        means = torch.stack([_window_sums(image, side) for image in images]) * (1 / side)
        squares = means.square()
        variances = torch.stack([_window_sums(image * image, side) for image in images]) - squares
        squares, variances = (squares + c1) * 0.5, (variances + c2) * 0.5
        constant = (low == high)[..., 0, 0]
        for row, (i, j) in enumerate(pairs):
            products = means[i] * means[j]
            value = _window_sums(images[i] * images[j], side).sub_(products).add_(c2).mul_(products.add_(c1))
            value /= (squares[i] + squares[j]).mul_(variances[i] + variances[j])
            similarity = value.sum(2).sum(1, dtype=torch.float64) / value[0].numel()
            out[row, rows] = similarity.clamp_(-1.0, 1.0).masked_fill_(constant[i] | constant[j], float("nan"))
    return out


def _window_sums(images: Tensor, side: int) -> Tensor:
    """Sums over all windows that lie inside the images ``[n, H, W]``, ``[n, H - side + 1, W - side + 1]``.

    Added up from sums of 2, 4, 8 ... neighbours.
    """
    for dim in (1, 2):
        count = images.shape[dim] - side + 1
        total, power, width, offset = images.narrow(dim, 0, count), images, 1, 1
        while width * 2 <= side:
            length = power.shape[dim] - width
            power = power.narrow(dim, 0, length) + power.narrow(dim, width, length)
            width *= 2
            if side & width:
                total = total + power.narrow(dim, offset, count)
                offset += width
        images = total
    return images
