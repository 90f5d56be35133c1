"""What standard errors of a regression over pairs of coalitions need: leverages, corrected residuals, sums over blocks.

Pairs with equally many members have equal leverages, so these are computed by size and not by pair.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["BLOCKS", "block_sums", "leverages", "residual_factors"]

BLOCKS = 64
"""Blocks of pairs for the standard errors, whose own relative error is 1 / sqrt(2 (64 - 1)), 9 %."""

_BINS = 16
"""Bins of leverages in [0, 1], within which residuals are assumed to have equal variance."""


def leverages(information: Tensor, number: Tensor, freedom: Tensor) -> Tensor:
    """Leverages ``[n, K]`` of pairs, which sum to ``freedom [n, 1]``: ``h = c i / (1 + c i)``, i the information.

    ``t'(A + t t')^-1 t = q / (1 + q)`` with ``q = t'A^-1 t``, and q is approximately proportional to the information
    of t; c is determined by bisection.

    Args:
        information: ``[n, K]``, of a pair of each of K sizes.
        number: ``[n, K]``, how many pairs there are of each size.
        freedom: ``[n, 1]``.
    """
    low, high = torch.full_like(freedom, -60.0), torch.full_like(freedom, 60.0)
    for _ in range(60):
        middle = (low + high) / 2
        q = information * middle.exp()
        less = (q / (1 + q) * number).sum(1, keepdim=True) < freedom
        low, high = torch.where(less, middle, low), torch.where(less, high, middle)
    q = information * low.exp()
    return q / (1 + q)


def residual_factors(squares: Tensor, number: Tensor, h: Tensor) -> Tensor:
    """Factors of the residuals of pairs ``[n, K]`` by size, from the sums of their squares and their leverages h.

    A fitted residual has mean square ``(1 - h)^2 s^2 + sum of h_q^2 s_q^2`` over the other pairs q, with
    ``sum h_q^2 = h (1 - h)``. If all s are equal, this is ``(1 - h) s^2`` (MacKinnon and White 1985, HC2). But
    large coalitions have larger residuals and larger leverages. Therefore the mean square m of pairs with similar
    leverage is solved for s: ``s^2 / m = 1 / (1 - h)^2 - h / (1 - h) S / m``, with S the mean of s^2 over all
    pairs, weighted by ``h (1 - h)``.

    Args:
        squares, number: ``[n, K]``, sums over the pairs of each size, and how many these are.
        h: ``[n, K]``.
    """
    left = (1 - h).clamp(min=1e-12)
    part = h * left
    whole = (part * number).sum(1, keepdim=True).clamp(min=1e-300)
    mean = (part * squares / left**2).sum(1, keepdim=True) / (whole + (part * h / left * number).sum(1, keepdim=True))
    bins = (h * _BINS).long().clamp(max=_BINS - 1)
    sums = squares.new_zeros(len(h), _BINS).scatter_add_(1, bins, squares)
    numbers = squares.new_zeros(len(h), _BINS).scatter_add_(1, bins, number)
    m = (sums / numbers.clamp(min=1)).gather(1, bins).clamp(min=1e-300)
    return (1 / left**2 - h / left * mean / m).clamp(min=1.0).sqrt()


def block_sums(values: Tensor) -> Tensor:
    """Sums ``[n, 64, ...]`` of values of pairs ``[n, P, ...]`` over every 64th pair."""
    pairs = values.shape[1]
    whole = pairs // BLOCKS * BLOCKS
    sums: Tensor = values[:, :whole].reshape(len(values), -1, BLOCKS, *values.shape[2:]).sum(dim=1)
    sums[:, : pairs - whole] += values[:, whole:]
    return sums
