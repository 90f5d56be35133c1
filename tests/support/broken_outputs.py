"""One broken component for each check of outputs; no heavy imports."""

from __future__ import annotations

from dataclasses import dataclass

from xaiexp.plugin import Output, UserError, probabilities


@dataclass(frozen=True)
class CorrectOutput(Output):
    """The probability."""

    summary = "the probability"
    source = "made up"
    tasks = ("multiclass", "binary", "multilabel", "probabilities")

    def scalars(self, head, task):
        return probabilities(head, task)


@dataclass(frozen=True)
class NoTasks(CorrectOutput):
    """States no task."""

    tasks = ()


@dataclass(frozen=True)
class OneColumn(CorrectOutput):
    """Returns the largest probability alone."""

    def scalars(self, head, task):
        return probabilities(head, task).amax(dim=1)


@dataclass(frozen=True)
class Detached(CorrectOutput):
    """Cuts the graph."""

    def scalars(self, head, task):
        return probabilities(head, task).detach()


@dataclass(frozen=True)
class RelativeToBatch(CorrectOutput):
    """Divides by the largest probability of the batch."""

    def scalars(self, head, task):
        found = probabilities(head, task)
        return found / found.amax()


@dataclass(frozen=True)
class InPlace(CorrectOutput):
    """Adds a margin to the numbers of the network in place."""

    def scalars(self, head, task):
        found = probabilities(head, task) * 1
        head.detach().add_(1)
        return found


@dataclass(frozen=True)
class EveryTask(Output):
    """Takes values for probabilities."""

    summary = "the number as it is"
    source = "made up"
    tasks = ("probabilities",)

    def scalars(self, head, task):
        if task == "multiclass":
            raise UserError("output", "is not for logits")
        return head
