"""The adaptive path of guided integrated gradients: elements with small gradients move first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["GuidedPath"]


@dataclass(frozen=True)
class GuidedPath:
    """The path of every element of a batch from the reference (alpha 0) to the input (alpha 1).

    Args:
        weight: ``[N, E]``, the distance between reference and input for each element.
        group: int64 ``[N, 1]``, the number of elements that move as one group.
        rounds: the number of groups that cover all elements.
        n_steps: number of steps; after step k the fraction ``k / n_steps`` of the total distance is covered.
        max_dist: the largest deviation of an element from the straight line, as a fraction of its own distance.
    """

    weight: Tensor
    group: Tensor
    rounds: int
    n_steps: int
    max_dist: float

    @classmethod
    def between(cls, difference: Tensor, inside: Tensor, n_steps: int, fraction: float, max_dist: float) -> GuidedPath:
        """The path from the reference to the input.

        Args:
            difference: ``[N, E]``, the input minus the reference.
            inside: bool ``[N, E]``, the elements that belong to a feature; only these count for ``fraction``.
            n_steps, max_dist: as above.
            fraction: the fraction of the elements that move as one group.
        """
        elements = inside.sum(dim=1, keepdim=True)
        # The elements at or below the quantile ``fraction``, with numpy's method "lower".
        group = (fraction * (elements - 1).clamp(min=0).double()).long() + 1
        rounds = math.ceil(float((elements / group).max()))
        return cls(difference.abs(), group, rounds, n_steps, max_dist)

    def advance(self, alpha: Tensor, gradient: Tensor, step: int) -> Tensor:
        """The positions of the elements after a step, ``[N, E]`` (algorithm 1 of Kapishnikov et al. 2021).

        Elements that lag behind the straight line by more than ``max_dist`` are moved up to that bound. Then groups of
        the elements with the smallest absolute gradients (ties included) move up to the upper bound until the distance
        of the step is covered; the last group moves only as far as needed.

        Args:
            alpha: ``[N, E]``, the positions before the step.
            gradient: ``[N, E]``, the gradient at these positions.
            step: index of the step, from 0.
        """
        target = (step + 1) / self.n_steps
        if step + 1 == self.n_steps:
            return torch.ones_like(alpha)
        low, high = max(target - self.max_dist, 0.0), min(target + self.max_dist, 1.0)
        alpha = alpha.clamp(min=low)
        left = (self.weight * (1 - alpha)).sum(dim=1, keepdim=True, dtype=torch.float64)
        gap = left - self.weight.sum(dim=1, keepdim=True, dtype=torch.float64) * (1 - target)

        free = (alpha < high) & (self.weight > 0)
        size = gradient.abs().masked_fill(~free, math.inf)
        ranked, order = size.sort(dim=1)
        room = (self.weight * (high - alpha)).masked_fill(~free, 0.0)
        reach = torch.nn.functional.pad(room.gather(1, order).cumsum(dim=1, dtype=torch.float64), (1, 0))

        # The group that closes the gap: elements with gradients in (smaller, larger]. ``before`` and ``after`` are
        # the distances covered without and with this group.
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
