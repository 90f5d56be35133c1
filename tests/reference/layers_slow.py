"""Slow reference implementations of layer and neuron attributions, one example and one point at a time.

They share no code with the package. A network is given by two functions: ``front`` (from the input to the layer) and
``score`` (from the layer and the input to a number).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Front = Callable[[Tensor], Tensor]
Score = Callable[[Tensor, Tensor], Tensor]


def _gradient(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    leaf = at.detach().clone().requires_grad_()
    return torch.autograd.grad(function(leaf), leaf)[0]


def conductance(front: Front, score: Score, x: Tensor, x0: Tensor, steps: int) -> Tensor:
    """Dhamdhere et al. 2018, equation 3 as an integral: df/dh times the exact dh/dalpha at midpoints."""
    total = torch.zeros_like(front(x))
    for k in range(steps):
        point = x0 + (k + 0.5) / steps * (x - x0)
        _, speed = torch.autograd.functional.jvp(front, point, x - x0)
        total += _gradient(lambda h, point=point: score(h, point), front(point)) * speed / steps
    return total.detach()


def internal_influence(front: Front, score: Score, x: Tensor, x0: Tensor, steps: int) -> Tensor:
    """Leino et al. 2018 on a line: the mean gradient at the midpoints of the steps."""
    total = torch.zeros_like(front(x))
    for k in range(steps):
        point = x0 + (k + 0.5) / steps * (x - x0)
        total += _gradient(lambda h, point=point: score(h, point), front(point)) / steps
    return total.detach()


def layer_integrated_gradients(front: Front, score: Score, x: Tensor, x0: Tensor, steps: int) -> Tensor:
    """Sundararajan et al. 2017 between two activations of the layer; shortcuts keep the values of x."""
    start, end = front(x0).detach(), front(x).detach()
    total = torch.zeros_like(start)
    for k in range(steps):
        total += _gradient(lambda h: score(h, x), start + (k + 0.5) / steps * (end - start)) / steps
    return (end - start) * total


def neuron_integrated_gradients(front: Front, unit: int, x: Tensor, x0: Tensor, steps: int) -> Tensor:
    """Sundararajan et al. 2017 for one unit of the layer."""
    total = torch.zeros_like(x)
    for k in range(steps):
        total += _gradient(lambda v: front(v).flatten()[unit], x0 + (k + 0.5) / steps * (x - x0)) / steps
    return (x - x0) * total


def neuron_conductance(front: Front, score: Score, unit: int, x: Tensor, x0: Tensor, steps: int) -> Tensor:
    """Dhamdhere et al. 2018, equation 2."""
    total = torch.zeros_like(x)
    for k in range(steps):
        point = x0 + (k + 0.5) / steps * (x - x0)
        score_slope = _gradient(lambda h, point=point: score(h, point), front(point)).flatten()[unit]
        total += score_slope * _gradient(lambda v: front(v).flatten()[unit], point) / steps
    return (x - x0) * total
