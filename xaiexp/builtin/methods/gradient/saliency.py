"""Saliency and input x gradient: methods based on the gradient at the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["InputXGradient", "Saliency"]


@dataclass(frozen=True)
class Saliency(Method):
    """The gradient of the score with respect to the input: ``|df/dx|``, or ``df/dx`` with ``absolute=False``.

    Args:
        absolute: return magnitudes, as in the paper and in Captum; otherwise the map is signed.
    """

    summary = "the gradient of the score with respect to the input"
    source = "Simonyan et al. 2013, Deep Inside Convolutional Networks, section 3.1"
    needs = frozenset({"gradients"})
    reads_baseline = False
    complete = False
    multiplied_by_inputs = False
    precisions = ("fp32", "bf16")  # fp16 rounds the gradients of saturated probabilities to 0

    absolute: bool = True

    @property
    def signed(self) -> bool:
        """Whether attributions keep their sign."""
        return not self.absolute

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        gradient = model.gradients()
        return gradient.abs() if self.absolute else gradient

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
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
    precisions = ("fp32", "bf16")  # fp16 rounds the gradients of saturated probabilities to 0

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        return batch.inputs * model.gradients()

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
        return Cost(1, 1)
