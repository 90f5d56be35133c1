"""Stability of one example from the definitions, in plain loops over lists of numbers."""

from __future__ import annotations

import math


def norm(vector):
    return math.sqrt(sum(v * v for v in vector))


def lipschitz(phi, others, x, points):
    """Alvarez-Melis and Jaakkola 2018, equation 2, over given points."""
    if not norm(phi):
        return math.nan
    ratios = []
    for other, point in zip(others, points, strict=True):
        moved = norm([a - b for a, b in zip(other, phi, strict=True)])
        ratios.append(moved / norm([a - b for a, b in zip(point, x, strict=True)]))
    return max(ratios)


def relative(after, before, floor):
    top = max(abs(b) for b in before)
    if not top:
        return math.nan
    return norm([(a - b) / max(abs(b), floor * top) for a, b in zip(after, before, strict=True)])


def relative_stability(phi, others, distances, same, floor, eps_min):
    """Agarwal et al. 2022, equations 2 to 5; ``distances`` of the points, ``same``: whether they keep the class."""
    kept = [
        relative(other, phi, floor) / max(distance, eps_min)
        for other, distance, keeps in zip(others, distances, same, strict=True)
        if keeps
    ]
    return max(kept) if kept else math.nan
