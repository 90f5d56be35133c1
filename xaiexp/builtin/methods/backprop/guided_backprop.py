"""Guided backpropagation and deconvolution, the components; see :mod:`xaiexp.builtin.methods.rectifiers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.block import Block
    from xaiexp.inference.passes import Handle

__all__ = ["Deconvolution", "GuidedBackprop"]


@dataclass(frozen=True)
class _Rectified(Method):
    """The gradient with the ReLUs changed."""

    needs = frozenset({"gradients"})
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = False
    precisions = ("fp32", "bf16")  # in fp16 the gradients of a sure probability are rounded to 0

    gated: ClassVar[bool]
    """Whether a ReLU passes something down only where it was open itself."""

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the network runs no ReLU, or an activation that has no rule.
        """
        from xaiexp.builtin.methods.rectifiers import Rectifying

        def run(block: Block) -> Tensor:
            leaf = block.rows.requires_grad_()
            rectifying = Rectifying(self.name, self.gated)
            with rectifying:
                scores = block.scores(rectifying.input(leaf * 1), model.output)
            rectifying.finish()
            return block.gradients(scores, leaf)

        return model.apply(run)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward, one backward."""
        return Cost(1, 1)


@dataclass(frozen=True)
class GuidedBackprop(_Rectified):
    """The gradient, of which every ReLU passes down only what is positive and where it was open itself.

    The rule acts on torch's functions while they run, so a ReLU (or ReLU6) may be a module, functional, in place
    or used twice. Other activations in its place (GELU, SiLU, LeakyReLU ...) are refused by name, as is a network
    without ReLU.
    """

    summary = "the gradient, of which every ReLU passes down only what is positive, where it was open"
    source = "Springenberg et al. 2014, Striving for Simplicity: The All Convolutional Net, section 3.4"
    gated = True


@dataclass(frozen=True)
class Deconvolution(_Rectified):
    """The gradient, of which every ReLU passes down only what is positive, whether or not it was open itself.

    The rule acts on torch's functions while they run, so a ReLU (or ReLU6) may be a module, functional, in place
    or used twice. Other activations in its place (GELU, SiLU, LeakyReLU ...) are refused by name, as is a network
    without ReLU. Max-pooling sends the gradient to the maximum of the input, which are the paper's switches.
    """

    summary = "the gradient, of which every ReLU passes down only what is positive"
    source = "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, section 2.1"
    gated = False
