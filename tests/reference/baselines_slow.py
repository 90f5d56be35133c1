"""Slow float64 re-derivations of the baselines: loops, sharing no code with the package."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def inpainted(image: list[list[float]], features: list[list[int]]) -> list[list[float]]:
    """Every feature of an image filled by Gauss-Seidel on Laplace's equation, the others at their own values."""
    height, width = len(image), len(image[0])
    out = [row[:] for row in image]
    for feature in sorted({f for row in features for f in row if f >= 0}):
        alone = [row[:] for row in image]
        inside = [(y, x) for y in range(height) for x in range(width) if features[y][x] == feature]
        for y, x in inside:
            alone[y][x] = 0.0
        change = 1.0
        while change > 1e-14:
            change = 0.0
            for y, x in inside:
                around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
                there = [alone[b][a] for b, a in around if 0 <= b < height and 0 <= a < width]
                value = sum(there) / len(there)
                change = max(change, abs(value - alone[y][x]))
                alone[y][x] = value
        for y, x in inside:
            out[y][x] = alone[y][x]
    return out


def farthest_corner(example: Sequence[float], low: Sequence[float], high: Sequence[float]) -> tuple[float, ...]:
    """Of all corners of the range the one with the largest L1 distance."""
    corners = itertools.product(*zip(low, high, strict=True))
    return max(corners, key=lambda corner: sum(abs(a - b) for a, b in zip(example, corner, strict=True)))


def nearest_unlike(
    example: Sequence[float], target: int, pool: Sequence[Sequence[float]], labels: Sequence[int]
) -> Sequence[float] | None:
    """The nearest member of the pool with a known label other than the target, that is not the example itself."""
    best, found = float("inf"), None
    for member, label in zip(pool, labels, strict=True):
        apart = sum((a - b) ** 2 for a, b in zip(example, member, strict=True)) ** 0.5
        if label >= 0 and label != target and 0 < apart < best:
            best, found = apart, member
    return found
