"""What an explanation costs: passes, time and memory. These metrics make no passes of their own.

The engine counts the cost of a whole batch; passes and seconds are divided equally among its examples. NaN where
nothing was counted (attributions computed elsewhere).
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
class _CostMetric(Metric):
    """Base of the metrics of cost."""

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
        cost = float("nan") if spent is None else self.per_example(spent, len(batch))
        return batch.inputs.new_full((len(batch),), cost)

    @abstractmethod
    def per_example(self, spent: Spent, examples: int) -> float:
        """The cost of one example of a batch of ``examples``."""

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """No passes."""
        return Cost(forward=0)


@dataclass(frozen=True)
class Passes(_CostMetric):
    """The number of passes of the example through the network, forward and backward passes added up."""

    summary = "passes through the network, forward and backward, per example"
    unit = "passes"

    def per_example(self, spent: Spent, examples: int) -> float:
        """Passes of one example."""
        return (spent.forward + spent.backward) / examples


@dataclass(frozen=True)
class Seconds(_CostMetric):
    """The wall-clock time of the explanation per example, on this machine and in the batches of this study."""

    summary = "wall-clock seconds per example"
    unit = "s"

    def per_example(self, spent: Spent, examples: int) -> float:
        """Seconds of one example."""
        return spent.seconds / examples


@dataclass(frozen=True)
class Memory(_CostMetric):
    """The peak memory of the process (or of the device) at the end of the explanation, in bytes.

    The peak covers everything that ran before in the same process. Only a method with a higher peak than all methods
    before it can be distinguished.
    """

    summary = "peak memory of the process or device so far"
    unit = "B"

    def per_example(self, spent: Spent, examples: int) -> float:
        """Bytes, independent of the number of examples."""
        return float(spent.memory)


COMPONENTS: tuple[type[Component], ...] = (Passes, Seconds, Memory)
