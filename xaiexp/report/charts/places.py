"""Where things of charts stand: the Pareto front, runs of ranks, and names that keep apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["apart", "joined", "pareto_front"]


def pareto_front(points: Sequence[tuple[float, float]], higher: bool) -> list[bool]:
    """Which points no other one dominates: has as few passes and as good a mean, and is better in one of them.

    Args:
        points: passes and mean.
        higher: whether a higher mean is better.

    >>> pareto_front([(1, 0.5), (2, 0.4), (2, 0.8), (3, 0.8)], True)
    [True, False, True, False]
    """
    sign = 1 if higher else -1

    def dominates(a: tuple[float, float], b: tuple[float, float]) -> bool:
        return a != b and a[0] <= b[0] and sign * a[1] >= sign * b[1]

    return [not any(dominates(other, point) for other in points) for point in points]


def joined(ranks: Sequence[float], critical: float) -> list[tuple[int, int]]:
    """First and last place of every largest run of sorted ranks that spans at most the critical difference.

    >>> joined([1.0, 1.5, 2.4, 4.0], 1.0)
    [(0, 1), (1, 2)]
    """
    runs: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = max(k for k in range(first, len(ranks)) if ranks[k] - rank <= critical)
        if last > first and not any(a <= first and last <= b for a, b in runs):
            runs.append((first, last))
    return runs


def apart(values: Sequence[float], gap: float) -> list[float]:
    """The values moved downwards as far as is needed for a distance of ``gap`` of their range between any two.

    >>> apart([1.0, 0.0, 0.99], 0.1)
    [1.0, 0.0, 0.9]
    """
    if not values:
        return []
    least = gap * (max(values) - min(values))
    moved, before = list(values), math.inf
    for i in sorted(range(len(values)), key=lambda i: -values[i]):
        moved[i] = before = min(values[i], before - least)
    return moved
