"""Nodes and weights of quadrature rules on [0, 1]."""

from __future__ import annotations

import functools
from typing import Literal

__all__ = ["Quadrature", "quadrature"]

Quadrature = Literal["gausslegendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"]


@functools.lru_cache(maxsize=32)
def quadrature(method: Quadrature, n: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The nodes in [0, 1] and the weights of a rule with ``n`` nodes, equal to those of Captum.

    As in Captum, the weights of ``riemann_trapezoid`` sum to ``1 - 1/n``.

    >>> quadrature("riemann_middle", 2)
    ((0.25, 0.75), (0.5, 0.5))
    """
    import numpy as np

    if method == "gausslegendre":
        nodes, weights = np.polynomial.legendre.leggauss(n)
        nodes, weights = (1 + nodes) / 2, weights / 2
    else:
        start, stop = {
            "riemann_left": (0.0, 1 - 1 / n),
            "riemann_right": (1 / n, 1.0),
            "riemann_middle": (1 / (2 * n), 1 - 1 / (2 * n)),
            "riemann_trapezoid": (0.0, 1.0),
        }[method]
        nodes, weights = np.linspace(start, stop, n), np.full(n, 1 / n)
        if method == "riemann_trapezoid":
            weights[[0, -1]] /= 2
    return tuple(nodes.tolist()), tuple(weights.tolist())
