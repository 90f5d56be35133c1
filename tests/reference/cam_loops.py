"""Slow reference implementations of class activation maps: loops over channels and positions, close to the papers."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def bilinear(image: Tensor, size: tuple[int, int]) -> Tensor:
    """An image ``[h, w]`` resized bilinearly, with aligned pixel edges as in image libraries."""
    h, w = image.shape
    out = torch.zeros(size, dtype=image.dtype)
    for i in range(size[0]):
        y = max((i + 0.5) * h / size[0] - 0.5, 0.0)
        top, below = int(y), min(int(y) + 1, h - 1)
        for j in range(size[1]):
            x = max((j + 0.5) * w / size[1] - 0.5, 0.0)
            left, right = int(x), min(int(x) + 1, w - 1)
            a = image[top, left] * (1 - (x - left)) + image[top, right] * (x - left)
            b = image[below, left] * (1 - (x - left)) + image[below, right] * (x - left)
            out[i, j] = a * (1 - (y - top)) + b * (y - top)
    return out


def grad_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Selvaraju et al. 2017, equations 1 and 2 without the ReLU, from arguments ``[K, h, w]``: ``[h, w]``."""
    channels, h, w = activations.shape
    out = torch.zeros(h, w, dtype=activations.dtype)
    for k in range(channels):
        weight = sum(float(gradients[k, i, j]) for i in range(h) for j in range(w)) / (h * w)
        out += weight * activations[k]
    return out


def grad_cam_plus_plus(activations: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    """Chattopadhay et al. 2018 from its equations 5 and 10, divided by exp(S).

    The derivatives of Y = exp(S) along each single activation are taken by automatic differentiation, three times,
    where S is linear in the activations: there they are the paper's.
    """
    channels, h, w = activations.shape
    constant = math.exp(float(score(activations).detach()))
    out = torch.zeros(h, w, dtype=activations.dtype)
    for k in range(channels):
        weight = 0.0
        for i in range(h):
            for j in range(w):

                def along(t: Tensor, k: int = k, i: int = i, j: int = j) -> Tensor:
                    mask = torch.zeros_like(activations)
                    mask[k, i, j] = 1
                    return score(activations + t * mask).exp()

                t = torch.zeros((), dtype=activations.dtype, requires_grad=True)
                orders = [along(t)]
                for _ in range(3):
                    (order,) = torch.autograd.grad(orders[-1], t, create_graph=True)
                    orders.append(order)
                first, second, third = (float(order.detach()) for order in orders[1:])
                denominator = 2 * second + sum(float(a) for a in activations[k].flatten()) * third
                alpha = second / denominator if denominator else 0.0
                weight += alpha * max(first, 0.0)
        out += weight * activations[k]
    return out / constant


def layer_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Jiang et al. 2021, equations 5 and 6."""
    channels, h, w = activations.shape
    out = torch.zeros(h, w, dtype=activations.dtype)
    for k in range(channels):
        for i in range(h):
            for j in range(w):
                out[i, j] += max(float(gradients[k, i, j]), 0.0) * activations[k, i, j]
    return out


def score_cam(
    activations: Tensor, x: Tensor, base: Tensor, score: Callable[[Tensor], float], channels: list[int] | None = None
) -> Tensor:
    """Wang et al. 2020, algorithm 1 without its ReLU: ``[K, h, w]`` and the input ``[C, H, W]`` to ``[h, w]``."""
    increases = {}
    for k in range(len(activations)) if channels is None else channels:
        large = bilinear(activations[k], (x.shape[1], x.shape[2]))
        low, high = float(large.min()), float(large.max())
        if low == high:
            continue
        masked = torch.stack([channel * (large - low) / (high - low) for channel in x])
        increases[k] = score(masked) - score(base)
    total = sum(math.exp(c) for c in increases.values())
    out = torch.zeros(activations.shape[1:], dtype=activations.dtype)
    for k, c in increases.items():
        out += math.exp(c) / total * activations[k]
    return out


def eigen_cam(activations: Tensor) -> Tensor:
    """Muhammad and Yeasin 2020: the first eigenvector of A'A by the power method, with a positive sum of the map."""
    channels, h, w = activations.shape
    product = torch.zeros(channels, channels, dtype=activations.dtype)
    for i in range(h):
        for j in range(w):
            product += torch.outer(activations[:, i, j], activations[:, i, j])
    vector = torch.linspace(1, 2, channels, dtype=activations.dtype)
    for _ in range(5000):
        vector = product @ vector
        vector = vector / vector.norm()
    out = torch.zeros(h, w, dtype=activations.dtype)
    for i in range(h):
        for j in range(w):
            out[i, j] = activations[:, i, j] @ vector
    return out if float(out.sum()) > 0 else -out
