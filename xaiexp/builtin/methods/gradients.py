"""Methods that read the gradient at the input, or near it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from xaiexp.contract import Method
from xaiexp.errors import Unsupported
from xaiexp.parameters import Range
from xaiexp.types import Batch, Cost

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.draws import Draws
    from xaiexp.passes import Handle

__all__ = ["InputXGradient", "Saliency", "SmoothGrad"]


@dataclass(frozen=True)
class Saliency(Method):
    """The gradient of the score: ``|df/dx|``, or ``df/dx`` with ``absolute=False``."""

    summary = "the gradient of the score with respect to the input"
    source = "Simonyan et al. 2013, Deep Inside Convolutional Networks, section 3.1"
    needs = frozenset({"gradients"})
    reads_baseline = False
    complete = False
    multiplied_by_inputs = False

    absolute: bool = True

    @property
    def signed(self) -> bool:  # type: ignore[override]  # a fact that a parameter decides
        """Whether the sign is kept."""
        return not self.absolute

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.Method.attribute`."""
        gradient = model.gradients()
        return gradient.abs() if self.absolute else gradient

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward, one backward."""
        return Cost(1, 1)


@dataclass(frozen=True)
class InputXGradient(Method):
    """The gradient times the input: ``x * df/dx``."""

    summary = "the gradient times the input"
    source = "Shrikumar et al. 2016, Not Just a Black Box, section 3"
    needs = frozenset({"gradients"})
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = True

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.Method.attribute`."""
        return batch.inputs * model.gradients()

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward, one backward."""
        return Cost(1, 1)


@dataclass(frozen=True)
class SmoothGrad(Method):
    """Gradients averaged over noisy copies of the input.

    Args:
        n_samples: noisy copies.
        noise_level: standard deviation of the noise as a fraction of the range of the data, sigma / (x_max - x_min);
            elements of no feature get no noise.
        nt_type: ``smoothgrad`` averages the gradients, ``smoothgrad_sq`` their squares, ``vargrad`` is their
            variance. The name and the choices are those of Captum's NoiseTunnel.
    """

    summary = "gradients averaged over noisy copies of the input"
    source = "Smilkov et al. 2017, SmoothGrad, equation of section 3; squares and variance: Hooker et al. 2019"
    needs = frozenset({"gradients"})
    reads_baseline = False
    complete = False
    multiplied_by_inputs = False

    n_samples: Annotated[int, Range(1)] = 50
    noise_level: Annotated[float, Range(0.0)] = 0.15
    nt_type: Literal["smoothgrad", "smoothgrad_sq", "vargrad"] = "smoothgrad"

    @property
    def signed(self) -> bool:  # type: ignore[override]  # a fact that a parameter decides
        """Whether the sign is kept."""
        return self.nt_type == "smoothgrad"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.Method.attribute`.

        Raises:
            Unsupported: the range of the data is unknown.
        """
        import torch

        x, background = batch.inputs, batch.background
        if background.low is None or background.high is None:
            raise Unsupported("smooth_grad needs the range of the data for its noise_level, and it is unknown here")
        sigma = self.noise_level * (background.high - background.low).to(x)

        def noisy() -> Iterator[Tensor]:
            for stretch in model.blocks(self.n_samples):
                noise = rng.normal("noise", batch.shape, samples=stretch).to(x.dtype).mul_(sigma)
                yield noise.mul_(batch.features.inside.unsqueeze(1)).add_(x.unsqueeze(1))

        # Squares and variances are summed in float64: the variance is a small difference of large sums.
        total = torch.zeros_like(x, dtype=x.dtype if self.signed else torch.float64)
        squares = torch.zeros_like(total)
        for gradients in model.gradients(noisy()):
            total += gradients.sum(dim=1)
            if not self.signed:
                squares += gradients.to(squares.dtype).square_().sum(dim=1)
        mean = total / self.n_samples
        if self.nt_type == "smoothgrad":
            return mean
        square = squares / self.n_samples
        return (square if self.nt_type == "smoothgrad_sq" else (square - mean**2).clamp_(min=0.0)).to(x.dtype)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward for each noisy copy."""
        return Cost(1, 1) * self.n_samples
