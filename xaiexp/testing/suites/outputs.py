"""The checks of outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from xaiexp.contract.kinds import Output
from xaiexp.core.vocabulary import TASKS, Task
from xaiexp.errors import UserError
from xaiexp.testing.assertions import require
from xaiexp.testing.definition import CheckSuite, NotApplicable

__all__ = ["SUITE"]

SUITE = CheckSuite("output")

_ROWS, _CLASSES = 4, 3


def _returned() -> list[Any]:
    """What networks return for a batch of 4 rows: logits, maps of classes, detections, scores of texts."""
    generator = torch.Generator().manual_seed(5)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0], [2.0, 1.0, 6.0, 7.0], [1.0, 3.0, 3.0, 5.0]])
    found = [{"boxes": boxes, "labels": torch.tensor([0, 1, 1]), "scores": normal(3).sigmoid()} for _ in range(_ROWS)]
    texts = {"logits": normal(_ROWS, _CLASSES), "tokens": torch.full((_ROWS, _CLASSES), 2.0)}
    return [normal(_ROWS, _CLASSES), {"out": normal(_ROWS, _CLASSES, 5, 5)}, found, texts]


def _head_of_task(head: Tensor, task: Task) -> Tensor:
    """Numbers that a network of a task may return."""
    numbers = {"binary": head[:, :1], "probabilities": head.softmax(dim=1), "log_probabilities": -head.abs()}
    return numbers.get(task, head)


def _heads(output: Output) -> Iterator[tuple[Task, Tensor]]:
    """For every stated task, the numbers that are read from the first of the test networks that the output reads."""
    for returned in _returned():
        try:
            head = output.read(returned)
        except UserError:
            continue
        break
    else:
        raise NotApplicable("it reads none of the test networks: logits, maps of classes, detections and texts")
    for task in output.tasks:
        yield task, head if output.own_scale else _head_of_task(head, task)


@SUITE.register(of_values=False)
def tasks(output: Output) -> None:
    """`tasks` names one task or more, all of them of the vocabulary."""
    require(bool(output.tasks), "tasks is empty")
    unknown = sorted(set(output.tasks) - set(TASKS))
    require(not unknown, f"tasks contains {unknown}; known: {', '.join(TASKS)}")


@SUITE.register(after=("tasks",))
def scalars_shape(output: Output) -> None:
    """The scalars have the shape of the numbers that the network returns, and are floats."""
    for task, head in _heads(output):
        got = output.scalars(head, task)
        require(got.shape == head.shape, f"returned {list(got.shape)} for {list(head.shape)} (task {task})")
        require(got.is_floating_point(), f"returned {got.dtype} (task {task})")


@SUITE.register(after=("scalars_shape",))
def differentiable(output: Output) -> None:
    """The scalars depend on the numbers that the network returns through differentiable operations."""
    for task, head in _heads(output):
        leaf = head.detach().clone().requires_grad_()
        scalars = output.scalars(leaf, task)
        require(scalars.requires_grad, f"has no gradient (task {task})")
        (gradient,) = torch.autograd.grad(scalars[:, 0].sum(), leaf)
        require(bool((gradient != 0).any()), f"has a gradient of 0 (task {task})")


@SUITE.register(after=("scalars_shape",))
def batch_mates(output: Output) -> None:
    """The scalars of a row do not depend on the other rows."""
    for task, head in _heads(output):
        together = output.scalars(head.clone(), task)
        for row in range(len(head)):
            alone = output.scalars(head[row : row + 1].clone(), task)
            same = torch.allclose(alone[0], together[row], rtol=1e-5, atol=1e-6, equal_nan=True)
            require(same, f"row {row} alone has other scalars than in the full batch (task {task})")


@SUITE.register(after=("scalars_shape",))
def inputs_unchanged(output: Output) -> None:
    """The numbers that the network returns are not changed in place."""
    for task, head in _heads(output):
        before = head.clone()
        output.scalars(head, task)
        require(torch.equal(before, head), f"changed its argument (task {task})")


@SUITE.register(after=("tasks",))
def other_tasks(output: Output) -> None:
    """A task that is not among `tasks` is refused with a `UserError`."""
    for task in TASKS:
        # Outputs of probabilities that were written before language models existed take their numbers, too; a study
        # refuses the combination by the fact alone.
        if task in output.tasks or task == "log_probabilities":
            continue
        head = _head_of_task(_returned()[0], task)
        try:
            output.scalars(head, task)
        except UserError:
            continue
        require(False, f"returned scalars for the task {task}, which it does not state")
