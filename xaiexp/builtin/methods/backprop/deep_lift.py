"""DeepLIFT, for one reference and for a distribution; its rules are in :mod:`xaiexp.builtin.methods.backprop.deep_lift_rules`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.block import Block
    from xaiexp.inference.passes import Handle

__all__ = ["DeepLift", "DeepLiftShap"]


@dataclass(frozen=True)
class _Rescaled(Method):
    """What both are: contributions against one reference at a time."""

    needs = frozenset({"gradients"})
    reads_baseline = True
    signed = True
    complete = True
    multiplied_by_inputs = True
    precisions = ("fp32", "bf16")  # in fp16 the gradients of a sure probability are rounded to 0

    def _contributions(self, model: Handle, batch: Batch, references: Tensor) -> Tensor:
        """Contributions of the elements against each of R references, ``[N, R, *shape]`` like ``references``."""
        import torch

        from xaiexp.builtin.methods.backprop.deep_lift_rules import Recording, Rescaling

        def run(block: Block) -> Tensor:
            recording = Recording(self.name)
            with torch.no_grad(), recording:
                block.scores(recording.input(block.rows.clone()), model.output)
            leaf = batch.inputs[block.owners].requires_grad_()
            rescaling = Rescaling(recording)
            with rescaling:
                scores = block.scores(rescaling.input(leaf * 1), model.output)
            rescaling.finish(scores)
            return block.gradients(scores, leaf) * (leaf.detach() - block.rows)

        return model.apply(run, references, weight=2)


@dataclass(frozen=True)
class DeepLift(_Rescaled):
    """Multipliers ``delta out / delta in`` of every nonlinearity, chained down to the input, times ``x - x0``.

    The rules act on torch's functions while they run, not on modules, so activations that are functional, in
    place or used twice need no care. An operation without a rule (a product of two activations, attention, layer
    normalisation ...) is refused by name.
    """

    summary = "differences from the reference, passed down through every nonlinearity (the rescale rule)"
    source = "Shrikumar et al. 2017, Learning Important Features Through Propagating Activation Differences, sec. 3.5.1"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the network runs an operation that has no rule.
        """
        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        return self._contributions(model, batch, reference)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """The input and the reference forward, the input backward."""
        return Cost(2, 1)


@dataclass(frozen=True)
class DeepLiftShap(_Rescaled):
    """DeepLIFT against every reference of a distribution, averaged; all of them share full batches of passes.

    With one reference it is ``deep_lift``. What it costs depends on the number of references, which the baseline
    decides: for each of them two forward passes and one backward.
    """

    summary = "differences from a distribution of references, passed down through every nonlinearity, averaged"
    source = "Lundberg and Lee 2017, A Unified Approach to Interpreting Model Predictions, section 4.2 (Deep SHAP)"
    reads_distribution = True

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``reference`` is a distribution ``[N, R, *shape]``.

        Raises:
            Unsupported: the network runs an operation that has no rule.
        """
        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        return self._contributions(model, batch, reference).mean(dim=1)
