"""From what a network returns to the scalars that are explained.

A network returns numbers, its *head*: logits, values or probabilities ``[B, K]``. Its task says which of these they
are. An output (:class:`xaiexp.plugin.Output`) makes K scalars a row of them, of which the target picks one. Importing
this module imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from xaiexp.core.vocabulary import TASKS, Task
from xaiexp.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "AS_RETURNED",
    "PLAIN",
    "ExplainedOutput",
    "Readout",
    "check_columns",
    "head_of",
    "log_probabilities",
    "margins",
    "noticed_task",
    "predicted_classes",
    "probabilities",
    "target_scores",
    "unknown_task",
]


class ExplainedOutput(Protocol):
    """An output as the engine sees it; :class:`xaiexp.plugin.Output` is one."""

    @property
    def name(self) -> str:
        """Its name in configs."""

    @property
    def own_scale(self) -> bool:
        """See :attr:`xaiexp.contract.kinds.Output.own_scale`."""

    def read(self, returned: Any) -> Tensor:
        """The head ``[B, K]`` in what the network returns."""

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """The scalars ``[B, K]``, in the graph if ``head`` is."""


@dataclass(frozen=True)
class _AsReturned:
    """The numbers that the network returns."""

    name: str = "logit"
    own_scale: bool = False

    def read(self, returned: Any) -> Tensor:
        """See :class:`ExplainedOutput`."""
        return head_of(returned)

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """See :class:`ExplainedOutput`."""
        return head


@dataclass(frozen=True)
class _Probability(_AsReturned):
    name: str = "probability"

    def scalars(self, head: Tensor, task: Task | None) -> Tensor:
        """See :class:`ExplainedOutput`."""
        return probabilities(head, task)


AS_RETURNED: ExplainedOutput = _AsReturned()
"""Explains the numbers that the network returns."""


@dataclass(frozen=True)
class Readout:
    """What is explained: an output, and the task of the network that it reads.

    Args:
        output: makes the scalars.
        task: what the numbers are that the network returns; None where it is not known.
    """

    output: ExplainedOutput = AS_RETURNED
    task: Task | None = None

    @property
    def name(self) -> str:
        """The name of the output, such as ``logit`` or ``probability``."""
        return self.output.name

    @property
    def as_returned(self) -> bool:
        """Whether the scalars are the numbers that the network returns."""
        own = {"probabilities": "probability", "log_probabilities": "log_probability"}.get(self.task or "")
        return self.name in ("logit", "value") or self.name == own

    @property
    def is_probability(self) -> bool:
        """Whether :attr:`bounded` gives probabilities, and not values in units of the output."""
        return self.task not in ("regression", "log_probabilities") and not self.output.own_scale

    @property
    def bounded(self) -> Readout:
        """What metrics of probabilities read: the probability of the target.

        Where the task has no probabilities (regression, outputs of dense heads) it is the explained scalar itself, in
        its own units. So it is for texts, whose probabilities may be of any magnitude: log-probabilities are read.
        """
        return Readout(_Probability(), self.task) if self.is_probability else self

    def scalars(self, head: Tensor) -> Tensor:
        """The scalars ``[B, K]`` of ``head [B, K]``, in the graph if it is."""
        return self.output.scalars(head, self.task)


PLAIN = Readout()
"""Explains the numbers that a network of an unknown task returns."""


def target_scores(head: Tensor, targets: Tensor, readout: Readout) -> Tensor:
    """The explained score of each row.

    Args:
        head: float ``[B, K]``, the numbers that the network returns.
        targets: int64 ``[B]``, column of the explained class.
        readout: what is explained.

    Returns:
        ``[B]``, in the graph if ``head`` is.
    """
    return readout.scalars(head).gather(1, targets.unsqueeze(1)).squeeze(1)


def probabilities(head: Tensor, task: Task | None) -> Tensor:
    """The probabilities ``[B, K]`` of what a network returns.

    The softmax over K logits (``multiclass``), the logistic function of each (``binary``, ``multilabel``), the
    numbers themselves (``probabilities``), or their exponentials (``log_probabilities``).

    Raises:
        MismatchError: the task is not known, or has no probabilities.
    """
    check_columns(head.shape[1], task)
    if task == "multiclass":
        return head.softmax(dim=1)
    if task in ("binary", "multilabel"):
        return head.sigmoid()
    if task == "probabilities":
        return head
    if task == "log_probabilities":
        return head.exp()
    raise unknown_task(head.shape[1]) if task is None else _undefined("probability", task)


def log_probabilities(head: Tensor, task: Task | None) -> Tensor:
    """The logarithms ``[B, K]`` of :func:`probabilities`, computed from the logits without underflow."""
    from torch.nn import functional

    check_columns(head.shape[1], task)
    if task == "multiclass":
        return functional.log_softmax(head, dim=1)
    if task in ("binary", "multilabel"):
        return functional.logsigmoid(head)
    if task == "probabilities":
        return head.clamp(min=_smallest(head)).log()
    if task == "log_probabilities":
        return head
    raise unknown_task(head.shape[1]) if task is None else _undefined("log_probability", task)


def margins(head: Tensor, task: Task | None) -> Tensor:
    """Each class against the best other one, ``[B, K]``: ``z_k - max_{j != k} z_j``.

    Of logits, or of probabilities where the network returns those. A single logit is the margin of class 1 against
    class 0; of a single probability p it is ``2 p - 1``.

    Raises:
        MismatchError: the task is not known, or its labels do not exclude each other.
    """
    check_columns(head.shape[1], task)
    if task is None:
        raise unknown_task(head.shape[1])
    if task not in ("multiclass", "binary", "probabilities"):
        raise _undefined("margin", task)
    if head.shape[1] == 1:
        return head if task == "binary" else 2 * head - 1
    best = head.topk(2, dim=1).values
    is_best = head == best[:, :1]
    return head - is_best.to(head.dtype) * best[:, 1:] - (~is_best).to(head.dtype) * best[:, :1]


def predicted_classes(head: Tensor, task: Task | None) -> Tensor:
    """The predicted class of each row, int64 ``[B]``.

    The largest number; a single logit above 0, or a single probability above 1/2, is class 1.

    Args:
        head: float ``[B, K]``.
        task: of the network; a single number of an unknown task counts as a logit.
    """
    if head.shape[1] == 1:
        return (head[:, 0] > (0.5 if task == "probabilities" else 0.0)).long()
    return head.argmax(dim=1)


def noticed_task(head: Tensor) -> Task | None:
    """The task that the numbers of some rows tell, float ``[B, K]``; None where they do not.

    Rows of several numbers in [0, 1] that sum to 1 are probabilities. Several numbers of which some lie outside of
    [0, 1] are taken for the logits of a softmax. A single number (a logit or a value), and numbers in [0, 1] that do
    not sum to 1 (labels or values), tell nothing.
    """
    if head.shape[1] == 1 or not len(head):
        return None
    tolerance = 1e-2 if head.element_size() < 4 else 1e-3
    inside = bool(((head >= -1e-6) & (head <= 1 + tolerance)).all())
    if inside and bool(((head.double().sum(dim=1) - 1).abs() <= tolerance).all()):
        return "probabilities"
    return None if inside else "multiclass"


def unknown_task(columns: int, needed_by: str = "") -> MismatchError:
    """The error of a request that needs to know what the K numbers of a network are."""
    several = columns > 1
    choices = ("multiclass", "multilabel", "probabilities", "regression") if several else ("binary", "regression")
    of = f"the {columns} numbers that the model returns are" if several else "the number that the model returns is"
    lines = [f"task={name}" for name in choices]
    if not several:
        lines.append("task=probabilities")
    return MismatchError(
        "task",
        f"it is not known what {of}" + (f", and {needed_by} needs to know" if needed_by else ""),
        hint=f"add {', '.join(lines[:-1])} or {lines[-1]}",
    )


def head_of(returned: Any) -> Tensor:
    """The numbers ``[B, K]`` or ``[B]`` in what a network returns.

    A tensor; the entry ``logits`` of a mapping or ``ModelOutput``; or the one tensor with one or two axes in a tuple or
    mapping.

    Raises:
        MismatchError: there is none, or more than one.
    """
    import torch

    if isinstance(returned, torch.Tensor):
        return _flat(returned)
    logits = returned.get("logits") if isinstance(returned, Mapping) else getattr(returned, "logits", None)
    if isinstance(logits, torch.Tensor):
        return _flat(logits)
    found = [tensor for tensor in _tensors(returned) if tensor.ndim in (1, 2) and tensor.is_floating_point()]
    if len(found) == 1:
        return found[0]
    what = f"{type(returned).__name__} with {len(found)} of them" if found else type(returned).__name__
    dense = any(tensor.ndim == 4 for tensor in _tensors(returned))
    hint = "for a segmentation head: output=segmentation" if dense else "wrap the model so that it returns its logits"
    raise MismatchError("model", "must return one tensor of scores [N, classes]", got=what, hint=hint)


def _flat(tensor: Tensor) -> Tensor:
    if tensor.ndim in (1, 2):
        return tensor
    hint = "for a segmentation head: output=segmentation" if tensor.ndim == 4 else "see xaiexp show output=segmentation"
    raise MismatchError("model", "must return scores [N, classes] or [N]", got=tuple(tensor.shape), hint=hint)


def _tensors(returned: Any) -> Iterator[Tensor]:
    import torch

    values: Sequence[Any] = ()
    if isinstance(returned, Mapping):
        values = tuple(returned.values())
    elif isinstance(returned, tuple | list):
        values = tuple(returned)
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value


def check_columns(columns: int, task: Task | None) -> None:
    """Check that a network with this task returns so many numbers a row.

    Raises:
        MismatchError: ``binary`` with several, ``multiclass`` with one.
    """
    if (task == "binary" and columns != 1) or (task == "multiclass" and columns == 1):
        wanted = "one logit" if task == "binary" else "one logit a class"
        raise MismatchError(
            "task",
            f"{task} means {wanted}; the model returns {columns} number{'s' if columns > 1 else ''}",
            hint=f"tasks: {', '.join(TASKS)}",
        )


def _undefined(output: str, task: Task) -> MismatchError:
    return MismatchError("output", f"{output} is not defined for the task {task}", hint="xaiexp plugins lists outputs")


def _smallest(head: Tensor) -> float:
    import torch

    return float(torch.finfo(head.dtype).tiny)
