"""Guided integrated gradients; the path is in :mod:`xaiexp.builtin.methods.path.guided_ig_path`."""

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
    """The gradient integrated along a path from the reference to the input that avoids large gradients.

    In every step the elements with the smallest absolute gradients are moved towards the input, within ``max_dist``.
    The path is that of the authors' code. The integral over a step uses the mean of the gradients at its two ends;
    their code uses the gradient at its start, which deviates from ``f(x) - f(x0)`` several times as much. The
    remaining deviation also depends on ``max_dist``: in one step a single element may move by up to
    ``2 * max_dist``, however many steps there are.

    Args:
        n_steps: number of steps of the path, with equal total distance over all elements.
        fraction: the fraction of the elements of an example that move as one group.
        max_dist: the largest deviation of an element from the straight line, as a fraction of its own distance.
    """

    summary = "gradients integrated along a path to the input that avoids large gradients"
    source = "Kapishnikov et al. 2021, Guided Integrated Gradients, algorithm 1, bounded as in the authors' code"
    needs = frozenset({"gradients"})
    reads_baseline = True
    signed = True
    # Attributions sum to f(x) - f(x0) within a few percent; the deviation does not vanish with more steps alone.
    complete = False
    multiplied_by_inputs = True
    # Rounding to 16 bits changes the order of the gradients and hence the path: maps differ by up to 25 %.
    precisions = ("fp32",)

    n_steps: Annotated[int, Range(1), Effort(16, 50, 200)] = 50
    fraction: Annotated[float, Range(0.001, 1.0)] = 0.25
    max_dist: Annotated[float, Range(0.0, 1.0)] = 0.02

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        import torch

        from xaiexp.builtin.methods.path.guided_ig_path import GuidedPath

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        n = len(batch)
        difference = (batch.inputs - reference).flatten(1)
        inside = batch.features.inside.flatten(1).expand(n, -1)
        path = GuidedPath.between(difference, inside, self.n_steps, self.fraction, self.max_dist)
        alpha, total = torch.zeros_like(difference), torch.zeros_like(difference)
        gradient = model.gradients(reference).flatten(1)
        for step in range(self.n_steps):
            next_alpha = path.advance(alpha, gradient, step)
            last = step + 1 == self.n_steps
            point = torch.addcmul(reference, next_alpha.view_as(reference), difference.view_as(reference))
            next_gradient = model.gradients(batch.inputs if last else point).flatten(1)
            total += (gradient + next_gradient) / 2 * (next_alpha - alpha) * difference
            alpha, gradient = next_alpha, next_gradient
        return total.view_as(batch.inputs)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass for each point of the path, ``n_steps + 1``."""
        return Cost(1, 1) * (self.n_steps + 1)
