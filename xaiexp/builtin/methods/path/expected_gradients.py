"""Integrated gradients in expectation: at random points between the input and random references."""

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


def _expected(
    model: Handle, batch: Batch, references: Tensor, rng: Draws, n_samples: int, stdevs: float = 0.0
) -> Estimate:
    """The mean of ``(x + noise - x0) * df/dx`` over random references x0 and random places on the line to them.

    Args:
        references: ``[N, R, *shape]``.
        stdevs: standard deviation of the noise.
    """
    import torch

    from xaiexp.builtin.methods.estimation import Mean

    x, ones = batch.inputs, [1] * len(batch.shape)
    examples = torch.arange(len(batch), device=batch.device).unsqueeze(1)
    under_way: deque[Tensor] = deque()

    def points() -> Iterator[Tensor]:
        for stretch in model.blocks(n_samples):
            start = references[examples, rng.integers("reference", references.shape[1], samples=stretch)]
            difference = x.unsqueeze(1) - start
            if stdevs:
                noise = rng.normal("noise", batch.shape, samples=stretch).to(x.dtype).mul_(stdevs)
                difference += noise.mul_(batch.features.inside.unsqueeze(1))
            alpha = rng.uniform("alpha", samples=stretch).to(x.dtype)
            under_way.append(difference)
            yield torch.addcmul(start, alpha.view(*alpha.shape, *ones), difference)

    mean = Mean(batch.features, x)
    for gradients in model.gradients(points()):
        mean.add(under_way.popleft() * gradients)
    return Estimate(mean.value(), mean.standard_error())


@dataclass(frozen=True)
class ExpectedGradients(Method):
    """``(x - x0) * df/dx`` at random points between the input x and random references x0, averaged.

    Adds up to ``f(x)`` minus the mean score of the references in expectation only; the standard error tells how
    far off that is.

    Args:
        n_samples: random points of an example; each draws one of the references and a place on the line to it.
    """

    summary = "gradients at random points between the input and random references"
    source = "Erion et al. 2021, Improving performance of deep learning models with axiomatic attribution priors, eq. 3"
    needs = frozenset({"gradients"})
    reads_baseline = True
    reads_distribution = True
    signed = True
    complete = False
    multiplied_by_inputs = True
    precisions = ("fp32", "bf16")  # in fp16 the gradients of a sure probability are rounded to 0

    n_samples: Annotated[int, Range(1), Effort(16, 50, 200)] = 50

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``reference`` is a distribution ``[N, R, *shape]``."""
        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        return _expected(model, batch, reference, rng, self.n_samples)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward for each point."""
        return Cost(1, 1) * self.n_samples


@dataclass(frozen=True)
class GradientShap(Method):
    """Expected gradients of noisy copies of the input, as in Captum; without noise they are expected gradients.

    Args:
        n_samples: random points of an example; each draws one of the references and a place on the line to it.
        stdevs: standard deviation of the noise that is added to the input, in the units of the model's input;
            elements of no feature get none.
    """

    summary = "gradients at random points between noisy copies of the input and random references"
    source = "Lundberg and Lee 2017, as implemented in shap (GradientExplainer) and Captum (GradientShap)"
    needs = frozenset({"gradients"})
    reads_baseline = True
    reads_distribution = True
    signed = True
    complete = False
    multiplied_by_inputs = True
    precisions = ("fp32", "bf16")  # in fp16 the gradients of a sure probability are rounded to 0

    n_samples: Annotated[int, Range(1), Effort(16, 50, 200)] = 50
    stdevs: Annotated[float, Range(0.0)] = 0.0

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``reference`` is a distribution ``[N, R, *shape]``."""
        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        return _expected(model, batch, reference, rng, self.n_samples, self.stdevs)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward for each point."""
        return Cost(1, 1) * self.n_samples
