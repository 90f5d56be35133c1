"""DeepLIFT, the component; its rules are in :mod:`xaiexp.builtin.methods.rescale`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract import Method
from xaiexp.types import Batch, Cost

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.draws import Draws
    from xaiexp.passes import Block, Handle

__all__ = ["DeepLift"]


@dataclass(frozen=True)
class DeepLift(Method):
    """Multipliers ``delta out / delta in`` of every nonlinearity, chained down to the input, times ``x - x0``.

    The rules act on torch's functions while they run, not on modules, so activations that are functional, in
    place or used twice need no care. An operation without a rule (a product of two activations, attention, layer
    normalisation ...) is refused by name.
    """

    summary = "differences from the reference, passed down through every nonlinearity (the rescale rule)"
    source = "Shrikumar et al. 2017, Learning Important Features Through Propagating Activation Differences, sec. 3.5.1"
    needs = frozenset({"gradients"})
    reads_baseline = True
    signed = True
    complete = True
    multiplied_by_inputs = True

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.Method.attribute`.

        Raises:
            Unsupported: the network runs an operation that has no rule.
        """
        import torch

        from xaiexp.builtin.methods.rescale import Recording, Rescaling

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline

        def run(block: Block) -> Tensor:
            start = reference[block.owners]
            recording = Recording()
            with torch.no_grad(), recording:
                block.scores(recording.input(start.clone()), model.output)
            leaf = block.rows.requires_grad_()
            rescaling = Rescaling(recording)
            with rescaling:
                scores = block.scores(rescaling.input(leaf * 1), model.output)
            rescaling.finish(scores)
            return block.gradients(scores, leaf) * (leaf.detach() - start)

        return model.apply(run, weight=2)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """The input and the reference forward, the input backward."""
        return Cost(2, 1)
