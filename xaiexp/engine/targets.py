"""Which classes are explained, and whether model, labels and targets fit together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from xaiexp.core.batches import Batch
from xaiexp.errors import MismatchError

__all__ = ["check_labels", "check_target", "max_targets", "target_classes", "target_passes", "target_table"]

Target = str | int | tuple[str | int, ...]
"""A target of a study: ``predicted``, ``label``, a class index, several of these, or ``all`` classes."""


def _listed(target: Target) -> tuple[str | int, ...]:
    return target if isinstance(target, tuple) else (target,)


def max_targets(target: Target, classes: int | None) -> int:
    """The largest number of classes that an example is explained for."""
    if target == "all":
        return classes or 1
    return len(_listed(target))


def check_target(target: Target, classes: int | None, has_labels: Callable[[], bool], dataset: str) -> None:
    """Check that the target exists.

    Args:
        target: of the study.
        classes: of the model; None where only the first pass can tell.
        has_labels: whether some example of the study has a label; called only where the target is the label.
        dataset: its name.

    Raises:
        MismatchError: the index is no class of the model, or the dataset has no labels to explain.
    """
    for each in _listed(target):
        if each == "label" and not has_labels():
            raise MismatchError("target", f"is the label, but dataset {dataset!r} has no labels", hint=_PREDICTED)
        if isinstance(each, int) and classes is not None and each >= classes:
            raise MismatchError("target", f"the model has {classes} classes, 0 to {classes - 1}", got=each)


def check_labels(
    dataset: str, class_names: Sequence[str], ids: Sequence[str], labels: Tensor | None, classes: int | None
) -> None:
    """Check that the classes of the dataset are those of the model; a single output stands for two classes.

    Args:
        dataset: its name.
        class_names: of the dataset, or empty.
        ids: of the examples.
        labels: int64 ``[N]``, or None.
        classes: outputs of the model; None where only the first pass can tell.

    Raises:
        MismatchError: the numbers of classes differ, or a label is none of the model's classes.
    """
    if classes is None:
        return
    outputs = 2 if classes == 1 else classes
    where = f"dataset.{dataset}"
    if class_names and len(class_names) != outputs:
        raise MismatchError(where, f"has {len(class_names)} classes; the model has {outputs}")
    if labels is not None and bool((labels >= outputs).any()):
        worst = int(labels.argmax())
        raise MismatchError(
            where,
            f"the label of example {ids[worst]!r} is none of the model's {outputs} classes",
            got=int(labels[worst]),
        )


def target_classes(target: str | int, batch: Batch, logits: Tensor) -> Tensor:
    """The class of each example that one target means.

    Args:
        target: ``predicted``, ``label`` or a class index.
        batch: N examples.
        logits: ``[N, classes]``.

    Returns:
        int64 ``[N]``.

    Raises:
        MismatchError: the target is the label, but an example has none.
    """
    if target == "predicted" or logits.shape[1] == 1:
        return logits.argmax(dim=1)
    if target == "label":
        if batch.labels is None or bool((batch.labels < 0).any()):
            missing = batch.ids[0] if batch.labels is None else batch.ids[int(batch.labels.argmin())]
            raise MismatchError("target", f"is the label, but example {missing!r} has no label", hint=_PREDICTED)
        return batch.labels
    return torch.full_like(logits[:, 0], int(target), dtype=torch.int64)


def target_passes(target: Target, batch: Batch, logits: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Which examples of a batch are explained for which class, target by target of the study.

    Args:
        target: of the study.
        batch: N examples.
        logits: ``[N, classes]``.

    Returns:
        For each target the rows (int64 ``[M]``) and their classes (int64 ``[M]``). Examples whose class was explained
        for an earlier target are left out, and so are targets without examples.

    Raises:
        MismatchError: a target is the label, but an example has none.
    """
    wanted = range(logits.shape[1]) if target == "all" else _listed(target)
    explained = torch.zeros(logits.shape[0], max(1, logits.shape[1]), dtype=torch.bool, device=logits.device)
    passes = []
    for each in wanted:
        classes = target_classes(each, batch, logits)
        rows = (~explained.gather(1, classes.unsqueeze(1)).squeeze(1)).nonzero().squeeze(1)
        explained.scatter_(1, classes.unsqueeze(1), value=True)
        if len(rows):
            passes.append((rows, classes[rows]))
    return passes


def target_table(passes: Sequence[tuple[Tensor, Tensor]], count: int, device: torch.device) -> Tensor:
    """All classes that each example is explained for.

    Args:
        passes: of :func:`target_passes`.
        count: examples.
        device: of the table.

    Returns:
        int64 ``[count, len(passes)]``; an example with fewer classes repeats some.
    """
    classes = torch.zeros(count, len(passes), dtype=torch.int64, device=device)
    classes[:] = passes[0][1].unsqueeze(1)  # the first pass has every example
    for column, (rows, chosen) in enumerate(passes):
        classes[rows, column] = chosen
    return classes


_PREDICTED = "target=predicted"
