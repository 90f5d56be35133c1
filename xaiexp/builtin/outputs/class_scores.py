"""Scalars of heads ``[B, K]``: logits, probabilities and their logarithms, margins, values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.kinds import Output
from xaiexp.core.vocabulary import Task
from xaiexp.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LogProbability", "Logit", "Margin", "Probability", "Value"]


@dataclass(frozen=True)
class Logit(Output):
    """The logit of the target, as the network returns it.

    A single logit (task ``binary``) speaks for class 1.
    """

    summary = "the logit of the target"
    source = "the number that the network returns"
    tasks = ("multiclass", "binary", "multilabel")

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.scalars`."""
        _check(self, task)
        return head


@dataclass(frozen=True)
class Probability(Output):
    """The probability of the target.

    The softmax of the logits (``multiclass``), the logistic function of the target's own logit (``binary``,
    ``multilabel``), the number that the network returns (``probabilities``), or its exponential
    (``log_probabilities``: the probability of a text).
    """

    summary = "the probability of the target"
    source = "softmax or logistic function of the logits"
    tasks = ("multiclass", "binary", "multilabel", "probabilities", "log_probabilities")

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.scalars`."""
        from xaiexp.inference.outputs import probabilities

        return probabilities(head, task)


@dataclass(frozen=True)
class LogProbability(Output):
    """The natural logarithm of the probability of the target, computed from the logits without underflow.

    Of probabilities that the network returns, at least the smallest normal number of their dtype.
    """

    summary = "the logarithm of the probability of the target"
    source = "log-softmax or log-sigmoid of the logits"
    tasks = ("multiclass", "binary", "multilabel", "probabilities", "log_probabilities")

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.scalars`."""
        from xaiexp.inference.outputs import log_probabilities

        return log_probabilities(head, task)


@dataclass(frozen=True)
class Value(Output):
    """The value that a regression network returns, in the units of its target."""

    summary = "the value of a regression network"
    source = "the number that the network returns"
    tasks = ("regression",)

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.scalars`."""
        _check(self, task)
        return head


@dataclass(frozen=True)
class Margin(Output):
    """The target against the best other class: ``z_k - max_{j != k} z_j``.

    Of logits, or of probabilities where the network returns those. A single logit is the margin of class 1 against
    class 0; of a single probability p it is ``2 p - 1``. Explains why this class and not the next best one.
    """

    summary = "the logit of the target minus that of the best other class"
    source = "the margin of a classifier, Crammer and Singer 2001, section 2"
    tasks = ("multiclass", "binary", "probabilities")

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Output.scalars`."""
        from xaiexp.inference.outputs import margins

        return margins(head, task)


def _check(output: Output, task: Task | None) -> None:
    if task is not None and task not in output.tasks:
        raise MismatchError(
            "output",
            f"{output.name} is not defined for the task {task}",
            hint="leave output out for the numbers as the network returns them",
        )
