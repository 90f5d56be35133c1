"""Guided backpropagation and deconvolution; the rules are in :mod:`xaiexp.builtin.methods.rectifiers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["Deconvolution", "GuidedBackprop"]


@dataclass(frozen=True)
class _RectifiedGradients(Method):
    """Base class: the gradient of the score with a modified gradient of ReLU."""

    needs = frozenset({"gradients"})
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = False
    precisions = ("fp32", "bf16")  # fp16 rounds the gradients of saturated probabilities to 0

    gated: ClassVar[bool]
    """Whether a ReLU passes the gradient only where its input is positive."""

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the network runs no ReLU, or an activation that has no rule.
        """
        from xaiexp.builtin.methods.rectifiers import rectified_gradients

        return rectified_gradients(model, self.name, self.gated)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
        return Cost(1, 1)


@dataclass(frozen=True)
class GuidedBackprop(_RectifiedGradients):
    """The gradient, where every ReLU passes only positive gradients, and only where its input is positive.

    The rule applies to torch functions while they run, so a ReLU (or ReLU6) may be a module, functional, in place
    or reused. Other activations (GELU, SiLU, LeakyReLU, ...) raise ``Unsupported``, as does a network without ReLU.
    """

    summary = "the gradient, where every ReLU passes only positive gradients of positive inputs"
    source = "Springenberg et al. 2014, Striving for Simplicity: The All Convolutional Net, section 3.4"
    gated = True


@dataclass(frozen=True)
class Deconvolution(_RectifiedGradients):
    """The gradient, where every ReLU passes only positive gradients, whatever the sign of its input.

    The rule applies to torch functions while they run, so a ReLU (or ReLU6) may be a module, functional, in place
    or reused. Other activations (GELU, SiLU, LeakyReLU, ...) raise ``Unsupported``, as does a network without ReLU.
    Max-pooling passes the gradient to the position of the maximum (the paper's switches).
    """

    summary = "the gradient, where every ReLU passes only positive gradients"
    source = "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, section 2.1"
    gated = False
