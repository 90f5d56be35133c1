"""The output mine for xaiexp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xaiexp.plugin import Component, MismatchError, Output, Task, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

XAIEXP_API = 1  # the version of the plugin contract that this plugin requires


@dataclass(frozen=True)
class Mine(Output):
    """The logit of the target minus the mean of all logits, which a constant added to every logit does not change."""

    summary = "the logit of the target minus the mean of all logits"
    source = "the centred log-ratio of the probabilities, Aitchison 1982"
    tasks: ClassVar[tuple[Task, ...]] = ("multiclass",)

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """``[B, K]`` of logits ``[B, K]``."""
        if task not in (None, *self.tasks):
            raise MismatchError("output.mine", f"is not defined for the task {task}", hint="tasks: multiclass")
        return head - head.mean(dim=1, keepdim=True)


@hookimpl
def xaiexp_components() -> Sequence[type[Component]]:
    """The components of this plugin."""
    return [Mine]
