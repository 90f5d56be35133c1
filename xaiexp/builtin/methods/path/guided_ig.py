"""Guided integrated gradients, the component; its path is in :mod:`xaiexp.builtin.methods.path.guided_ig_path`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost
from xaiexp.core.parameters import Effort, Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["GuidedIg"]


@dataclass(frozen=True)
class GuidedIg(Method):
    """The gradient summed up along a path from the reference to the input that avoids large gradients.

    In every step the elements with the smallest absolute gradients go ahead, as far as ``max_dist`` lets them. The
    path is that of the authors' code; the integral over a step is the mean of the gradients at its two ends, where
    their code takes the one at its start and misses ``f(x) - f(x0)`` by several times as much. How much remains
    depends on ``max_dist``, too: a step of one element may be twice as long as that, however many steps there are.

    Args:
        n_steps: steps of the path, equal in the distance that all elements together cover.
        fraction: of the elements of an example, how many go together.
        max_dist: how far an element may be ahead of or behind the straight line, as a part of its own way.
    """

    summary = "gradients summed up along a path to the input that avoids large gradients"
    source = "Kapishnikov et al. 2021, Guided Integrated Gradients, algorithm 1, bounded as in the authors' code"
    needs = frozenset({"gradients"})
    reads_baseline = True
    signed = True
    # It adds up to within a few percent: what remains does not go to 0 with the steps alone.
    complete = False
    multiplied_by_inputs = True
    # The path goes by the order of gradients, which rounding to 16 bits changes: maps differ by up to a quarter.
    precisions = ("fp32",)

    n_steps: Annotated[int, Range(1), Effort(16, 50, 200)] = 50
    fraction: Annotated[float, Range(0.001, 1.0)] = 0.25
    max_dist: Annotated[float, Range(0.0, 1.0)] = 0.02

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        import torch

        from xaiexp.builtin.methods.path.guided_ig_path import Guide

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        n = len(batch)
        difference = (batch.inputs - reference).flatten(1)
        inside = batch.features.inside.flatten(1).expand(n, -1)
        guide = Guide.of(difference, inside, self.n_steps, self.fraction, self.max_dist)
        alpha, total = torch.zeros_like(difference), torch.zeros_like(difference)
        gradient = model.gradients(reference).flatten(1)
        for step in range(self.n_steps):
            ahead = guide.next(alpha, gradient, step)
            last = step + 1 == self.n_steps
            point = torch.addcmul(reference, ahead.view_as(reference), difference.view_as(reference))
            there = model.gradients(batch.inputs if last else point).flatten(1)
            total += (gradient + there) / 2 * (ahead - alpha) * difference
            alpha, gradient = ahead, there
        return total.view_as(batch.inputs)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward for each end of a step."""
        return Cost(1, 1) * (self.n_steps + 1)
