"""DeepLIFT with one reference, and DeepLIFT SHAP with a distribution of references."""

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
class _RescaledGradients(Method):
    """Base class: contributions by the rescale rule, relative to one reference at a time."""

    needs = frozenset({"gradients"})
    reads_baseline = True
    signed = True
    complete = True
    multiplied_by_inputs = True
    precisions = ("fp32", "bf16")  # fp16 rounds the gradients of saturated probabilities to 0

    def _contributions(self, model: Handle, batch: Batch, references: Tensor) -> Tensor:
        """Contributions relative to the references ``[N, *shape]`` or ``[N, R, *shape]``, of the same shape."""
        import torch

        from xaiexp.builtin.methods.backprop.deep_lift_rules import DeepLiftRules, NonlinearityRecorder

        met: list[tuple[Tensor, Tensor]] = []  # scores at the references and at the inputs

        def run(block: Block) -> Tensor:
            recorder = NonlinearityRecorder(self.name)
            with torch.no_grad(), recorder:
                start = block.scores(recorder.mark_input(block.rows.clone()), model.output)
            leaf = batch.inputs[block.owners].requires_grad_()
            rule = DeepLiftRules(recorder)
            with rule:
                scores = block.scores(rule.mark_input(leaf * 1), model.output)
            rule.finish(scores)
            contributions = block.gradients(scores, leaf) * (leaf.detach() - block.rows)
            met.append((start.detach(), scores.detach()))
            return contributions

        contributions = model.apply(run, references, weight=2)
        lead = references.shape[: references.ndim - len(batch.shape)]
        at_references, at_inputs = (torch.cat(parts).view(lead) for parts in zip(*met, strict=True))
        model.remember(references, at_references)
        model.remember(batch.inputs, at_inputs if len(lead) == 1 else at_inputs[:, 0])
        return contributions


@dataclass(frozen=True)
class DeepLift(_RescaledGradients):
    """Multipliers ``delta out / delta in`` of every nonlinearity, chained back to the input, times ``x - x0``.

    The rules apply to torch functions while they run, so functional, in-place and reused activations are supported.
    An operation without a rule (a product of two activations, attention, layer normalisation, ...) raises
    ``Unsupported``, with the name of the operation.
    """

    summary = "differences from the reference, propagated back through every nonlinearity (the rescale rule)"
    source = "Shrikumar et al. 2017, Learning Important Features Through Propagating Activation Differences, sec. 3.5.1"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the network runs an operation that has no rule.
        """
        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        return self._contributions(model, batch, reference)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """A forward pass of the input and of the reference, and a backward pass of the input."""
        return Cost(2, 1)


@dataclass(frozen=True)
class DeepLiftShap(_RescaledGradients):
    """DeepLIFT averaged over all references of a distribution.

    With one reference it equals ``deep_lift``. Each reference, of which the baseline sets the number, costs two forward
    passes and one backward pass. Passes of several references share batches.
    """

    summary = "differences from a distribution of references, propagated back through every nonlinearity, averaged"
    source = "Lundberg and Lee 2017, A Unified Approach to Interpreting Model Predictions, section 4.2 (Deep SHAP)"
    reads_distribution = True

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`; ``reference`` is a distribution ``[N, R, *shape]``.

        Raises:
            Unsupported: the network runs an operation that has no rule.
        """
        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        return self._contributions(model, batch, reference).mean(dim=1)
