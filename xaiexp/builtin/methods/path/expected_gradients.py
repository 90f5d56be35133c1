"""Expected gradients and GradientSHAP: gradients at random points between the input and random references."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.core.parameters import Effort, Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["ExpectedGradients", "GradientShap"]


def _expected_gradients(
    model: Handle, batch: Batch, references: Tensor, rng: Draws, n_samples: int, stdevs: float = 0.0
) -> Estimate:
    """The mean of ``(x + noise - x0) * df/dx`` over random references x0 and uniform points on the line from x0 to x.

    Args:
        references: ``[N, R, *shape]``.
        stdevs: standard deviation of the noise added to x.
    """
    import torch

    from xaiexp.builtin.methods.estimation import SampleMean

    x, ones = batch.inputs, [1] * len(batch.shape)
    examples = torch.arange(len(batch), device=batch.device).unsqueeze(1)
    differences: deque[Tensor] = deque()

    def points() -> Iterator[Tensor]:
        for chunk in model.blocks(n_samples):
            start = references[examples, rng.integers("reference", references.shape[1], samples=chunk)]
            difference = x.unsqueeze(1) - start
            if stdevs:
                noise = rng.normal("noise", batch.shape, samples=chunk).to(x.dtype).mul_(stdevs)
                difference += noise.mul_(batch.features.inside.unsqueeze(1))
            alpha = rng.uniform("alpha", samples=chunk).to(x.dtype)
            differences.append(difference)
            yield torch.addcmul(start, alpha.view(*alpha.shape, *ones), difference)

    mean = SampleMean(batch.features, x)
    for gradients in model.gradients(points()):
        mean.add(differences.popleft() * gradients)
    return Estimate(mean.value(), mean.standard_error())


@dataclass(frozen=True)
class ExpectedGradients(Method):
    """``(x - x0) * df/dx`` at random points between the input x and random references x0, averaged.

    The attributions sum to ``f(x)`` minus the mean score of the references in expectation only; the standard error
    measures the sampling error.

    Args:
        n_samples: number of random points for each example; each draws a reference and a point on the line to it.
    """

    summary = "gradients at random points between the input and random references"
    source = "Erion et al. 2021, Improving performance of deep learning models with axiomatic attribution priors, eq. 3"
    needs = frozenset({"gradients"})
    reads_baseline = True
    reads_distribution = True
    signed = True
    complete = False
    multiplied_by_inputs = True
    precisions = ("fp32", "bf16")  # fp16 rounds the gradients of saturated probabilities to 0

    n_samples: Annotated[int, Range(1), Effort(16, 50, 200)] = 50

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``reference`` is a distribution ``[N, R, *shape]``."""
        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        return _expected_gradients(model, batch, reference, rng, self.n_samples)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass for each point."""
        return Cost(1, 1) * self.n_samples


@dataclass(frozen=True)
class GradientShap(Method):
    """Expected gradients of noisy copies of the input, as in Captum; equal to expected gradients without noise.

    Args:
        n_samples: number of random points for each example; each draws a reference and a point on the line to it.
        stdevs: standard deviation of the noise that is added to the input, in the units of the model's input;
            elements that belong to no feature get none.
    """

    summary = "gradients at random points between noisy copies of the input and random references"
    source = "Lundberg and Lee 2017, as implemented in shap (GradientExplainer) and Captum (GradientShap)"
    needs = frozenset({"gradients"})
    reads_baseline = True
    reads_distribution = True
    signed = True
    complete = False
    multiplied_by_inputs = True
    precisions = ("fp32", "bf16")  # fp16 rounds the gradients of saturated probabilities to 0

    n_samples: Annotated[int, Range(1), Effort(16, 50, 200)] = 50
    stdevs: Annotated[float, Range(0.0)] = 0.0

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``reference`` is a distribution ``[N, R, *shape]``."""
        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        return _expected_gradients(model, batch, reference, rng, self.n_samples, self.stdevs)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass for each point."""
        return Cost(1, 1) * self.n_samples
