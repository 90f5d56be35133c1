"""Slow reference implementations of methods in float64: loops close to the papers, sharing no code with the package."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor


def shapley_values(value: Callable[[frozenset[int]], float], d: int) -> list[float]:
    """Shapley 1953: every feature's marginal contribution, averaged over all orders."""
    values = []
    for j in range(d):
        others = [i for i in range(d) if i != j]
        total = 0.0
        for size in range(d):
            weight = math.factorial(size) * math.factorial(d - size - 1) / math.factorial(d)
            for subset in itertools.combinations(others, size):
                total += weight * (value(frozenset((*subset, j))) - value(frozenset(subset)))
        values.append(total)
    return values


def lime_coefficients(value: Callable[[frozenset[int]], float], d: int, width: float) -> Tensor:
    """Ribeiro et al. 2016, equation 1 with a linear model: weighted least squares over all 2^d coalitions."""
    rows, scores, weights = [], [], []
    for bits in itertools.product((0, 1), repeat=d):
        present = frozenset(i for i, b in enumerate(bits) if b)
        rows.append([1.0, *bits])
        scores.append(value(present))
        distance = 1 - math.sqrt(len(present) / d)
        weights.append(math.exp(-(distance**2) / (2 * width**2)))
    root = torch.tensor(weights, dtype=torch.float64).sqrt()
    design = torch.tensor(rows, dtype=torch.float64) * root[:, None]
    target = torch.tensor(scores, dtype=torch.float64) * root
    return torch.linalg.lstsq(design, target[:, None]).solution[1:, 0]


def occlusion(value: Callable[[Tensor], float], x: Tensor, x0: Tensor, window: int, stride: int) -> Tensor:
    """Zeiler and Fergus 2014 along one axis: the mean difference of the windows that cover an element."""
    total, count = torch.zeros_like(x), torch.zeros_like(x)
    start = 0
    while True:
        changed = x.clone()
        changed[start : start + window] = x0[start : start + window]
        total[start : start + window] += value(x) - value(changed)
        count[start : start + window] += 1
        if start + window >= len(x):
            return total / count
        start += stride


def gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient of a scalar function at one input."""
    leaf = x.clone().requires_grad_()
    (out,) = torch.autograd.grad(function(leaf), leaf)
    return out
