"""What a study explains: the task of its network, and the output that is read from it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from xaiexp.contract.kinds import Metric, Output
from xaiexp.contract.registry import installed
from xaiexp.core.vocabulary import TASKS, Task
from xaiexp.errors import MismatchError, ParameterError, nearest
from xaiexp.inference.outputs import Readout, check_columns, noticed_task, unknown_task

__all__ = ["default_output", "readout_of", "task_of"]


def task_of(
    given: Task | None, network: Task | None, data: Task | None, class_labels: bool, head: Tensor
) -> Task | None:
    """The task of a network, from where it is known.

    Args:
        given: by the user; decides.
        network: stated by the loaded network; None where it does not know.
        data: of the dataset (:attr:`xaiexp.core.samples.Source.task`); None for class labels, or none.
        class_labels: whether the dataset has class labels.
        head: float ``[N, K]``, what the network returns for some examples.

    Returns:
        None where nothing tells it.

    Raises:
        ParameterError: no such task.
        MismatchError: the task does not fit the number of columns.
    """
    if given is not None and given not in TASKS:
        raise ParameterError("task", "no such task", got=given, nearest=nearest(given, TASKS), hint=", ".join(TASKS))
    task = given or network or noticed_task(head)
    if given is None and network is None:
        columns, inside = head.shape[1], bool(((head >= 0) & (head <= 1)).all())
        if data == "regression" and (columns == 1 or task is None):
            task = "regression"
        elif data == "multilabel" and not inside:
            task = "multilabel"
        elif data is None and class_labels and columns == 1 and not inside:
            task = "binary"
    check_columns(head.shape[1], task)
    return task


def default_output(task: Task | None) -> Output:
    """The output that explains the numbers that a network returns."""
    own = {"regression": "value", "probabilities": "probability", "log_probabilities": "log_probability"}
    name = own.get(task or "", "logit")
    output: Output = installed().build("output", name, {})
    return output


def readout_of(output: Output | None, task: Task | None, columns: int, metrics: Mapping[str, Metric]) -> Readout:
    """What is explained, checked against what the components of a study need to know.

    Args:
        output: chosen by the user; None for the numbers as the network returns them.
        task: of the network; None where it is not known.
        columns: numbers that the network returns a row.
        metrics: of the study, by label.

    Raises:
        MismatchError: the output is not defined for the task, or something needs a task that is not known.
    """
    chosen = default_output(task) if output is None else output
    if task is not None and task not in chosen.tasks:
        fitting = [o.name for o in installed().classes("output") if task in getattr(o, "tasks", ())]
        raise MismatchError(
            "output",
            f"{chosen.name} is not defined for the task {task}",
            hint=f"outputs for it: {', '.join(fitting)}",
        )
    readout = Readout(chosen, task)
    if task is None and not chosen.own_scale:
        if chosen.name not in ("logit", "value"):
            raise unknown_task(columns, f"output={chosen.name}")
        for label, metric in metrics.items():
            if metric.reads_probability:
                raise unknown_task(columns, f"metric {label!r}")
    return readout
