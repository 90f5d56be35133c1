"""Rows that go through the model together, and what a method may compute from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xaiexp.core.batches import Batch
from xaiexp.errors import Unsupported
from xaiexp.inference.counter import Counter
from xaiexp.inference.outputs import Readout, target_scores

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Block"]


@dataclass
class Block:
    """Rows that go through the model together, inside :meth:`xaiexp.inference.passes.Handle.apply`.

    Args:
        batch: the batch that the rows are versions of.
        rows: float ``[B, *shape]``; copied on construction, so that a module that works in place does no harm.
        owners: int64 ``[B]``, index in the batch of the example that each row is a version of.
        forward: rows ``[B, *shape]`` and their context to the numbers that the network returns, ``[B, K]``; does not
            count.
        counter: counts the passes of this block.
    """

    batch: Batch
    rows: Tensor
    owners: Tensor
    forward: Callable[[Tensor, Mapping[str, Tensor]], Tensor]
    counter: Counter

    def __post_init__(self) -> None:
        self.rows = self.rows.detach().clone()

    def logits(self, inputs: Tensor, owners: Tensor | None = None) -> Tensor:
        """The numbers that the network returns for k stacked versions of the rows, or for any rows.

        Args:
            inputs: ``[k * B, *shape]``, or ``[M, *shape]`` with ``owners``.
            owners: int64 ``[M]``, the example of the batch that each row is a version of.

        Returns:
            ``[k * B, K]`` or ``[M, K]``.
        """
        owners = self._stacked(inputs) if owners is None else owners
        context = {key: value[owners] for key, value in self.batch.context.items()}
        logits = self.forward(inputs, context)
        self.counter.add(forward=len(inputs))
        return logits

    def scores(self, inputs: Tensor, output: Readout, owners: Tensor | None = None) -> Tensor:
        """Scores ``[k * B]`` of the owners' targets, in the graph if there is one; see :meth:`logits`."""
        owners = self._stacked(inputs) if owners is None else owners
        return target_scores(self.logits(inputs, owners), self.batch.targets[owners], output)

    def gradients(self, scores: Tensor, wrt: Tensor) -> Tensor:
        """Gradients of ``scores.sum()`` with respect to ``wrt``, of its shape; counts a backward pass for each score.

        Raises:
            Unsupported: the scores do not depend on the inputs through differentiable operations.
        """
        import torch

        if not scores.requires_grad:
            raise Unsupported("the model's scores do not depend on its inputs through differentiable operations")
        (gradient,) = torch.autograd.grad(scores.sum(), wrt, allow_unused=True)
        self.counter.add(backward=len(scores))
        return torch.zeros_like(wrt) if gradient is None else gradient

    def part(self, chosen: Tensor) -> Block:
        """The block of the rows where ``chosen`` (bool ``[B]``) is true."""
        return replace(self, rows=self.rows[chosen], owners=self.owners[chosen])

    def _stacked(self, inputs: Tensor) -> Tensor:
        times = len(inputs) // len(self.owners)
        return self.owners if times == 1 else self.owners.repeat(times)
