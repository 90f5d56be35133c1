"""Slow float64 re-derivations of the baselines: loops, sharing no code with the package."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def inpainted(image: list[list[float]], features: list[list[int]]) -> list[list[float]]:
    """Every feature of an image filled by Gauss-Seidel iteration of Laplace's equation, with all others unchanged."""
    height, width = len(image), len(image[0])
    out = [row[:] for row in image]
    for feature in sorted({f for row in features for f in row if f >= 0}):
        filled = [row[:] for row in image]
        inside = [(y, x) for y in range(height) for x in range(width) if features[y][x] == feature]
        for y, x in inside:
            filled[y][x] = 0.0
        change = 1.0
        while change > 1e-14:
            change = 0.0
            for y, x in inside:
                adjacent = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
                neighbours = [filled[b][a] for b, a in adjacent if 0 <= b < height and 0 <= a < width]
                value = sum(neighbours) / len(neighbours)
                change = max(change, abs(value - filled[y][x]))
                filled[y][x] = value
        for y, x in inside:
            out[y][x] = filled[y][x]
    return out


def farthest_corner(example: Sequence[float], low: Sequence[float], high: Sequence[float]) -> tuple[float, ...]:
    """The corner of the range with the largest L1 distance."""
    corners = itertools.product(*zip(low, high, strict=True))
    return max(corners, key=lambda corner: sum(abs(a - b) for a, b in zip(example, corner, strict=True)))


def nearest_unlike(
    example: Sequence[float], target: int, pool: Sequence[Sequence[float]], labels: Sequence[int]
) -> Sequence[float] | None:
    """The nearest member of the pool with a known label other than the target, excluding the example itself."""
    smallest, nearest = float("inf"), None
    for member, label in zip(pool, labels, strict=True):
        distance = sum((a - b) ** 2 for a, b in zip(example, member, strict=True)) ** 0.5
        if label >= 0 and label != target and 0 < distance < smallest:
            smallest, nearest = distance, member
    return nearest
