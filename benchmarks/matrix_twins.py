"""What the matrix compares maps with: the same formulas in plain torch, one example and one pass at a time.

Nothing here uses the engine. Layers are read by a hook of our own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Question:
    """One example ``x [1, *shape]`` with its reference, target, context, and a layer of the network."""

    module: nn.Module
    x: Tensor
    reference: Tensor
    target: int
    context: dict[str, Tensor]
    layer: str
    index: Tensor

    def score(self, x: Tensor) -> Tensor:
        """The target's score of one input."""
        return self.module(x, **self.context)[0, self.target]

    def layer_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the layer gives, in the graph, and the target's score."""
        kept: list[Tensor] = []

        def keep(_: nn.Module, __: Any, output: Any) -> Any:
            first = output if isinstance(output, Tensor) else output[0]
            kept.append(first)
            # What follows may work in place on a copy.
            return first.clone() if isinstance(output, Tensor) else (first.clone(), *output[1:])

        hook = self.module.get_submodule(self.layer).register_forward_hook(keep)
        try:
            score = self.score(x)
        finally:
            hook.remove()
        return kept[-1], score

    def gradient(self, x: Tensor) -> Tensor:
        """Of the score with respect to the input."""
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(self.score(leaf), leaf)[0]

    def most_active(self) -> int:
        """The flat index of the layer's largest unit."""
        with torch.no_grad():
            return int(self.layer_and_score(self.x)[0].flatten().argmax())

    def neuron(self, x: Tensor, place: int) -> Tensor:
        """The value of one unit."""
        return self.layer_and_score(x)[0].flatten()[place]


def saliency(q: Question) -> Tensor:
    return q.gradient(q.x).abs()


def input_x_gradient(q: Question) -> Tensor:
    return q.x * q.gradient(q.x)


def feature_ablation(q: Question) -> Tensor:
    """Each feature's change of the score, shared among its elements."""
    out = torch.zeros_like(q.x)
    with torch.no_grad():
        whole = q.score(q.x)
        for feature in range(int(q.index.max()) + 1):
            inside = q.index == feature
            out[inside] = (whole - q.score(torch.where(inside, q.reference, q.x))) / inside.sum()
    return out


def layer_activation(q: Question) -> Tensor:
    with torch.no_grad():
        return q.layer_and_score(q.x)[0]


def layer_gradient_x_activation(q: Question) -> Tensor:
    seen, score = q.layer_and_score(q.x.clone().requires_grad_())
    return seen.detach() * torch.autograd.grad(score, seen)[0]


def internal_influence(q: Question, n_steps: int) -> Tensor:
    """The gradient at the layer, averaged over the points of Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    total = torch.zeros(())
    for node, weight in zip((1 + nodes) / 2, weights / 2, strict=True):
        seen, score = q.layer_and_score((q.reference + float(node) * (q.x - q.reference)).requires_grad_())
        total = total + float(weight) * torch.autograd.grad(score, seen)[0]
    return total


def neuron_gradient(q: Question) -> Tensor:
    leaf = q.x.clone().requires_grad_()
    return torch.autograd.grad(q.neuron(leaf, q.most_active()), leaf)[0]


def neuron_conductance(q: Question, n_steps: int) -> Tensor:
    """The neuron's gradient times the score's with respect to the neuron, averaged over the points of the line."""
    place = q.most_active()
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    total = torch.zeros_like(q.x)
    for node, weight in zip((1 + nodes) / 2, weights / 2, strict=True):
        leaf = (q.reference + float(node) * (q.x - q.reference)).requires_grad_()
        seen, score = q.layer_and_score(leaf)
        behind = torch.autograd.grad(score, seen, retain_graph=True)[0].flatten()[place]
        total += float(weight) * behind * torch.autograd.grad(seen.flatten()[place], leaf)[0]
    return (q.x - q.reference) * total


class _Passing(torch.autograd.Function):
    """A ReLU that passes down what is positive; ``guided``, and only where it was open."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, guided: bool) -> Tensor:
        ctx.open = x > 0 if guided else torch.ones_like(x, dtype=torch.bool)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.clamp(min=0) * ctx.open, None


def _rectified(q: Question, guided: bool) -> Tensor:
    """The gradient, torch's rectifiers exchanged for ours; ReLU6 is a ReLU and a ceiling."""

    def relu(x: Tensor, inplace: bool = False) -> Tensor:  # noqa: ARG001 -- torch's signature
        return _Passing.apply(x, guided)

    def relu6(x: Tensor, low: float = 0.0, high: float = 6.0, inplace: bool = False) -> Tensor:  # noqa: ARG001
        assert (low, high) == (0, 6)
        return _Passing.apply(x, guided).clamp(max=6)

    with (
        mock.patch.object(torch.nn.functional, "relu", relu),
        mock.patch.object(torch.nn.functional, "relu6", relu6),
        mock.patch.object(torch.nn.functional, "hardtanh", relu6),
        mock.patch.object(torch, "relu", relu),
    ):
        return q.gradient(q.x)


def guided_backprop(q: Question) -> Tensor:
    return _rectified(q, guided=True)


def deconvolution(q: Question) -> Tensor:
    return _rectified(q, guided=False)


# By method; those of `n_steps` have as many points as the method.
TWINS: dict[str, Callable[..., Tensor]] = {
    twin.__name__: twin
    for twin in (
        saliency,
        input_x_gradient,
        guided_backprop,
        deconvolution,
        feature_ablation,
        layer_activation,
        layer_gradient_x_activation,
        internal_influence,
        neuron_gradient,
        neuron_conductance,
    )
}
