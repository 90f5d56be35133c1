"""Structural similarity of two maps as pictures (Wang et al. 2004)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.nn import functional as F

from xaiexp.builtin.agreements.orders import at_work

__all__ = ["structural_similarity"]

_TOGETHER = 64  # pairs


def structural_similarity(maps: Tensor, pairs: Sequence[tuple[int, int]], window: int, value_range: float) -> Tensor:
    """Mean SSIM of P pairs of the maps ``[M, N, H, W]``, each first divided by its largest magnitude: ``[P, N]``.

    Equation 13 of Wang et al. 2004 with K1 = 0.01 and K2 = 0.03, over all square windows that lie inside, with equal
    weights and unbiased variances, in the precision of the maps, as in scikit-image.

    Args:
        window: side of the windows in pixels, odd; smaller where the map is.
        value_range: L of the paper, the distance from the lowest to the highest possible value.

    Returns:
        NaN for maps that are the same everywhere, or smaller than three pixels.
    """
    _, n, height, width = maps.shape
    side = min(window, height, width)
    side -= 1 - side % 2
    out = maps.new_full((len(pairs), n), float("nan"))
    if side < 3 or not pairs:
        return out
    flat = maps.flatten(2)
    constant = flat.amax(-1) == flat.amin(-1)
    asked = torch.tensor(list(pairs), dtype=torch.int64, device=maps.device)
    for first in range(0, len(pairs), _TOGETHER):
        block = slice(first, first + _TOGETHER)
        used, own = asked[block].unique(return_inverse=True)  # type: ignore[no-untyped-call]  # of torch
        windows = _Windows(side, (0.01 * value_range) ** 2, (0.03 * value_range) ** 2, own, len(used))
        each = maps[used].transpose(0, 1)
        for i, value in enumerate(_one_by_one(windows.similarity, each)):
            out[block, i] = value.to(out.dtype)
    return out.masked_fill_(constant[asked].any(dim=1), float("nan"))


def _one_by_one(run: Callable[[Tensor], Tensor], examples: Tensor) -> Iterable[Tensor]:
    """``run`` of each of the ``examples [N, ...]``; on a CPU one thread for each, as many at once as torch has threads.

    Within one example the steps are too short to be shared out: threads would wait for each other most of the time, and
    on a busy machine for a hundred times as long as they work.
    """
    threads = torch.get_num_threads()
    if examples.device.type != "cpu" or threads == 1:
        return map(run, examples)
    torch.set_num_threads(1)  # also of threads that are made from here on
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(run, examples))
    finally:
        torch.set_num_threads(threads)


class _Windows:
    """Windows of P pairs of M maps of one example.

    Pictures lie pixel by pixel with the maps, or the pairs, side by side: ``[H, W, M]``, so that neighbours along both
    axes are whole stretches of memory. Everything about a pair follows from the sum of its two maps, picked out by a
    product with a matrix of zeros and ones: ``2 m_i m_j = (m_i + m_j)^2 - m_i^2 - m_j^2`` of the means, and twice the
    covariance is the variance of the sum without those of the two.

    Args:
        side: of a window.
        c1, c2: the constants of the paper.
        pairs: indices of maps, int64 ``[P, 2]``.
        maps: M.
    """

    def __init__(self, side: int, c1: float, c2: float, pairs: Tensor, maps: int) -> None:
        self._side, self._c1, self._c2 = side, c1, c2
        self._unbiased = side**2 / (side**2 - 1)
        self._either = F.one_hot(pairs, maps).sum(1).T

    def similarity(self, maps: Tensor) -> Tensor:
        """Mean SSIM ``[P]`` of maps ``[M, H, W]``, in strips of rows that stay in the cache."""
        height, width = maps.shape[1:]
        scaled = (maps / maps.abs().amax(dim=(1, 2), keepdim=True)).permute(1, 2, 0).contiguous()
        total = torch.zeros(self._either.shape[1], dtype=torch.float64, device=maps.device)
        rows = max(self._side, at_work(maps) // (4 * width * len(total)))
        inside = height - self._side + 1
        for top in range(0, inside, rows):
            total += self._strip(scaled[top : min(inside, top + rows) + self._side - 1])
        return (total / (inside * (width - self._side + 1))).clamp(-1.0, 1.0)

    def _strip(self, strip: Tensor) -> Tensor:
        """The sum over the windows that lie in a strip ``[h, W, M]``, ``[P]``."""
        either, unbiased = self._either.to(strip.dtype), self._unbiased
        means = self._means(strip, 1.0)
        squares = means.square()
        variances = self._means(strip.square(), unbiased).sub_(squares, alpha=unbiased)
        # Half of the constants: the sum over two maps holds all of them.
        luminance, contrast = squares.add_(self._c1 / 2) @ either, variances.add_(self._c2 / 2) @ either
        mean = (means @ either).square_()
        likeness = self._means((strip @ either).square_(), unbiased).sub_(mean, alpha=unbiased)
        likeness.sub_(contrast).add_(2 * self._c2).mul_(mean.sub_(luminance).add_(2 * self._c1))
        return likeness.div_(luminance.mul_(contrast)).sum(dim=(0, 1))

    def _means(self, pictures: Tensor, factor: float) -> Tensor:
        """``factor`` times the means over all windows of ``[h, W, C]``: ``[h - side + 1, W - side + 1, C]``."""
        columns = _band(len(pictures), self._side, factor / self._side**2, pictures) @ pictures.flatten(1)
        return _run(columns.view(-1, *pictures.shape[1:]), 1, self._side)


def _band(height: int, side: int, number: float, like: Tensor) -> Tensor:
    """The matrix ``[height - side + 1, height]`` that adds up ``side`` neighbours, times a number."""
    ones = torch.full((height - side + 1, height), number, dtype=like.dtype, device=like.device)
    return ones.triu_().tril_(side - 1)


def _run(numbers: Tensor, axis: int, length: int) -> Tensor:
    """The sums of so many neighbours along an axis, from sums of 1, 2, 4 ... of them.

    >>> _run(torch.arange(6.0), 0, 3)
    tensor([ 3.,  6.,  9., 12.])
    """
    count = numbers.shape[axis] - length + 1
    total, start, width = None, 0, 1
    while length:
        if length % 2:
            piece = numbers.narrow(axis, start, count)
            total = piece if total is None else total + piece
            start += width
        length //= 2
        if length:
            several = numbers.shape[axis] - width
            numbers = numbers.narrow(axis, 0, several) + numbers.narrow(axis, width, several)
            width *= 2
    assert total is not None  # noqa: S101 -- a window has at least one pixel
    return total
