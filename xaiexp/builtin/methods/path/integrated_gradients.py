"""Integrated gradients: gradients averaged along the straight line from a reference to the input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.methods.quadrature import Quadrature, quadrature
from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost
from xaiexp.core.parameters import Effort, Range
from xaiexp.errors import ParameterError

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["IntegratedGradients"]


@dataclass(frozen=True)
class IntegratedGradients(Method):
    """``(x - x0)`` times the gradient averaged along the straight line from the reference x0 to the input x.

    Args:
        n_steps: number of quadrature nodes.
        method: the quadrature rule, with the nodes and weights of Captum. The weights sum to 1, except those of
            ``riemann_trapezoid``, which sum to ``1 - 1 / n_steps``.
    """

    summary = "gradients averaged along the straight line from the reference to the input"
    source = "Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks, equation 1"
    needs = frozenset({"gradients"})
    reads_baseline = True
    signed = True
    complete = True
    multiplied_by_inputs = True
    precisions = ("fp32", "bf16")  # fp16 rounds the gradients of saturated probabilities to 0

    n_steps: Annotated[int, Range(1), Effort(16, 50, 200)] = 50
    method: Quadrature = "gausslegendre"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method == "riemann_trapezoid" and self.n_steps < 2:
            raise ParameterError(
                "method.integrated_gradients.n_steps", "must be at least 2 for riemann_trapezoid", got=self.n_steps
            )

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        import torch

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        nodes, weights = quadrature(self.method, self.n_steps)
        chunks = list(model.blocks(self.n_steps))
        difference = batch.inputs - reference

        def points() -> Iterator[Tensor]:
            for chunk in chunks:
                alpha = difference.new_tensor([nodes[k] for k in chunk])
                alpha = alpha.view(1, -1, *[1] * len(batch.shape))
                yield torch.addcmul(reference.unsqueeze(1), alpha, difference.unsqueeze(1))

        total = torch.zeros_like(difference)
        for chunk, gradients in zip(chunks, model.gradients(points()), strict=True):
            total += torch.einsum("ns...,s->n...", gradients, gradients.new_tensor([weights[k] for k in chunk]))
        return difference * total

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass for each step."""
        return Cost(1, 1) * self.n_steps
