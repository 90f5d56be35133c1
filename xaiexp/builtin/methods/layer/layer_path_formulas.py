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
    "along",
    "conductance",
    "conductance_of_starts",
    "influence",
    "layer_path",
    "line",
    "read",
    "weighted",
]


def activations(model: Handle, layer: Layer, inputs: Tensor | None = None) -> Tensor:
    """What the layer gives, ``[N, *layer]``, by one forward pass; at the batch's inputs by default."""

    def run(block: Block) -> Tensor:
        with torch.no_grad():
            seen, _ = layer.read(block, lambda: block.logits(block.rows))
        return seen.to(block.rows.dtype)

    return model.apply(run, inputs)


def read(model: Handle, layer: Layer, block: Block) -> tuple[Tensor, Tensor, Tensor]:
    """Rows that are leaves of the graph ``[B, *shape]``, activations ``[B, *layer]`` and scores ``[B]``."""
    leaf = block.rows.requires_grad_()
    seen, scores = layer.read(block, lambda: block.scores(leaf * 1, model.output))
    return leaf, seen, scores


def line(model: Handle, reference: Tensor, nodes: Sequence[float]) -> tuple[list[range], Iterator[Tensor]]:
    """Points ``x0 + node (x - x0)`` in pieces ``[N, s, *shape]`` that fill a pass, and which nodes are in each."""
    stretches = list(model.blocks(len(nodes)))
    x0, difference = reference.unsqueeze(1), (model.batch.inputs - reference).unsqueeze(1)

    def points() -> Iterator[Tensor]:
        for stretch in stretches:
            alpha = difference.new_tensor([nodes[k] for k in stretch])
            yield torch.addcmul(x0, alpha.view(1, -1, *[1] * (difference.ndim - 2)), difference)

    return stretches, points()


def along(model: Handle, points: Iterator[Tensor], run: Callable[[Block], Tensor]) -> Iterator[Tensor]:
    """``run`` over pieces of points in full passes, with gradients, piece by piece: ``[N, s, ...]``."""
    return (piece.detach() for piece in model.packed(points, torch.enable_grad()(run)))


def weighted(pieces: Iterator[Tensor], stretches: Sequence[range], weights: Sequence[float]) -> Tensor:
    """The sum over s of pieces ``[N, s, ...]`` times the weights of their nodes: ``[N, ...]``."""
    total: Tensor | float = 0.0
    for stretch, piece in zip(stretches, pieces, strict=True):
        total = total + torch.einsum("ns...,s->n...", piece, piece.new_tensor([weights[k] for k in stretch]))
    assert isinstance(total, Tensor)  # noqa: S101 -- there is at least one node
    return total


def influence(
    model: Handle, layer: Layer, reference: Tensor, nodes: Sequence[float], weights: Sequence[float]
) -> Tensor:
    """The mean gradient of the score with respect to the layer, along the line: ``[N, *layer]``."""

    def run(block: Block) -> Tensor:
        _, seen, scores = read(model, layer, block)
        return block.gradients(scores, seen).to(block.rows.dtype)

    stretches, points = line(model, reference, nodes)
    return weighted(along(model, points, run), stretches, weights)


def _slopes(model: Handle, layer: Layer, reference: Tensor, nodes: Sequence[float]) -> Iterator[tuple[Tensor, Tensor]]:
    """Gradients and activations of the layer at the nodes of the line, in pieces ``[N, s, *layer]``."""

    def run(block: Block) -> Tensor:
        _, seen, scores = read(model, layer, block)
        gradients = block.gradients(scores, seen)
        return torch.stack((gradients, seen.detach()), dim=1).to(block.rows.dtype)

    _, points = line(model, reference, nodes)
    for piece in along(model, points, run):
        gradients, seen = piece.unbind(dim=2)
        yield gradients, seen


def conductance(model: Handle, layer: Layer, reference: Tensor, n_steps: int) -> Tensor:
    """The sum over equal steps of the gradient at the middle times the activation's change: ``[N, *layer]``.

    Between two steps the activation is taken to be the mean of those in their middles; at the ends of the line it
    is known. So the changes add up to that of the whole line, and the error falls with the square of the steps.
    """
    lower, end = activations(model, layer, reference), activations(model, layer)
    total = torch.zeros_like(end)
    waiting: tuple[Tensor, Tensor] | None = None
    for piece in _slopes(model, layer, reference, [(k + 0.5) / n_steps for k in range(n_steps)]):
        gradients, seen = (
            piece if waiting is None else (torch.cat(both, dim=1) for both in zip(waiting, piece, strict=True))
        )
        bounds = torch.cat((lower.unsqueeze(1), (seen[:, :-1] + seen[:, 1:]) / 2), dim=1)
        total += (gradients[:, :-1] * bounds.diff(dim=1)).sum(dim=1)
        lower, waiting = bounds[:, -1], (gradients[:, -1:], seen[:, -1:])
    assert waiting is not None  # noqa: S101 -- there is at least one step
    return total + waiting[0][:, 0] * (end - lower)


def conductance_of_starts(model: Handle, layer: Layer, reference: Tensor, nodes: Sequence[float]) -> Tensor:
    """As in Captum, the sum over nodes of the gradient times the change up to the next: ``[N, *layer]``."""
    total: Tensor | float = 0.0
    waiting: tuple[Tensor, Tensor] | None = None
    for piece in _slopes(model, layer, reference, nodes):
        gradients, seen = (
            piece if waiting is None else (torch.cat(both, dim=1) for both in zip(waiting, piece, strict=True))
        )
        total = total + (gradients[:, :-1] * seen.diff(dim=1)).sum(dim=1)
        waiting = (gradients[:, -1:], seen[:, -1:])
    assert isinstance(total, Tensor)  # noqa: S101 -- there are nodes
    return total


def layer_path(
    model: Handle, layer: Layer, reference: Tensor, nodes: Sequence[float], weights: Sequence[float]
) -> Tensor:
    """``h - h0`` times the mean gradient at layer values between them, the inputs staying as they are.

    h and h0 are what the layer gives for the input and for the reference; one forward pass each.

    Returns:
        ``[N, *layer]``.
    """
    start = activations(model, layer, reference)
    difference = activations(model, layer) - start
    x = model.batch.inputs

    def gradients(stretch: range) -> Tensor:
        size = len(stretch)
        alpha = difference.new_tensor([nodes[k] for k in stretch])
        # Every row is an example of its own, so that a block knows which step its rows are.
        repeated = model.batch.repeated(x.unsqueeze(1).expand(-1, size, *x.shape[1:]))

        def run(block: Block) -> Tensor:
            example, step = block.owners // size, block.owners % size
            values = start[example] + alpha[step].view(-1, *[1] * (start.ndim - 1)) * difference[example]
            values = values.detach().requires_grad_()
            rows = block.rows.requires_grad_() * 1
            scores = layer.replaced(values, lambda: block.scores(rows, model.output))
            return block.gradients(scores, values)

        return model.with_batch(repeated).apply(run).view(len(x), size, *start.shape[1:])

    stretches = list(model.blocks(len(nodes)))
    return difference * weighted(map(gradients, stretches), stretches, weights)
