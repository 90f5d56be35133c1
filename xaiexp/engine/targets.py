"""Which class is explained, and whether model, labels and target go together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xaiexp.core.batches import Batch
from xaiexp.errors import MismatchError

__all__ = ["check", "check_labels", "chosen", "most", "table", "target_passes"]


Target = str | int | tuple[str | int, ...]


def _listed(target: Target) -> tuple[str | int, ...]:
    return target if isinstance(target, tuple) else (target,)


def most(target: Target, classes: int | None) -> int:
    """How many targets an example has at most."""
    if target == "all":
        return classes or 1
    return len(_listed(target))


def check(target: Target, classes: int | None, labelled: bool, dataset: str) -> None:
    """Whether there can be such a target; ``classes`` is None where only the first pass will tell.

    Raises:
        MismatchError: the index is no class of the model, or the data set has no labels to explain.
    """
    for each in _listed(target):
        if each == "label" and not labelled:
            raise MismatchError("target", f"is the label, and data set {dataset!r} has none", hint="target=predicted")
        if isinstance(each, int) and classes is not None and each >= classes:
            raise MismatchError("target", f"the model has {classes} classes, 0 to {classes - 1}", got=each)


def check_labels(
    dataset: str, class_names: Sequence[str], ids: Sequence[str], labels: Tensor | None, classes: int | None
) -> None:
    """Whether the data set's classes are the model's; a single output stands for two classes.

    Raises:
        MismatchError: another number of classes, or a label that is none of them.
    """
    if classes is None:
        return
    outputs = 2 if classes == 1 else classes
    where = f"dataset.{dataset}"
    if class_names and len(class_names) != outputs:
        raise MismatchError(where, f"has {len(class_names)} classes, and the model has {outputs}")
    if labels is not None and bool((labels >= outputs).any()):
        worst = int(labels.argmax())
        raise MismatchError(
            where,
            f"example {ids[worst]!r} has a label that none of the model's {outputs} classes is",
            got=int(labels[worst]),
        )


def chosen(target: str | int, batch: Batch, logits: Tensor) -> Tensor:
    """The classes ``[N]`` that are explained, given ``logits [N, classes]``.

    Raises:
        MismatchError: the label is wanted, and an example has none.
    """
    if target == "predicted" or logits.shape[1] == 1:
        return logits.argmax(dim=1)
    if target == "label":
        if batch.labels is None or bool((batch.labels < 0).any()):
            missing = batch.ids[0] if batch.labels is None else batch.ids[int(batch.labels.argmin())]
            raise MismatchError("target", f"is the label, and example {missing!r} has none", hint="target=predicted")
        return batch.labels
    return torch.full_like(logits[:, 0], int(target), dtype=torch.int64)


def target_passes(target: Target, batch: Batch, logits: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Which examples of a batch are explained for which class, target by target of the study.

    Args:
        target: one of the study's, several of them, or ``all`` classes.
        logits: ``[N, classes]``.

    Returns:
        For each target rows (int64 ``[M]``) and classes (int64 ``[M]``); an example whose class was explained
        for an earlier target is left out, and a target without any example too.

    Raises:
        MismatchError: the label is wanted, and an example has none.
    """
    wanted = range(logits.shape[1]) if target == "all" else _listed(target)
    seen = torch.zeros(logits.shape[0], max(1, logits.shape[1]), dtype=torch.bool, device=logits.device)
    out = []
    for each in wanted:
        classes = chosen(each, batch, logits)
        rows = (~seen.gather(1, classes.unsqueeze(1)).squeeze(1)).nonzero().squeeze(1)
        seen.scatter_(1, classes.unsqueeze(1), value=True)
        if len(rows):
            out.append((rows, classes[rows]))
    return out


def table(passes: Sequence[tuple[Tensor, Tensor]], count: int, device: torch.device) -> Tensor:
    """All classes that each example is explained for, int64 ``[count, passes]``; where there are fewer, some repeat."""
    out = torch.zeros(count, len(passes), dtype=torch.int64, device=device)
    out[:] = passes[0][1].unsqueeze(1)  # the first pass has every example
    for column, (rows, classes) in enumerate(passes):
        out[rows, column] = classes
    return out
