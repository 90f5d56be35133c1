"""Reference implementations for the matrix: the formulas in plain torch, one example and one pass at a time.

They do not use the engine of the package. Layers are read by a separate hook.
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
class Example:
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
        """The layer's activations as a node of the graph, and the target's score."""
        outputs: list[Tensor] = []

        def keep(_: nn.Module, __: Any, output: Any) -> Any:
            first = output if isinstance(output, Tensor) else output[0]
            outputs.append(first)
            # A copy, since later operations may work in place.
            return first.clone() if isinstance(output, Tensor) else (first.clone(), *output[1:])

        hook = self.module.get_submodule(self.layer).register_forward_hook(keep)
        try:
            score = self.score(x)
        finally:
            hook.remove()
        return outputs[-1], score

    def gradient(self, x: Tensor) -> Tensor:
        """The gradient of the score with respect to the input."""
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(self.score(leaf), leaf)[0]

    def most_active(self) -> int:
        """The flat index of the layer's largest unit."""
        with torch.no_grad():
            return int(self.layer_and_score(self.x)[0].flatten().argmax())

    def neuron(self, x: Tensor, unit: int) -> Tensor:
        """The value of one unit of the layer."""
        return self.layer_and_score(x)[0].flatten()[unit]


def saliency(example: Example) -> Tensor:
    return example.gradient(example.x).abs()


def input_x_gradient(example: Example) -> Tensor:
    return example.x * example.gradient(example.x)


def feature_ablation(example: Example) -> Tensor:
    """The change of the score for each feature, divided equally among its elements."""
    out = torch.zeros_like(example.x)
    with torch.no_grad():
        whole = example.score(example.x)
        for feature in range(int(example.index.max()) + 1):
            inside = example.index == feature
            out[inside] = (whole - example.score(torch.where(inside, example.reference, example.x))) / inside.sum()
    return out


def layer_activation(example: Example) -> Tensor:
    with torch.no_grad():
        return example.layer_and_score(example.x)[0]


def layer_gradient_x_activation(example: Example) -> Tensor:
    values, score = example.layer_and_score(example.x.clone().requires_grad_())
    return values.detach() * torch.autograd.grad(score, values)[0]


def internal_influence(example: Example, n_steps: int) -> Tensor:
    """The gradient at the layer, averaged over Gauss-Legendre nodes."""
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    total = torch.zeros(())
    for node, weight in zip((1 + nodes) / 2, weights / 2, strict=True):
        values, score = example.layer_and_score(
            (example.reference + float(node) * (example.x - example.reference)).requires_grad_()
        )
        total = total + float(weight) * torch.autograd.grad(score, values)[0]
    return total


def neuron_gradient(example: Example) -> Tensor:
    leaf = example.x.clone().requires_grad_()
    return torch.autograd.grad(example.neuron(leaf, example.most_active()), leaf)[0]


def neuron_conductance(example: Example, n_steps: int) -> Tensor:
    """The gradient of the neuron times that of the score with respect to the neuron, averaged along the line."""
    unit = example.most_active()
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    total = torch.zeros_like(example.x)
    for node, weight in zip((1 + nodes) / 2, weights / 2, strict=True):
        leaf = (example.reference + float(node) * (example.x - example.reference)).requires_grad_()
        values, score = example.layer_and_score(leaf)
        score_slope = torch.autograd.grad(score, values, retain_graph=True)[0].flatten()[unit]
        total += float(weight) * score_slope * torch.autograd.grad(values.flatten()[unit], leaf)[0]
    return (example.x - example.reference) * total


class _ModifiedRelu(torch.autograd.Function):
    """A ReLU that passes positive gradients only; if ``guided``, only where its input is positive."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, guided: bool) -> Tensor:
        ctx.open = x > 0 if guided else torch.ones_like(x, dtype=torch.bool)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.clamp(min=0) * ctx.open, None


def _rectified(example: Example, guided: bool) -> Tensor:
    """The gradient with modified ReLUs; ReLU6 is a ReLU and a clamp."""

    def relu(x: Tensor, inplace: bool = False) -> Tensor:  # noqa: ARG001 -- torch's signature
        return _ModifiedRelu.apply(x, guided)

    def relu6(x: Tensor, low: float = 0.0, high: float = 6.0, inplace: bool = False) -> Tensor:  # noqa: ARG001
        assert (low, high) == (0, 6)
        return _ModifiedRelu.apply(x, guided).clamp(max=6)

    with (
        mock.patch.object(torch.nn.functional, "relu", relu),
        mock.patch.object(torch.nn.functional, "relu6", relu6),
        mock.patch.object(torch.nn.functional, "hardtanh", relu6),
        mock.patch.object(torch, "relu", relu),
    ):
        return example.gradient(example.x)


def guided_backprop(example: Example) -> Tensor:
    return _rectified(example, guided=True)


def deconvolution(example: Example) -> Tensor:
    return _rectified(example, guided=False)


# By name of the method; the parameter `n_steps` is that of the method.
REFERENCES: dict[str, Callable[..., Tensor]] = {
    reference.__name__: reference
    for reference in (
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
