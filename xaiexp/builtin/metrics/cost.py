"""What an explanation costs, as measures beside the others; they make no passes.

The books count a whole batch; passes and seconds are shared equally among its examples. NaN where nobody counted
(attributions from elsewhere).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.kinds import Component, Metric
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Spent

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["COMPONENTS", "Memory", "Passes", "Seconds"]


@dataclass(frozen=True)
class _Spent(Metric):
    """Something that an explanation spends."""

    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = False
    scale_invariant = True
    re_explains = False
    spaces = ("input", "layer", "neuron")
    source = "counted by the engine while the method runs"

    def score(self, model: Handle, batch: Batch, explanation: Explanation, rng: Draws) -> Tensor:
        """The cost ``[N]``, the same for every example of the batch."""
        spent = explanation.spent
        cost = float("nan") if spent is None else self.of_one(spent, len(batch))
        return batch.inputs.new_full((len(batch),), cost)

    @abstractmethod
    def of_one(self, spent: Spent, examples: int) -> float:
        """The cost of one example of a batch."""

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """None at all."""
        return Cost(forward=0)


@dataclass(frozen=True)
class Passes(_Spent):
    """How often the example goes through the network to be explained, forward and backward passes added up."""

    summary = "passes through the network, forward and backward, per example"
    unit = "passes"

    def of_one(self, spent: Spent, examples: int) -> float:
        """Passes of one example."""
        return (spent.forward + spent.backward) / examples


@dataclass(frozen=True)
class Seconds(_Spent):
    """The time that explaining takes, per example: of the clock, on this machine, in the batches of this study."""

    summary = "seconds of the clock per example"
    unit = "s"

    def of_one(self, spent: Spent, examples: int) -> float:
        """Seconds of one example."""
        return spent.seconds / examples


@dataclass(frozen=True)
class Memory(_Spent):
    """The most memory that the process (or the device) has held by the end of the explanation, in bytes.

    A peak never falls again, so a method is charged with those that ran before it in the same process: only a method
    with a higher peak than all before it is told apart.
    """

    summary = "the highest memory that the process or device has held so far"
    unit = "B"

    def of_one(self, spent: Spent, examples: int) -> float:
        """Bytes, for whatever number of examples."""
        return float(spent.memory)


COMPONENTS: tuple[type[Component], ...] = (Passes, Seconds, Memory)
