"""The kind of component that says which scalars of a network are explained."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from xaiexp.contract.component import Component
from xaiexp.core.vocabulary import Task

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.contract.facts import OutputFacts
else:  # facts are declared for type checkers only, see xaiexp.contract.facts
    OutputFacts = object

__all__ = ["Output"]


@dataclass(frozen=True)
class Output(Component, OutputFacts):
    """Which scalars of a network are explained: from what it returns to ``[B, K]``; the target picks one of K.

    Facts (class variables, or properties where they depend on a parameter):
        tasks: the tasks of networks that it is defined for; see :data:`xaiexp.plugin.TASKS`.
        own_scale: whether its scalars have a scale of their own and stand for no probability: sums over the pixels of a
            segmentation, scores of boxes. Metrics that read probabilities then read the scalars themselves.
    """

    kind: ClassVar[str] = "output"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "tasks")
    if not TYPE_CHECKING:  # declared by OutputFacts
        own_scale: ClassVar[bool] = False

    def read(self, returned: Any) -> Tensor:
        """The numbers ``[B, K]`` (``[B]`` for one) in what the network returns for B rows, in the graph.

        Row i must depend on row i of the input alone. By default the returned tensor, the entry ``logits`` of a mapping
        or ``ModelOutput``, or the one tensor with one or two axes in a tuple.

        Raises:
            MismatchError: the network does not return such numbers.
        """
        from xaiexp.inference.outputs import head_of

        return head_of(returned)

    @abstractmethod
    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """The explained scalars ``[B, K]``, differentiable with respect to ``head``.

        Args:
            head: float ``[B, K]``, from :meth:`read`.
            task: what these numbers are; None where it is not known.

        Raises:
            MismatchError: the scalars are not defined for this task.
        """
