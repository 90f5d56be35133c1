"""Rows on their way through the model in one batch: what a method may do with them there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xaiexp.errors import Unsupported
from xaiexp.memory import target_scores
from xaiexp.types import Batch, Output

if TYPE_CHECKING:
    from xaiexp.passes import Passes

__all__ = ["Block"]


@dataclass
class Block:
    """Rows on their way through the model in one batch, inside :meth:`xaiexp.passes.Handle.apply`.

    Args:
        rows: ``[B, *shape]``; a copy, safe for a module that works in place.
        owners: int64 ``[B]``, the example of the batch that each row belongs to.
    """

    passes: Passes
    batch: Batch
    rows: Tensor
    owners: Tensor

    def __post_init__(self) -> None:
        self.rows = self.rows.detach().clone()

    def logits(self, inputs: Tensor) -> Tensor:
        """Logits ``[k * B, classes]`` of ``k`` stacked versions of the rows, ``inputs [k * B, *shape]``."""
        owners = self._stacked(inputs)
        context = {key: value[owners] for key, value in self.batch.context.items()}
        return self.passes.logits(inputs, context)

    def scores(self, inputs: Tensor, output: Output) -> Tensor:
        """Scores ``[k * B]`` of the owners' targets, in the graph if there is one."""
        logits = self.logits(inputs)
        targets = self.batch.targets[self._stacked(inputs)]
        return target_scores(logits, targets, output)

    def gradients(self, scores: Tensor, wrt: Tensor) -> Tensor:
        """Gradients of ``scores.sum()``; counts one backward pass for each score."""
        if not scores.requires_grad:
            raise Unsupported("the model's scores do not depend on its inputs through differentiable operations")
        (gradient,) = torch.autograd.grad(scores.sum(), wrt, allow_unused=True)
        self.passes.counter.add(backward=len(scores))
        return torch.zeros_like(wrt) if gradient is None else gradient

    def _stacked(self, inputs: Tensor) -> Tensor:
        times = len(inputs) // len(self.owners)
        return self.owners if times == 1 else self.owners.repeat(times)
