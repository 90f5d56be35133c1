"""Blur integrated gradients: gradients integrated along a path of Gaussian blurs."""

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
    """The gradient integrated along a path of Gaussian blurs, from the blurred input to the input itself.

    The method reads no baseline: its path starts at the input blurred by ``max_sigma``. Attributions sum to the score
    of the input minus the score of that blurred input, up to the quadrature error. With the default ``max_sigma`` the
    blurred input equals the baseline ``blur``. ``complete`` is False, because it refers to the reference of the study.

    Args:
        n_steps: number of path segments, equally spaced in sigma; each contributes the gradient at its midpoint
            times the difference between its ends.
        max_sigma: standard deviation of the strongest blur in pixels of the model's input (time steps for
            time series); null is 0.75 * sqrt(longest side), at which no content is recognisable.
    """

    summary = "gradients integrated along a path of Gaussian blurs (images and time series)"
    source = "Xu, Venugopalan, Sundararajan 2020, Attribution in Scale and Space, equation 3"
    needs = frozenset({"gradients"})
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = True
    precisions = ("fp32", "bf16")  # fp16 rounds the gradients of saturated probabilities to 0
    modalities = ("image", "series")

    n_steps: Annotated[int, Range(1), Effort(16, 50, 200)] = 50
    max_sigma: Annotated[float, Range(0, exclusive=True)] | None = None

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the inputs are neither images nor time series.
        """
        import torch

        from xaiexp.builtin.gaussian_blur import default_sigma, gaussian_blur

        x, inside = batch.inputs, batch.features.inside
        if x.ndim not in (3, 4) or batch.background.modality not in self.modalities:
            raise Unsupported(f"blur_ig needs images or time series, but the inputs have shape {list(batch.shape)}")
        width = default_sigma(batch.shape[1:]) if self.max_sigma is None else self.max_sigma
        steps: deque[Tensor] = deque()

        def blurred(position: float) -> Tensor:
            """The point of the path at a position from 0 (blurred) to ``n_steps`` (the input)."""
            sigma = width * (1 - position / self.n_steps)
            return x if sigma <= 0 else torch.where(inside, gaussian_blur(x, sigma), x)

        def midpoints() -> Iterator[Tensor]:
            start = blurred(0)
            for chunk in model.blocks(self.n_steps):
                points, differences = [], []
                for k in chunk:
                    end = blurred(k + 1)
                    points.append(blurred(k + 0.5))
                    differences.append(end - start)
                    start = end
                steps.append(torch.stack(differences, dim=1))
                yield torch.stack(points, dim=1)

        total = torch.zeros_like(x)
        for gradients in model.gradients(midpoints()):
            total += (steps.popleft() * gradients).sum(dim=1)
        return total

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass for each step."""
        return Cost(1, 1) * self.n_steps
