"""SmoothGrad, SmoothGrad-Squared and VarGrad: moments of the gradients at noisy copies of the input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.core.parameters import Effort, Range
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["SmoothGrad", "SmoothGradSquared", "VarGrad"]


@dataclass(frozen=True)
class _NoisyGradients(Method):
    """Base class: gradients at noisy copies of the input, of which a subclass takes the :attr:`moment`."""

    needs = frozenset({"gradients"})
    reads_baseline = False
    complete = False
    multiplied_by_inputs = False
    precisions = ("fp32", "bf16")  # fp16 rounds the gradients of saturated probabilities to 0

    moment: ClassVar[Literal["mean", "mean square", "variance"]]

    n_samples: Annotated[int, Range(1), Effort(16, 50, 200)] = 50
    noise_level: Annotated[float, Range(0.0)] = 0.15

    def gradients(self, model: Handle, batch: Batch, rng: Draws) -> Iterator[Tensor]:
        """Gradients at noisy copies, in chunks ``[N, s, *shape]``.

        Raises:
            Unsupported: the range of the data is unknown.
        """
        x, background = batch.inputs, batch.background
        if background.low is None or background.high is None:
            raise Unsupported(f"{self.name} needs the range of the data for its noise_level, which is unknown here")
        sigma = self.noise_level * (background.high - background.low).to(x)

        def noisy() -> Iterator[Tensor]:
            for chunk in model.blocks(self.n_samples):
                noise = rng.normal("noise", batch.shape, samples=chunk).to(x.dtype).mul_(sigma)
                yield noise.mul_(batch.features.inside.unsqueeze(1)).add_(x.unsqueeze(1))

        return model.gradients(noisy())

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the range of the data is unknown.
        """
        from xaiexp.builtin.methods.estimation import SampleMean, SampleVariance

        like = batch.features, batch.inputs
        moment = SampleVariance(*like, self.n_samples) if self.moment == "variance" else SampleMean(*like)
        for gradients in self.gradients(model, batch, rng):
            moment.add(gradients.square() if self.moment == "mean square" else gradients)
        return Estimate(moment.value(), moment.standard_error())

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass for each noisy copy."""
        return Cost(1, 1) * self.n_samples


@dataclass(frozen=True)
class SmoothGrad(_NoisyGradients):
    """The mean of the gradients at noisy copies of the input.

    Args:
        n_samples: number of noisy copies.
        noise_level: standard deviation of the noise as a fraction of the range of the data, sigma / (x_max - x_min);
            elements that belong to no feature get no noise.
    """

    summary = "gradients averaged over noisy copies of the input"
    source = "Smilkov et al. 2017, SmoothGrad, equation of section 3"
    signed = True
    moment = "mean"


@dataclass(frozen=True)
class SmoothGradSquared(_NoisyGradients):
    """The mean of the squared gradients at noisy copies of the input.

    Args:
        n_samples: number of noisy copies.
        noise_level: standard deviation of the noise as a fraction of the range of the data, sigma / (x_max - x_min);
            elements that belong to no feature get no noise.
    """

    summary = "squared gradients averaged over noisy copies of the input"
    source = "Hooker et al. 2019, A Benchmark for Interpretability Methods in Deep Neural Networks, section 4 (SG-SQ)"
    signed = False
    moment = "mean square"


@dataclass(frozen=True)
class VarGrad(_NoisyGradients):
    """The variance of the gradients at noisy copies of the input, divided by ``n_samples`` as in Captum.

    Args:
        n_samples: number of noisy copies.
        noise_level: standard deviation of the noise as a fraction of the range of the data, sigma / (x_max - x_min);
            elements that belong to no feature get no noise.
    """

    summary = "variance of the gradients over noisy copies of the input"
    source = "Adebayo et al. 2018, Local Explanation Methods for Deep Neural Networks Lack Sensitivity, section 3.1"
    signed = False
    moment = "variance"
