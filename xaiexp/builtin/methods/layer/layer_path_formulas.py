"""Gradients and activations of a layer along the straight line from a reference to the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.inference.block import Block
from xaiexp.inference.layers import Layer
from xaiexp.inference.passes import Handle

__all__ = [
    "activations",
    "captum_conductance",
    "conductance",
    "influence",
    "layer_path",
    "line_points",
    "map_points",
    "read_layer",
    "weighted_sum",
]


def activations(model: Handle, layer: Layer, inputs: Tensor | None = None) -> Tensor:
    """The activations of the layer, ``[N, *layer]``, by one forward pass; at the batch's inputs by default."""

    def run(block: Block) -> Tensor:
        with torch.no_grad():
            values, _ = layer.read(block, lambda: block.logits(block.rows))
        return values.to(block.rows.dtype)

    return model.apply(run, inputs)


def read_layer(model: Handle, layer: Layer, block: Block) -> tuple[Tensor, Tensor, Tensor]:
    """The rows as a leaf of the graph ``[B, *shape]``, the activations ``[B, *layer]`` and the scores ``[B]``."""
    leaf = block.rows.requires_grad_()
    values, scores = layer.read(block, lambda: block.scores(leaf * 1, model.output))
    return leaf, values, scores


def line_points(model: Handle, reference: Tensor, nodes: Sequence[float]) -> tuple[list[range], Iterator[Tensor]]:
    """The node indices of each chunk, and the points ``x0 + node (x - x0)`` in chunks ``[N, s, *shape]``."""
    chunks = list(model.blocks(len(nodes)))
    x0, difference = reference.unsqueeze(1), (model.batch.inputs - reference).unsqueeze(1)

    def points() -> Iterator[Tensor]:
        for chunk in chunks:
            alpha = difference.new_tensor([nodes[k] for k in chunk])
            yield torch.addcmul(x0, alpha.view(1, -1, *[1] * (difference.ndim - 2)), difference)

    return chunks, points()


def map_points(model: Handle, points: Iterator[Tensor], run: Callable[[Block], Tensor]) -> Iterator[Tensor]:
    """``run`` applied to chunks of points in full passes, with gradients: chunks ``[N, s, ...]``."""
    return (result.detach() for result in model.packed(points, torch.enable_grad()(run)))


def weighted_sum(results: Iterator[Tensor], chunks: Sequence[range], weights: Sequence[float]) -> Tensor:
    """The sum over s of results ``[N, s, ...]`` times the weights of their nodes: ``[N, ...]``."""
    total: Tensor | float = 0.0
    for chunk, result in zip(chunks, results, strict=True):
        total = total + torch.einsum("ns...,s->n...", result, result.new_tensor([weights[k] for k in chunk]))
    assert isinstance(total, Tensor)  # noqa: S101 -- there is at least one node
    return total


def influence(
    model: Handle, layer: Layer, reference: Tensor, nodes: Sequence[float], weights: Sequence[float]
) -> Tensor:
    """The mean gradient of the score with respect to the layer along the line: ``[N, *layer]``."""

    def run(block: Block) -> Tensor:
        _, values, scores = read_layer(model, layer, block)
        return block.gradients(scores, values).to(block.rows.dtype)

    chunks, points = line_points(model, reference, nodes)
    return weighted_sum(map_points(model, points, run), chunks, weights)


def _slopes(model: Handle, layer: Layer, reference: Tensor, nodes: Sequence[float]) -> Iterator[tuple[Tensor, Tensor]]:
    """Gradients and activations of the layer at the nodes of the line, in chunks ``[N, s, *layer]``."""

    def run(block: Block) -> Tensor:
        _, values, scores = read_layer(model, layer, block)
        gradients = block.gradients(scores, values)
        return torch.stack((gradients, values.detach()), dim=1).to(block.rows.dtype)

    _, points = line_points(model, reference, nodes)
    for result in map_points(model, points, run):
        gradients, values = result.unbind(dim=2)
        yield gradients, values


def conductance(model: Handle, layer: Layer, reference: Tensor, n_steps: int) -> Tensor:
    """The sum over equal steps of the gradient at the midpoint times the change of the activation: ``[N, *layer]``.

    The activation between two steps is the mean of those at their midpoints; at the ends of the line it is exact.
    The changes therefore sum to that of the whole line, and the error is of second order in the step.
    """
    lower, end = activations(model, layer, reference), activations(model, layer)
    total = torch.zeros_like(end)
    previous: tuple[Tensor, Tensor] | None = None
    for result in _slopes(model, layer, reference, [(k + 0.5) / n_steps for k in range(n_steps)]):
        gradients, values = (
            result if previous is None else (torch.cat(both, dim=1) for both in zip(previous, result, strict=True))
        )
        bounds = torch.cat((lower.unsqueeze(1), (values[:, :-1] + values[:, 1:]) / 2), dim=1)
        total += (gradients[:, :-1] * bounds.diff(dim=1)).sum(dim=1)
        lower, previous = bounds[:, -1], (gradients[:, -1:], values[:, -1:])
    assert previous is not None  # noqa: S101 -- there is at least one step
    return total + previous[0][:, 0] * (end - lower)


def captum_conductance(model: Handle, layer: Layer, reference: Tensor, nodes: Sequence[float]) -> Tensor:
    """As in Captum, the sum over nodes of the gradient times the change to the next node: ``[N, *layer]``."""
    total: Tensor | float = 0.0
    previous: tuple[Tensor, Tensor] | None = None
    for result in _slopes(model, layer, reference, nodes):
        gradients, values = (
            result if previous is None else (torch.cat(both, dim=1) for both in zip(previous, result, strict=True))
        )
        total = total + (gradients[:, :-1] * values.diff(dim=1)).sum(dim=1)
        previous = (gradients[:, -1:], values[:, -1:])
    assert isinstance(total, Tensor)  # noqa: S101 -- there are nodes
    return total


def layer_path(
    model: Handle, layer: Layer, reference: Tensor, nodes: Sequence[float], weights: Sequence[float]
) -> Tensor:
    """``h - h0`` times the mean gradient at activations between them, with the inputs unchanged.

    h and h0 are the activations of the layer for the input and the reference, by one forward pass each.

    Returns:
        ``[N, *layer]``.
    """
    start = activations(model, layer, reference)
    difference = activations(model, layer) - start
    x = model.batch.inputs

    def gradients(chunk: range) -> Tensor:
        size = len(chunk)
        alpha = difference.new_tensor([nodes[k] for k in chunk])
        # Every row is a separate example, so that a block can identify the step of each row.
        repeated = model.batch.repeated(x.unsqueeze(1).expand(-1, size, *x.shape[1:]))

        def run(block: Block) -> Tensor:
            example, step = block.owners // size, block.owners % size
            values = start[example] + alpha[step].view(-1, *[1] * (start.ndim - 1)) * difference[example]
            values = values.detach().requires_grad_()
            rows = block.rows.requires_grad_() * 1
            scores = layer.replaced(values, lambda: block.scores(rows, model.output))
            return block.gradients(scores, values)

        return model.with_batch(repeated).apply(run).view(len(x), size, *start.shape[1:])

    chunks = list(model.blocks(len(nodes)))
    return difference * weighted_sum(map(gradients, chunks), chunks, weights)
