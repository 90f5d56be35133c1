"""Which class is explained, and whether model, labels and target go together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xaiexp.errors import MismatchError
from xaiexp.types import Batch

__all__ = ["check", "check_labels", "chosen"]


def check(target: str | int, classes: int | None, labelled: bool, dataset: str) -> None:
    """Whether there can be such a target; ``classes`` is None where only the first pass will tell.

    Raises:
        MismatchError: the index is no class of the model, or the data set has no labels to explain.
    """
    if target == "label" and not labelled:
        raise MismatchError("target", f"is the label, and data set {dataset!r} has none", hint="target=predicted")
    if isinstance(target, int) and classes is not None and target >= classes:
        raise MismatchError("target", f"the model has {classes} classes, 0 to {classes - 1}", got=target)


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
