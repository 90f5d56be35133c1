"""Noisy linear imputation (Rong et al. 2022): a missing pixel is the weighted mean of its eight neighbours.

That is a linear system over the missing pixels, the discrete Laplace equation between the known ones. It is solved for
all pictures of a block at once, where they lie: conjugate gradients, preconditioned by one multigrid cycle, so that the
number of iterations hardly grows with the picture (Tatebe 1993; Briggs, Henson, McCormick 2000). A step of a series has
two neighbours, and the solution in closed form: the straight line between the known steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["imputed", "interpolated", "solved"]

_ITERATIONS = 200


def imputed(values: Tensor, known: Tensor, fallback: Tensor, tolerance: float | Tensor) -> Tensor:
    """``values`` with the elements that are not known put in from their neighbours, without noise.

    Args:
        values: float ``[B, C, H, W]`` or ``[B, C, T]``; what stands where nothing is known is not read.
        known: bool, likewise.
        fallback: broadcasts over ``values``: what a channel becomes of which nothing is known at all.
        tolerance: of :func:`solved`, for pictures; a number, or one a channel that broadcasts over ``values``.
    """
    empty = ~known.flatten(2).any(dim=2).view(*known.shape[:2], *[1] * (known.ndim - 2))
    start = torch.where(known, values, torch.where(empty, fallback.expand_as(values), 0.0))
    if values.ndim == 3:
        return interpolated(start, known | empty)
    limit = torch.as_tensor(tolerance, dtype=values.dtype, device=values.device).expand(*values.shape[:2], 1, 1)
    planes = solved(start.flatten(0, 1), (known | empty).flatten(0, 1), limit.flatten(0, 1))
    return planes.view_as(values)


def interpolated(values: Tensor, known: Tensor) -> Tensor:
    """Every unknown step on the straight line between the known ones beside it; before the first and after the last
    known step, constant. ``[..., T]``, of which at least one step in each row is known.

    >>> interpolated(torch.tensor([9.0, 1.0, 9.0, 9.0, 4.0]), torch.tensor([False, True, False, False, True]))
    tensor([1., 1., 2., 3., 4.])
    """
    length = values.shape[-1]
    place = torch.arange(length, device=values.device).expand(values.shape)
    before = torch.where(known, place, -1).cummax(dim=-1).values
    after = torch.where(known, place, length).flip(-1).cummin(dim=-1).values.flip(-1)
    first, last = torch.where(before < 0, after, before), torch.where(after == length, before, after)
    low, high = values.gather(-1, first), values.gather(-1, last)
    share = (place - first).to(values.dtype) / (last - first).clamp(min=1).to(values.dtype)
    return torch.where(known, values, low + share * (high - low))


def solved(values: Tensor, known: Tensor, tolerance: Tensor) -> Tensor:
    """Planes ``[P, H, W]`` whose unknown pixels are the weighted means of their neighbours.

    Direct neighbours weigh 1/6 and diagonal ones 1/12; at the border, the weights of those inside are scaled to 1.
    Every plane is iterated until its own error is below its own tolerance, and then left alone: no plane's solution
    depends on the others.

    Args:
        values: float; unknown pixels may hold anything finite.
        known: bool ``[P, H, W]``, at least one pixel in each plane.
        tolerance: ``[P, 1, 1]``, in units of the values: the largest error of a pixel, as one multigrid cycle
            estimates it.
    """
    grids = _grids(~known, values.dtype)
    fine, p = grids[0], len(values)
    centre = (values * known).sum((1, 2)) / known.sum((1, 2))
    solution = fine.framed(torch.where(known, values, centre.view(-1, 1, 1)))
    residual = (fine.neighbours(solution) - fine.sums * solution) * fine.unknown
    correction = _cycle(residual, grids)
    direction = correction
    power = _dots(residual, correction, p)
    limit = tolerance.flatten()
    for _ in range(_ITERATIONS):
        active = correction.view(p, -1).abs().amax(dim=1) > limit
        if not bool(active.any()):  # the one number that leaves the device in an iteration
            break
        image = (fine.sums * direction - fine.neighbours(direction)) * fine.unknown
        curvature = _dots(direction, image, p)
        step = torch.where(active & (curvature > 0), power / curvature, 0.0)
        solution = _moved(solution, step, direction)
        residual = _moved(residual, -step, image)
        better = _cycle(residual, grids).view(p, -1)
        correction = torch.where(active.unsqueeze(1), better, correction.view(p, -1)).view(-1)
        before, power = power, torch.where(active, _dots(residual, correction, p), power)
        direction = _moved(correction, torch.where(before > 0, power / before, 0.0), direction)
    return torch.where(known, values, fine.inside(solution))


def _dots(a: Tensor, b: Tensor, planes: int) -> Tensor:
    return (a * b).view(planes, -1).sum(dim=1)


def _moved(start: Tensor, step: Tensor, direction: Tensor) -> Tensor:
    p = len(step)
    return torch.addcmul(start.view(p, -1), step.unsqueeze(1), direction.view(p, -1)).view(-1)


@dataclass(frozen=True)
class _Grid:
    """Planes ``[P, H, W]`` in a frame one pixel wide, laid out as one row of numbers.

    A neighbour is then a number so many places on, for all planes at once. What spills over into the frame is
    multiplied away: ``unknown`` and ``inverse`` are 0 there and at known pixels.

    Args:
        shape: P, H, W.
        unknown: 1 at unknown pixels.
        sums: of the weights (1 and 2 here) of the neighbours inside.
        inverse: of the sums, at unknown pixels.
    """

    shape: tuple[int, int, int]
    unknown: Tensor
    sums: Tensor
    inverse: Tensor

    @classmethod
    def of(cls, unknown: Tensor, dtype: torch.dtype) -> _Grid:
        p, h, w = unknown.shape
        bare = cls((p, h, w), *[unknown.new_empty(0)] * 3)
        where = bare.framed(unknown.to(dtype))
        sums = bare.neighbours(bare.framed(torch.ones(p, h, w, dtype=dtype, device=unknown.device)))
        # A plane of one pixel has no neighbours; it is known.
        return cls((p, h, w), where, sums, where / sums.clamp(min=1))

    def framed(self, planes: Tensor) -> Tensor:
        """``[P, H, W]`` in its frame of zeros, as one row."""
        return torch.nn.functional.pad(planes, (1, 1, 1, 1)).view(-1)

    def inside(self, row: Tensor) -> Tensor:
        """The planes of a row, a view."""
        p, h, w = self.shape
        return row.view(p, h + 2, w + 2)[:, 1:-1, 1:-1]

    def neighbours(self, x: Tensor) -> Tensor:
        """The weighted sum over the neighbours: ``[1 2 1] x [1 2 1]`` without four times the centre.

        ``[1 2 1]`` is adding the next number, twice: five sweeps over memory, much less than a convolution of one
        channel costs on a CPU.
        """
        wide = self.shape[2] + 2
        out = x[1:] + x[:-1]
        out = out[1:] + out[:-1]
        out = out[wide:] + out[:-wide]
        out = out[wide:] + out[:-wide]
        centre = x[wide + 1 : -wide - 1]
        return torch.nn.functional.pad(out.sub_(centre, alpha=4), (wide + 1, wide + 1))


def _grids(unknown: Tensor, dtype: torch.dtype) -> list[_Grid]:
    """The unknown pixels, from fine to coarse; a coarse one is unknown where all of its fine ones are."""
    grids = []
    while True:
        grids.append(_Grid.of(unknown, dtype))
        if min(unknown.shape[1:]) <= 2:
            return grids
        for axis in (1, 2):
            twice = torch.cat([unknown, unknown.narrow(axis, -1, 1)], dim=axis)  # for odd lengths
            half = (unknown.shape[axis] + 1) // 2
            low, high = (twice.narrow(axis, k, 2 * half - 1) for k in (0, 1))
            unknown = (low & high)[:, ::2] if axis == 1 else (low & high)[:, :, ::2]


def _cycle(residual: Tensor, grids: Sequence[_Grid], level: int = 0) -> Tensor:
    """One V-cycle for ``A e = residual``: an estimate of the error, symmetric and positive in the residual.

    One sweep of Jacobi before and after; its smoothing factor for these weights is 1/3.
    """
    grid = grids[level]
    error = grid.inverse * residual
    if level + 1 == len(grids):
        for _ in range(4):
            error = (residual + grid.neighbours(error)).mul_(grid.inverse)
        return error
    left = grid.neighbours(error).mul_(grid.unknown)  # of the residual, after that sweep
    coarse = grids[level + 1]
    p, h, w = grid.shape
    even = left.view(p, h + 2, w + 2)[:, 1 : h + 1 + h % 2, 1 : w + 1 + w % 2]
    below = _cycle(coarse.framed(_restricted(even)).mul_(coarse.unknown), grids, level + 1)
    error = grid.framed(_prolonged(coarse.inside(below))[:, :h, :w]).mul_(grid.unknown).add_(error)
    return (residual + grid.neighbours(error)).mul_(grid.inverse)


def _prolonged(x: Tensor) -> Tensor:
    """Linear interpolation to twice the pixels along both axes, constant beyond the ends."""
    for axis in (2, 1):
        n, quarter = x.shape[axis], x * 0.25
        low = x * 0.75
        high = low.clone()
        low.narrow(axis, 1, n - 1).add_(quarter.narrow(axis, 0, n - 1))
        low.narrow(axis, 0, 1).add_(quarter.narrow(axis, 0, 1))
        high.narrow(axis, 0, n - 1).add_(quarter.narrow(axis, 1, n - 1))
        high.narrow(axis, n - 1, 1).add_(quarter.narrow(axis, n - 1, 1))
        x = torch.stack([low, high], dim=axis + 1).flatten(axis, axis + 1)
    return x


def _restricted(x: Tensor) -> Tensor:
    """The transpose of :func:`_prolonged`, of planes of even height and width."""
    for axis in (1, 2):
        low, high = (x[:, k::2] if axis == 1 else x[:, :, k::2] for k in (0, 1))
        n = low.shape[axis]
        out = (low + high).mul_(0.75)
        out.narrow(axis, 0, n - 1).add_(low.narrow(axis, 1, n - 1), alpha=0.25)
        out.narrow(axis, 0, 1).add_(low.narrow(axis, 0, 1), alpha=0.25)
        out.narrow(axis, 1, n - 1).add_(high.narrow(axis, 0, n - 1), alpha=0.25)
        out.narrow(axis, n - 1, 1).add_(high.narrow(axis, n - 1, 1), alpha=0.25)
        x = out
    return x
