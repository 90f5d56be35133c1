"""Noisy linear imputation (Rong et al. 2022), without the noise.

A missing pixel is the weighted mean of its eight neighbours. This is a linear system over the missing pixels, the
discrete Laplace equation between the known ones. It is solved for all images of a block jointly, on their device, by
multigrid cycles; each cycle reduces the error to about a tenth, independent of the size of the image. A step of a time
series has two neighbours, which has a closed-form solution: linear interpolation between the known steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.builtin.removals.multigrid import (
    MultigridSolver,
    from_convolution_layout,
    reduce_planes,
    select_planes,
    to_convolution_layout,
)

__all__ = ["images_per_block", "impute", "interpolate", "solve"]

_MAX_CYCLES = 30
# Lower bound for the estimated error reduction per cycle; the first cycles overestimate the reduction.
_RATE = 0.15
# The number of values in a block of images; the number of images is a multiple of the vector width.
_BLOCK_VALUES, _VECTOR_WIDTH = 1 << 22, 16


def images_per_block(shape: tuple[int, ...]) -> int:
    """How many images ``[C, H, W]`` are solved jointly: fewer underuse the convolutions, more exceed the caches."""
    count = _BLOCK_VALUES // max(1, torch.Size(shape).numel())
    return max(1, count if count < _VECTOR_WIDTH else count // _VECTOR_WIDTH * _VECTOR_WIDTH)


def impute(values: Tensor, known: Tensor, fallback: Tensor, tolerance: float | Tensor) -> Tensor:
    """``values`` with unknown elements imputed from their neighbours, without noise.

    Args:
        values: float ``[B, C, H, W]`` or ``[B, C, T]``; unknown elements are not read.
        known: bool, of the same shape or with one channel for all.
        fallback: broadcasts over ``values``: the value of a channel without known elements.
        tolerance: as in :func:`solve`, for images; a number, or one per channel that broadcasts over ``values``.
    """
    empty = ~known.flatten(2).any(dim=2).view(*known.shape[:2], *[1] * (known.ndim - 2))
    if bool(empty.any()):
        values, known = torch.where(empty, fallback.to(values), values), known | empty
    if values.ndim == 3:
        return interpolate(values, known.expand(values.shape))
    if not len(values):
        return values.clone()
    limit = torch.as_tensor(tolerance, dtype=values.dtype, device=values.device).expand(*values.shape[:2], 1, 1)
    blocks = [torch.split(tensor, images_per_block(values.shape[1:])) for tensor in (values, known, limit)]
    solved = [_impute_block(*block) for block in zip(*blocks, strict=True)]
    return solved[0] if len(solved) == 1 else torch.cat(solved)


def _impute_block(values: Tensor, known: Tensor, limit: Tensor) -> Tensor:
    if known.shape[1] == 1:
        return solve(values.transpose(0, 1), known[:, 0], limit.transpose(0, 1)).transpose(0, 1)
    return solve(values.flatten(0, 1), known.flatten(0, 1), limit.flatten(0, 1)).view_as(values)


def interpolate(values: Tensor, known: Tensor) -> Tensor:
    """Linear interpolation of unknown steps between the known ones; constant before the first and after the last.

    Args:
        values: ``[..., T]``; unknown steps are not read.
        known: bool ``[..., T]``, at least one known step in each row.

    >>> interpolate(torch.tensor([9.0, 1.0, 9.0, 9.0, 4.0]), torch.tensor([False, True, False, False, True]))
    tensor([1., 1., 2., 3., 4.])
    """
    length = values.shape[-1]
    step = torch.arange(length, device=values.device).expand(values.shape)
    before = torch.where(known, step, -1).cummax(dim=-1).values
    after = torch.where(known, step, length).flip(-1).cummin(dim=-1).values.flip(-1)
    first, last = torch.where(before < 0, after, before), torch.where(after == length, before, after)
    low, high = values.gather(-1, first), values.gather(-1, last)
    share = (step - first).to(values.dtype) / (last - first).clamp(min=1).to(values.dtype)
    return torch.where(known, values, low + share * (high - low))


def solve(values: Tensor, known: Tensor, tolerance: Tensor) -> Tensor:
    """Images whose unknown pixels are the weighted means of their neighbours.

    Direct neighbours have the weight 1/6, diagonal ones 1/12; at the border, the weights of the neighbours inside are
    scaled to a sum of 1. Each mask is iterated until the error of its planes is below their tolerance, and is then left
    unchanged, so no solution depends on the other masks.

    Args:
        values: float ``[P, H, W]``, or ``[C, P, H, W]`` where C planes share a mask; unknown pixels are not read.
        known: bool ``[P, H, W]``, at least one known pixel in each.
        tolerance: ``[P, 1, 1]`` or ``[C, P, 1, 1]``, in units of the values: the largest error of a pixel, as estimated
            from the last cycle.
    """
    if min(known.shape[1:]) == 1:  # a single row or column
        return interpolate(values.flatten(-2), known.expand(values.shape).flatten(-2)).view_as(values)
    unknown = to_convolution_layout((~known).to(values.dtype).unsqueeze(0))
    given = to_convolution_layout(values.view(-1, *known.shape))
    fixed = torch.addcmul(given, given, unknown, value=-1)
    total = reduce_planes(fixed, torch.sum)
    if not bool(total.isfinite().all()):  # unknown pixels hold NaN or infinity
        fixed = torch.where(unknown > 0, 0.0, given)
        total = reduce_planes(fixed, torch.sum)
    # Rounding errors of sweeps accumulate where few pixels are known; centring the values around 0 minimises them.
    mean = (total / known.sum((1, 2)))[..., None, None]
    centred = torch.sub(fixed, mean).mul_(1 - unknown)
    solver = MultigridSolver.of(unknown)
    solution = _iterate(centred, centred, solver, tolerance.reshape(total.shape)).add_(mean)
    result = torch.addcmul(fixed, unknown, solution, out=solution)
    return from_convolution_layout(result).transpose(0, 1).reshape(values.shape)


def _iterate(
    x: Tensor,
    fixed: Tensor,
    solver: MultigridSolver,
    limit: Tensor,
    last_moved: Tensor | None = None,
    max_cycles: int = _MAX_CYCLES,
) -> Tensor:
    """The solution, iterated from ``x [C, P, H, W]``.

    Args:
        fixed: the known pixels, 0 elsewhere.
        limit: the tolerance, ``[C, P]``.
        last_moved: how far the last cycle moved each mask's planes, in units of the tolerance, ``[P]``.
        max_cycles: the largest number of cycles.
    """
    for cycle in range(1, max_cycles + 1):
        last = solver.sweep(x, fixed)
        x = solver.sweep(last, fixed)
        change = torch.sub(x, last, out=last)
        moved = _largest(change)
        x, correction = solver.correct(x, change)
        x = solver.sweep(x, fixed)
        # In units of the tolerance, the maximum over the planes that share a mask.
        moved = (torch.maximum(moved, _largest(correction)) / limit).amax(dim=0)
        remaining = moved if last_moved is None else moved * (moved / last_moved).clamp(min=_RATE)
        active = ((moved > 1) & (remaining > 1)).nonzero().squeeze(1)
        if not len(active):
            return x
        if len(active) < len(moved):
            part = _iterate(
                select_planes(x, active),
                select_planes(fixed, active),
                solver.select(active),
                limit[:, active],
                moved[active],
                max_cycles - cycle,
            )
            return x.index_copy_(1, active, part)
        last_moved = moved
    return x


def _largest(x: Tensor) -> Tensor:
    """The largest magnitude in each plane of ``[N, Q, H, W]``, ``[N, Q]``."""
    return torch.maximum(reduce_planes(x, torch.amax), -reduce_planes(x, torch.amin))
