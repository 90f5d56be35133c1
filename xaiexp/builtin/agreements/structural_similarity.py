"""Structural similarity of two maps as pictures (Wang et al. 2004)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from xaiexp.builtin.agreements.blocks import in_blocks, numbers
from xaiexp.builtin.agreements.pairs import Pairs, undefined

__all__ = ["structural_similarity"]

# Pixels that are at work at once: on a CPU, what is made of them for one pair stays in the cache.
_PIXELS = {"cpu": 1 << 17, "cuda": 1 << 22}


def structural_similarity(maps: Tensor, pairs: Pairs, window: int, magnitudes: bool) -> Tensor:
    """Mean SSIM of P pairs of the maps ``[M, N, H, W]``, each first divided by its largest magnitude: ``[P, N]``.

    Equation 13 of Wang et al. 2004 with K1 = 0.01 and K2 = 0.03, over all square windows that lie inside, with equal
    weights and unbiased variances, in the precision of the maps, as in scikit-image.

    Args:
        window: side of the windows in pixels, odd; smaller where the map is.
        magnitudes: whether magnitudes are compared, in 0..1, or values, in -1..1; this is L of the paper, 1 or 2.

    Returns:
        NaN for maps that are the same everywhere, or smaller than three pixels.
    """
    _, n, height, width = maps.shape
    side = min(window, height, width)
    side -= 1 - side % 2
    out = undefined(maps, pairs)
    if side < 3 or not pairs or not n:
        return out
    used = sorted({i for pair in pairs for i in pair})
    place = {i: at for at, i in enumerate(used)}
    own = [(place[i], place[j]) for i, j in pairs]
    constants = (0.01, 0.03) if magnitudes else (0.02, 0.06)
    pixels = numbers(_PIXELS, maps.device)

    def compare(rows: slice) -> None:
        part = maps[used, rows]
        if magnitudes:
            part.abs_()
        low, high = part.amin((2, 3), keepdim=True), part.amax((2, 3), keepdim=True)
        part /= torch.maximum(-low, high)
        total = torch.zeros(len(pairs), part.shape[1], dtype=torch.float64, device=maps.device)
        inside = height - side + 1
        strip = max(1, pixels // (part.shape[1] * width) - side + 1)
        for top in range(0, inside, strip):
            rows_of_strip = part[:, :, top : min(inside, top + strip) + side - 1]
            total += _Windows(rows_of_strip, side, *constants).similarity(own)
        total /= inside * (width - side + 1)
        constant = (low == high)[..., 0, 0]
        unknown = torch.stack([constant[i] | constant[j] for i, j in own])
        out[:, rows] = total.clamp_(-1.0, 1.0).masked_fill_(unknown, float("nan")).to(out.dtype)

    in_blocks(compare, maps.flatten(2), pixels * len(maps))
    return out


class _Windows:
    """Windows of the maps ``[M, n, h, W]``, each read as one row of pixels, a picture behind the other.

    A window belongs to its first pixel: its sum is one over neighbours in the row, and one over those a width apart,
    each over the whole row at once. Windows that reach beyond an edge are summed up as well, and not counted.

    With means m, mean squares and mean products, half of the paper's numerator and denominator are
    ``(m_i m_j + c1 / 2) * (cov_ij + c2 / 2)`` and ``(a_i + a_j) * (b_i + b_j)``, where a map's
    ``a = (m^2 + c1 / 2) / 2`` and ``b = (var + c2 / 2) / 2``; the factor of unbiased variances is taken into c2.
    """

    def __init__(self, maps: Tensor, side: int, k1: float, k2: float) -> None:
        m, n, height, width = maps.shape
        self._inside = (slice(None), slice(height - side + 1), slice(width - side + 1))
        self._shape = (n, height, width)
        self._c1, self._c2 = k1**2 / 2, k2**2 / 2 * (side**2 - 1) / side**2
        scale = 1 / side  # of the maps, so that sums of products are means
        size = n * height * width
        buffers = maps.new_empty(3, size)
        self._sums: Tensor = buffers[0]
        spare = buffers[1], buffers[2]
        self._steps = [*_adding(self._sums, width, side, spare), *_adding(self._sums, 1, side, spare)]
        self._spare = spare
        self._maps, means = maps.reshape(m, size) * scale, maps.new_empty(m, size)
        variances = torch.empty_like(means)
        for own, mean, variance in zip(self._maps, means, variances, strict=True):
            self._sums.copy_(own)
            torch.mul(self._summed(), scale, out=mean)
            torch.mul(own, own, out=self._sums)
            variance.copy_(self._summed())
        self._means, squares = means, means.square()
        self._variances = variances.sub_(squares).add_(self._c2).mul_(0.5)
        self._squares = squares.add_(self._c1).mul_(0.5)

    def similarity(self, pairs: Pairs) -> Tensor:
        """The sum of SSIM over the windows of P pairs, ``[P, n]``."""
        maps, means, squares, variances = (
            each.unbind() for each in (self._maps, self._means, self._squares, self._variances)
        )
        value, counted = self._sums, self._sums.view(self._shape)[self._inside]
        spare, other = self._spare
        out: Tensor = value.new_empty(len(pairs), self._shape[0], dtype=torch.float64)
        for one, (i, j) in enumerate(pairs):
            torch.mul(maps[i], maps[j], out=value)
            self._summed()
            torch.mul(means[i], means[j], out=spare)
            value.sub_(spare).add_(self._c2).mul_(spare.add_(self._c1))
            torch.add(squares[i], squares[j], out=spare)
            torch.add(variances[i], variances[j], out=other)
            value.div_(spare.mul_(other))
            torch.sum(counted.sum(dim=2), dim=1, dtype=torch.float64, out=out[one])
        return out

    def _summed(self) -> Tensor:
        """The sums over the windows that begin at each pixel, in place."""
        for left, right, out in self._steps:
            torch.add(left, right, out=out)
        return self._sums


def _adding(numbers: Tensor, step: int, length: int, spare: Sequence[Tensor]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """What to add to what, and where to write it, so that ``numbers [d]`` become sums of so many, a step apart.

    From sums of 1, 2, 4 ... of them; the last ``(length - 1) * step`` are no sums.

    Args:
        length: odd.
        spare: two others ``[d]``, which are written over.
    """
    total = numbers[: len(numbers) - (length - 1) * step]
    steps: list[tuple[Tensor, Tensor, Tensor]] = []
    powers, width, start = numbers, 1, 1
    for into in itertools.cycle(spare):
        if width * 2 > length:
            return steps
        count = len(powers) - width * step
        steps.append((powers[:count], powers[width * step :], into[:count]))
        powers, width = into[:count], width * 2
        if length & width:
            steps.append((total, powers[start * step : start * step + len(total)], total))
            start += width
    raise AssertionError
