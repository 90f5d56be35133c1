"""Slow reference implementations of path methods in float64: loops in numpy and scipy, no code of the package."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]
Gradient = Callable[[Array], Array]


def guided_path(gradient: Gradient, x: Array, x0: Array, steps: int, fraction: float, max_dist: float) -> list[Array]:
    """The points of the path of Kapishnikov et al. 2021, algorithm 1, from x0 to x, following the authors' code.

    Elements below their lower bound are moved up first. Then those at or below the ``fraction`` quantile of the
    absolute gradient move to their upper bound, repeatedly, until the L1 distance of the step is reached; the last
    group moves by the fraction ``gamma``. Comparisons for equality allow for rounding.
    """
    current, points = x0.copy(), [x0.copy()]
    total = float(np.abs(x - x0).sum())
    for step in range(steps):
        slope = np.abs(gradient(current))
        alpha = (step + 1) / steps
        lowest, highest = max(alpha - max_dist, 0.0), min(alpha + max_dist, 1.0)
        furthest = x0 + (x - x0) * highest
        target = total * (1 - alpha)
        gamma = math.inf
        while gamma > 1:
            with np.errstate(divide="ignore", invalid="ignore"):
                position = np.where(x != x0, (current - x0) / (x - x0), highest)
            behind = position < lowest
            current[behind] = (x0 + (x - x0) * lowest)[behind]
            distance = float(np.abs(current - x).sum())
            if math.isclose(distance, target, rel_tol=1e-9, abs_tol=1e-9):
                break
            slope[np.isclose(position, highest, rtol=0, atol=1e-12)] = math.inf
            threshold = np.quantile(slope, fraction, method="lower")
            chosen = (slope <= threshold) & (slope != math.inf)
            possible = float(np.abs(current - furthest)[chosen].sum())
            gamma = (distance - target) / possible if possible > 0 else math.inf
            part = min(gamma, 1.0)
            current[chosen] = current[chosen] + (furthest - current)[chosen] * part
        points.append(current.copy())
    return points


def along(gradient: Gradient, points: list[Array]) -> Array:
    """The integral of the gradient along a polygon by the trapezoidal rule, for each element."""
    total = np.zeros_like(points[0])
    for start, end in itertools.pairwise(points):
        total += (end - start) * (gradient(start) + gradient(end)) / 2
    return total


def blurred(x: Array, sigma: float) -> Array:
    """An image ``[C, H, W]`` or time series ``[C, T]``, blurred by channel with mirrored borders."""
    return np.stack([ndimage.gaussian_filter(channel, sigma, mode="reflect") for channel in x]) if sigma > 0 else x


def blur_integrated_gradients(gradient: Gradient, x: Array, sigma: float, steps: int) -> Array:
    """Xu et al. 2020, equation 3: the gradient at the midpoint of each step times the change of the blurred input."""
    total = np.zeros_like(x)
    for k in range(steps):
        before, middle, after = (blurred(x, sigma * (1 - (k + part) / steps)) for part in (0.0, 0.5, 1.0))
        total += (after - before) * gradient(middle)
    return total
