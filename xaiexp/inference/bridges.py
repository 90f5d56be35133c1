"""The model as other libraries take it: a differentiable function, a function of one example, or a module.

:class:`xaiexp.inference.passes.Handle` makes them. Passes are counted, and targets and context are those of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from xaiexp.core.batches import Batch
from xaiexp.inference.block import Block
from xaiexp.inference.outputs import Readout

__all__ = ["ExampleFunction", "ScoreModule", "differentiable", "scores_and_gradients"]

Rows = tuple[Tensor, Tensor]
Evaluate = Callable[[Iterable[Rows]], Iterator[Tensor]]


class _Scores(torch.autograd.Function):
    """Scores whose gradients were computed with them."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, values: Callable[[Tensor], Tensor]) -> Tensor:
        """Scores ``[M]`` of ``rows [M, *shape]``; ``values`` gives scores and gradients ``[M, 1 + elements]``."""
        found = values(rows.detach())
        ctx.save_for_backward(found[:, 1:].reshape(rows.shape))
        return found[:, 0].contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """The gradient of the scores times that of what was computed from them."""
        (gradients,) = ctx.saved_tensors
        return grad.view(-1, *[1] * (gradients.ndim - 1)) * gradients, None


def scores_and_gradients(
    packed: Callable[[Iterable[Rows], Callable[[Block], Tensor]], Iterator[Tensor]],
    output: Readout,
    pieces: Iterable[Rows],
) -> Iterator[Tensor]:
    """Scores and gradients of rows, from the same passes.

    Args:
        packed: runs a function over full blocks of rows, :meth:`xaiexp.inference.passes.Handle.packed`.
        output: what is explained.
        pieces: rows ``[M, *shape]`` and their owners ``[M]``.

    Returns:
        ``[M, 1 + elements]`` for each piece.
    """

    def run(block: Block) -> Tensor:
        with torch.enable_grad():
            leaf = block.rows.requires_grad_()
            scores = block.scores(leaf * 1, output)
            gradients = block.gradients(scores, leaf)
        return torch.cat([scores.detach().unsqueeze(1), gradients.detach().flatten(1)], dim=1)

    return packed(pieces, run)


def differentiable(rows: Tensor, owners: Tensor, like: Tensor, scores: Evaluate, gradients: Evaluate) -> Tensor:
    """Scores ``[M]`` of rows, as :meth:`xaiexp.inference.passes.Handle.function`.

    Args:
        rows: ``[M, *shape]``.
        owners: int64 ``[M]``.
        like: has the device and dtype of the passes.
        scores: rows and owners to scores ``[M]``.
        gradients: rows and owners to scores and gradients ``[M, 1 + elements]``.
    """
    owners = owners.to(like.device)

    def run(evaluate: Evaluate, points: Tensor) -> Tensor:
        return next(iter(evaluate([(points.to(like), owners)]))).to(points)

    if not len(rows):
        return rows.flatten(1).sum(dim=1)
    if torch.is_grad_enabled() and rows.requires_grad:
        result: Tensor = _Scores.apply(rows, lambda points: run(gradients, points))
        return result
    return run(scores, rows.detach())


@dataclass(frozen=True)
class ExampleFunction:
    """The score of one example as a function of the elements that belong to features, as vectors on the CPU.

    Elements of no feature (padding) keep their values and are not part of the vector, so that what a library draws or
    measures does not depend on the length of other examples.

    Args:
        batch: the batch of the example.
        number: its index.
        scores: rows and owners to scores ``[M]``; :meth:`xaiexp.inference.passes.Handle.function`.
    """

    batch: Batch
    number: int
    scores: Callable[[Tensor, Tensor], Tensor]

    @cached_property
    def index(self) -> Tensor:
        """The feature of each of the E elements, int64 ``[E]``."""
        return self._features[self._features >= 0].cpu()

    @cached_property
    def positions(self) -> Tensor:
        """Where the E elements lie in the flattened input, int64 ``[E]``."""
        return (self._features >= 0).nonzero().squeeze(1)

    @property
    def _features(self) -> Tensor:
        index = self.batch.features.index
        return index[self.number if len(index) > 1 else 0].flatten()

    @property
    def inputs(self) -> Tensor:
        """The example, ``[1, E]``."""
        return self.vectors(self.batch.inputs[self.number].unsqueeze(0))

    def vectors(self, rows: Tensor) -> Tensor:
        """The vectors ``[M, E]`` of inputs or attributions ``[M, *shape]``."""
        return rows.detach().flatten(1)[:, self.positions.to(rows.device)].cpu()

    def rows(self, vectors: Tensor) -> Tensor:
        """Inputs ``[M, *shape]`` on the batch's device, with the elements of no feature as in the example."""
        x = self.batch.inputs[self.number]
        flat = x.detach().flatten().expand(len(vectors), -1)
        return flat.index_copy(1, self.positions, vectors.to(x)).view(len(vectors), *x.shape)

    def __call__(self, vectors: Tensor) -> Tensor:
        """The scores ``[M]`` of vectors ``[M, E]``, differentiable once; of their device and dtype."""
        owners = torch.full((len(vectors),), self.number, dtype=torch.int64)
        return self.scores(self.rows(vectors), owners).to(vectors)

    def spread(self, vector: Tensor) -> Tensor:
        """Attributions ``[*shape]`` like the batch's inputs from those of the E elements; 0 elsewhere."""
        x = self.batch.inputs[self.number]
        flat = torch.zeros_like(x).flatten()
        flat[self.positions] = vector.detach().flatten().to(x)
        return flat.view(x.shape)


class ScoreModule(nn.Module):
    """The network as a module that maps rows and their owners to scores, inside of ``Handle.apply``.

    A library may hook its submodules, which are those of the network. Backward passes are counted when gradients of
    the scores or with respect to the rows are computed.

    Args:
        network: the network.
        block: rows that go through it at once; it counts the passes.
        output: what is explained.
    """

    def __init__(self, network: nn.Module, block: Block, output: Readout) -> None:
        super().__init__()
        self.network = network
        self.training = network.training
        self.block, self.output = block, output
        self.owners = block.owners

    def forward(self, rows: Tensor, owners: Tensor) -> Tensor:
        """The scores ``[M]`` of rows ``[M, *shape]`` for the targets and the context of their owners, int64 ``[M]``.

        One owner counts for all rows. The owners of the last call are kept as ``owners``.
        """
        like = self.block.rows
        owners = owners.to(like.device).reshape(-1)
        self.owners = owners = owners.expand(len(rows)) if len(owners) == 1 else owners
        rows = rows.to(like) * 1  # a copy, in case that the first operation works in place
        counted: list[bool] = []

        def count(_gradient: Tensor) -> None:
            if not counted:
                counted.append(True)
                self.block.counter.add(backward=len(rows))

        if rows.requires_grad:
            rows.register_hook(count)  # type: ignore[no-untyped-call]
        scores = self.block.scores(rows, self.output, owners)
        if scores.requires_grad:
            scores.register_hook(count)  # type: ignore[no-untyped-call]
        return scores
