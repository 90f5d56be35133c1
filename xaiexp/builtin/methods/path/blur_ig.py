"""Blur integrated gradients: from a blurred picture to the sharp one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost
from xaiexp.core.parameters import Effort, Range
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["BlurIg"]


@dataclass(frozen=True)
class BlurIg(Method):
    """The gradient summed up along a path of Gaussian blurs, from the blurred input to the input itself.

    The path has no reference but the input, blurred by ``max_sigma``: attributions add up to the score of the
    input minus the score of that blur, up to the error of the quadrature. With the default ``max_sigma`` it is
    what the baseline ``blur`` gives. As the study's own reference is another one, if it has any, ``complete`` is
    not claimed.

    Args:
        n_steps: stretches of the path, equal in sigma; each takes the gradient at its middle times the step from
            its one end to the other.
        max_sigma: standard deviation of the strongest blur in pixels of the model's input (time steps for
            series); null takes 0.75 * sqrt(longest side), which leaves nothing to recognise.
    """

    summary = "gradients summed up along a path of Gaussian blurs (pictures and series)"
    source = "Xu, Venugopalan, Sundararajan 2020, Attribution in Scale and Space, equation 3"
    needs = frozenset({"gradients"})
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = True
    precisions = ("fp32", "bf16")  # in fp16 the gradients of a sure probability are rounded to 0
    modalities = ("image", "series")

    n_steps: Annotated[int, Range(1), Effort(16, 50, 200)] = 50
    max_sigma: Annotated[float, Range(0, exclusive=True)] | None = None

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the inputs are neither pictures nor series.
        """
        import torch

        from xaiexp.builtin.gaussian_blur import default_sigma, gaussian_blur

        x, inside = batch.inputs, batch.features.inside
        if x.ndim not in (3, 4) or batch.background.modality not in self.modalities:
            raise Unsupported(f"blur_ig needs pictures or series, and the inputs have the shape {list(batch.shape)}")
        width = default_sigma(batch.shape[1:]) if self.max_sigma is None else self.max_sigma
        steps: deque[Tensor] = deque()

        def blurred(place: float) -> Tensor:
            """The path at a place from 0 (blurred) to ``n_steps`` (sharp)."""
            sigma = width * (1 - place / self.n_steps)
            return x if sigma <= 0 else torch.where(inside, gaussian_blur(x, sigma), x)

        def middles() -> Iterator[Tensor]:
            start = blurred(0)
            for stretch in model.blocks(self.n_steps):
                points, moves = [], []
                for k in stretch:
                    end = blurred(k + 1)
                    points.append(blurred(k + 0.5))
                    moves.append(end - start)
                    start = end
                steps.append(torch.stack(moves, dim=1))
                yield torch.stack(points, dim=1)

        total = torch.zeros_like(x)
        for gradients in model.gradients(middles()):
            total += (steps.popleft() * gradients).sum(dim=1)
        return total

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward for each step."""
        return Cost(1, 1) * self.n_steps
