"""Noisy linear imputation (Rong et al. 2022): a missing pixel is the weighted mean of its eight neighbours.

That is a linear system over the missing pixels, the discrete Laplace equation between the known ones. It is solved for
all pictures of a block at once, where they lie, by cycles of multigrid, each of which leaves about a tenth of the
error whatever the size of the picture. A step of a series has two neighbours, and the solution in closed form: the
straight line between the known steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.builtin.removals.multigrid import Grids, columns, laid_out, over_picture, planes_of

__all__ = ["imputed", "interpolated", "pictures_at_once", "solved"]

_CYCLES = 30
# What a cycle leaves of the error, at the least that is believed: the first cycles do not show yet what is slow.
_RATE = 0.15
# Numbers in a block of pictures, and what a number of pictures should be a multiple of, for vectors of 16 numbers.
_AT_ONCE, _VECTOR = 1 << 22, 16


def pictures_at_once(shape: tuple[int, ...]) -> int:
    """How many pictures ``[C, H, W]`` are solved together: fewer do not fill the convolutions, more the caches."""
    count = _AT_ONCE // max(1, torch.Size(shape).numel())
    return max(1, count if count < _VECTOR else count // _VECTOR * _VECTOR)


def imputed(values: Tensor, known: Tensor, fallback: Tensor, tolerance: float | Tensor) -> Tensor:
    """``values`` with the elements that are not known put in from their neighbours, without noise.

    Args:
        values: float ``[B, C, H, W]`` or ``[B, C, T]``; what stands where nothing is known is not read.
        known: bool, likewise, or with one channel for all.
        fallback: broadcasts over ``values``: what a channel becomes of which nothing is known at all.
        tolerance: of :func:`solved`, for pictures; a number, or one a channel that broadcasts over ``values``.
    """
    empty = ~known.flatten(2).any(dim=2).view(*known.shape[:2], *[1] * (known.ndim - 2))
    if bool(empty.any()):
        values, known = torch.where(empty, fallback.to(values), values), known | empty
    if values.ndim == 3:
        return interpolated(values, known.expand(values.shape))
    if not len(values):
        return values.clone()
    limit = torch.as_tensor(tolerance, dtype=values.dtype, device=values.device).expand(*values.shape[:2], 1, 1)
    blocks = [torch.split(each, pictures_at_once(values.shape[1:])) for each in (values, known, limit)]
    done = [_imputed(*block) for block in zip(*blocks, strict=True)]
    return done[0] if len(done) == 1 else torch.cat(done)


def _imputed(values: Tensor, known: Tensor, limit: Tensor) -> Tensor:
    if known.shape[1] == 1:
        return solved(values.transpose(0, 1), known[:, 0], limit.transpose(0, 1)).transpose(0, 1)
    return solved(values.flatten(0, 1), known.flatten(0, 1), limit.flatten(0, 1)).view_as(values)


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
    """Pictures whose unknown pixels are the weighted means of their neighbours.

    Direct neighbours weigh 1/6 and diagonal ones 1/12; at the border, the weights of those inside are scaled to 1.
    Every mask is iterated until the error of its own planes is below their own tolerance, and then left alone: no
    solution depends on the others.

    Args:
        values: float ``[P, H, W]``, or ``[C, P, H, W]`` where C planes share a mask; unknown pixels are not read.
        known: bool ``[P, H, W]``, at least one pixel in each.
        tolerance: ``[P, 1, 1]`` or ``[C, P, 1, 1]``, in units of the values: the largest error of a pixel, as the last
            cycle estimates it.
    """
    if min(known.shape[1:]) == 1:  # one row: a series
        return interpolated(values.flatten(-2), known.expand(values.shape).flatten(-2)).view_as(values)
    unknown = laid_out((~known).to(values.dtype).unsqueeze(0))
    given = laid_out(values.view(-1, *known.shape))
    fixed = torch.addcmul(given, given, unknown, value=-1)
    total = over_picture(fixed, torch.sum)
    if not bool(total.isfinite().all()):  # what stands at unknown pixels is no number
        fixed = torch.where(unknown > 0, 0.0, given)
        total = over_picture(fixed, torch.sum)
    # Sweeps round, and where hardly anything is known that adds up: around 0 there is least to round.
    mean = (total / known.sum((1, 2)))[..., None, None]
    centred = torch.sub(fixed, mean).mul_(1 - unknown)
    solution = _iterated(centred, centred, Grids.of(unknown), tolerance.reshape(total.shape)).add_(mean)
    whole = torch.addcmul(fixed, unknown, solution, out=solution)
    return planes_of(whole).transpose(0, 1).reshape(values.shape)


def _iterated(
    x: Tensor, fixed: Tensor, grids: Grids, limit: Tensor, before: Tensor | None = None, cycles: int = _CYCLES
) -> Tensor:
    """The solution from ``x [C, P, H, W]`` on.

    Args:
        fixed: the known pixels, 0 elsewhere.
        limit: the tolerance, ``[C, P]``.
        before: how far the last cycle moved each mask's planes, in units of the tolerance, ``[P]``.
        cycles: at most so many.
    """
    for cycle in range(1, cycles + 1):
        last = grids.swept(x, fixed)
        x = grids.swept(last, fixed)
        change = torch.sub(x, last, out=last)
        moved = _largest(change)
        x, correction = grids.corrected(x, change)
        x = grids.swept(x, fixed)
        # In units of the tolerance, of the worst of the planes that share a mask.
        moved = (torch.maximum(moved, _largest(correction)) / limit).amax(dim=0)
        left = moved if before is None else moved * (moved / before).clamp(min=_RATE)
        on = ((moved > 1) & (left > 1)).nonzero().squeeze(1)
        if not len(on):
            return x
        if len(on) < len(moved):
            some = (columns(x, on), columns(fixed, on), grids.picked(on), limit[:, on], moved[on], cycles - cycle)
            return x.index_copy_(1, on, _iterated(*some))
        before = moved
    return x


def _largest(x: Tensor) -> Tensor:
    """The largest magnitude in each plane of ``[N, Q, H, W]``, ``[N, Q]``."""
    return torch.maximum(over_picture(x, torch.amax), -over_picture(x, torch.amin))
