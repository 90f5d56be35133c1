"""The path of guided integrated gradients: features of small gradient go first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Guide"]


@dataclass(frozen=True)
class Guide:
    """How far every element of a batch has come from the reference (0) to the input (1), and who goes next.

    Args:
        weight: ``[N, E]``, the distance that each element has to go.
        group: int64 ``[N, 1]``, how many elements go together.
        rounds: after how many groups every element has had its turn.
        n_steps: steps of the path; after step k a part ``k / n_steps`` of the sum of distances lies behind.
        max_dist: how far, in parts of its own way, an element may be ahead of or behind the straight line.
    """

    weight: Tensor
    group: Tensor
    rounds: int
    n_steps: int
    max_dist: float

    @classmethod
    def of(cls, difference: Tensor, inside: Tensor, n_steps: int, fraction: float, max_dist: float) -> Guide:
        """The guide from the reference to the input.

        Args:
            difference: ``[N, E]``, the input minus the reference.
            inside: bool ``[N, E]``, the elements that belong to a feature: those that are counted.
            n_steps, max_dist: as above.
            fraction: of the elements, how many go together.
        """
        elements = inside.sum(dim=1, keepdim=True)
        # Whoever is at or below the lower quantile, as numpy counts it.
        group = (fraction * (elements - 1).clamp(min=0).double()).long() + 1
        rounds = math.ceil(float((elements / group).max()))
        return cls(difference.abs(), group, rounds, n_steps, max_dist)

    def next(self, alpha: Tensor, gradient: Tensor, step: int) -> Tensor:
        """Where the elements are after a step (algorithm 1 of Kapishnikov et al. 2021).

        Whoever is too far behind the straight line is pulled up. Then groups of the elements with the smallest
        absolute gradients, and those equal to them, go as far ahead as they may, until the distance of the step is
        covered; the last group goes as far as is needed.

        Args:
            alpha: ``[N, E]``, where they are.
            gradient: ``[N, E]``, there.
            step: from 0.
        """
        behind = (step + 1) / self.n_steps
        if step + 1 == self.n_steps:
            return torch.ones_like(alpha)
        low, high = max(behind - self.max_dist, 0.0), min(behind + self.max_dist, 1.0)
        alpha = alpha.clamp(min=low)
        left = (self.weight * (1 - alpha)).sum(dim=1, keepdim=True, dtype=torch.float64)
        gap = left - self.weight.sum(dim=1, keepdim=True, dtype=torch.float64) * (1 - behind)

        free = (alpha < high) & (self.weight > 0)
        size = gradient.abs().masked_fill(~free, math.inf)
        ranked, order = size.sort(dim=1)
        room = (self.weight * (high - alpha)).masked_fill(~free, 0.0)
        reach = torch.nn.functional.pad(room.gather(1, order).cumsum(dim=1, dtype=torch.float64), (1, 0))

        # The group that closes the gap: elements of sizes in (smaller, larger], after whom and with whom the
        # distances before and after are covered.
        first = torch.zeros_like(self.group)
        larger = torch.full_like(ranked[:, :1], -1.0)
        smaller, before, after = larger, reach[:, :1], reach[:, :1]
        for _ in range(self.rounds):
            open_ = after < gap
            threshold = ranked.gather(1, (first + self.group - 1).clamp(max=ranked.shape[1] - 1))
            last = torch.searchsorted(ranked, threshold, right=True)
            smaller, before = torch.where(open_, larger, smaller), torch.where(open_, after, before)
            larger, after = torch.where(open_, threshold, larger), torch.where(open_, reach.gather(1, last), after)
            first = torch.where(open_, last, first)
        part = ((gap - before) / (after - before).clamp(min=torch.finfo(torch.float64).tiny)).clamp(0.0, 1.0)
        ahead = alpha + part.to(alpha.dtype) * (high - alpha)
        moved = torch.where(size <= smaller, torch.full_like(alpha, high), torch.where(size <= larger, ahead, alpha))
        return torch.where(free, moved, alpha)
