"""Pairs of maps: which they are, and what is told of each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["Pairs", "of_pairs", "sides", "undefined"]

Pairs = Sequence[tuple[int, int]]


def sides(pairs: Pairs, device: torch.device) -> tuple[Tensor, Tensor]:
    """The first and the second map of each pair, int64 ``[P]``."""
    left, right = torch.tensor(list(pairs), dtype=torch.int64, device=device).view(-1, 2).unbind(1)
    return left, right


def of_pairs(table: Tensor, pairs: Pairs) -> Tensor:
    """The entries of ``[N, M, M]`` for P pairs, ``[P, N]``."""
    left, right = sides(pairs, table.device)
    return table[:, left, right].T


def undefined(maps: Tensor, pairs: Pairs) -> Tensor:
    """NaN for P pairs of the maps ``[M, N, ...]``, ``[P, N]``."""
    return maps.new_full((len(pairs), maps.shape[1]), float("nan"))
