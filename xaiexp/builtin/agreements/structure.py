"""Structural similarity of two maps as pictures (Wang et al. 2004)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["structural_similarity"]

_NUMBERS = 1 << 21


def structural_similarity(maps: Tensor, pairs: Sequence[tuple[int, int]], window: int, value_range: float) -> Tensor:
    """Mean SSIM of P pairs of the maps ``[M, N, H, W]``, each first divided by its largest magnitude: ``[P, N]``.

    Equation 13 of Wang et al. 2004 with K1 = 0.01 and K2 = 0.03, over all square windows that lie inside, with equal
    weights and unbiased variances, as in scikit-image.

    Args:
        window: side of the windows in pixels, odd; smaller where the map is.
        value_range: L of the paper, the distance from the lowest to the highest possible value.

    Returns:
        NaN for maps that are the same everywhere, or smaller than three pixels.
    """
    m, n, height, width = maps.shape
    side = min(window, height, width)
    side -= 1 - side % 2
    out = maps.new_full((len(pairs), n), float("nan"))
    if side < 3:
        return out
    left, right = torch.tensor(list(pairs), dtype=torch.int64, device=maps.device).view(-1, 2).unbind(1)
    flat = maps.flatten(2)
    constant = flat.amax(-1) == flat.amin(-1)
    count = side * side
    c1, c2 = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2

    def smooth(picture: Tensor) -> Tensor:
        # A square window is a row of columns: 2 * side numbers instead of side * side.
        return F.avg_pool2d(F.avg_pool2d(picture, (side, 1), stride=1), (1, side), stride=1)

    step = max(1, _NUMBERS // (m * height * width))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        part = maps[:, rows].double()
        part = part / part.abs().amax(dim=(2, 3), keepdim=True)
        means = smooth(part)
        variances = (smooth(part.square()) - means.square()) * count / (count - 1)
        for pair, (i, j) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
            covariance = (smooth(part[i] * part[j]) - means[i] * means[j]) * count / (count - 1)
            luminance = (2 * means[i] * means[j] + c1) / (means[i].square() + means[j].square() + c1)
            likeness = luminance * (2 * covariance + c2) / (variances[i] + variances[j] + c2)
            value = likeness.mean(dim=(1, 2)).clamp(-1.0, 1.0)
            out[pair, rows] = value.masked_fill(constant[i, rows] | constant[j, rows], float("nan")).to(out.dtype)
    return out
