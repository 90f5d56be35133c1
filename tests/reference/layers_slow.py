"""Layer and neuron attribution, one example and one point at a time; shares no code with the package.

A network is given in two halves: ``front`` (input to layer) and ``score`` (layer and input to a number).
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
    """Dhamdhere et al. 2018, equation 3 as an integral: df/dh times the exact dh/dalpha, at the middle of each step."""
    total = torch.zeros_like(front(x))
    for k in range(steps):
        point = x0 + (k + 0.5) / steps * (x - x0)
        _, speed = torch.autograd.functional.jvp(front, point, x - x0)
        total += _gradient(lambda h, point=point: score(h, point), front(point)) * speed / steps
    return total.detach()


def internal_influence(front: Front, score: Score, x: Tensor, x0: Tensor, steps: int) -> Tensor:
    """Leino et al. 2018 on a line: the mean gradient at the middles of the steps."""
    total = torch.zeros_like(front(x))
    for k in range(steps):
        point = x0 + (k + 0.5) / steps * (x - x0)
        total += _gradient(lambda h, point=point: score(h, point), front(point)) / steps
    return total.detach()


def layer_integrated_gradients(front: Front, score: Score, x: Tensor, x0: Tensor, steps: int) -> Tensor:
    """Sundararajan et al. 2017 between two values of the layer; what goes round the layer is that of x."""
    start, end = front(x0).detach(), front(x).detach()
    total = torch.zeros_like(start)
    for k in range(steps):
        total += _gradient(lambda h: score(h, x), start + (k + 0.5) / steps * (end - start)) / steps
    return (end - start) * total


def neuron_integrated_gradients(front: Front, place: int, x: Tensor, x0: Tensor, steps: int) -> Tensor:
    """Sundararajan et al. 2017 for one unit of the layer."""
    total = torch.zeros_like(x)
    for k in range(steps):
        total += _gradient(lambda v: front(v).flatten()[place], x0 + (k + 0.5) / steps * (x - x0)) / steps
    return (x - x0) * total


def neuron_conductance(front: Front, score: Score, place: int, x: Tensor, x0: Tensor, steps: int) -> Tensor:
    """Dhamdhere et al. 2018, equation 2."""
    total = torch.zeros_like(x)
    for k in range(steps):
        point = x0 + (k + 0.5) / steps * (x - x0)
        behind = _gradient(lambda h, point=point: score(h, point), front(point)).flatten()[place]
        total += behind * _gradient(lambda v: front(v).flatten()[place], point) / steps
    return (x - x0) * total
