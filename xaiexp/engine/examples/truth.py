"""The labels of samples as tensors: classes, sets of labels, or values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from xaiexp.core.samples import Sample
from xaiexp.core.vocabulary import Task
from xaiexp.engine.examples.class_names import Alignment
from xaiexp.errors import MismatchError

__all__ = ["Truth", "aligned", "check_labels", "class_labels", "has_label", "truth_of"]


@dataclass(frozen=True)
class Truth:
    """The labels of a batch; see :class:`xaiexp.core.batches.Batch` for the fields."""

    labels: Tensor | None = None
    label_sets: Tensor | None = None
    true_values: Tensor | None = None


def aligned(samples: Sequence[Sample], alignment: Alignment) -> list[Sample]:
    """The samples with their class labels as columns of the model."""
    if not alignment.columns:
        return list(samples)
    return [replace(sample, label=_column(sample.label, alignment)) for sample in samples]


def _column(label: Any, alignment: Alignment) -> Any:
    if isinstance(label, tuple):
        return tuple(alignment.column(each) for each in label)
    return label if label is None or isinstance(label, float) else alignment.column(int(label))


def has_label(sample: Sample) -> bool:
    """Whether a sample has a label that can be explained; an empty set of labels is none."""
    return sample.label is not None and sample.label != ()


def check_labels(dataset: str, samples: Sequence[Sample], classes: int | None) -> None:
    """Check that class labels, one or several a sample, are classes of the model; a single output stands for two.

    Args:
        dataset: its name.
        samples: aligned.
        classes: outputs of the model; None where only the first pass can tell.

    Raises:
        MismatchError: a label is none of the model's classes.
    """
    if classes is None:
        return
    outputs = 2 if classes == 1 else classes
    for sample in samples:
        labels = sample.label if isinstance(sample.label, tuple) else (sample.label,)
        for label in labels:
            if label is not None and not isinstance(label, float) and label >= outputs:
                raise MismatchError(
                    f"dataset.{dataset}",
                    f"the label of example {sample.id!r} is none of the model's {outputs} classes",
                    got=int(label),
                )


def class_labels(samples: Sequence[Sample], task: Task | None) -> Tensor | None:
    """int64 ``[N]``, -1 where unknown; None where no sample has a label, or where labels are no single classes."""
    if task in ("multilabel", "regression") or all(sample.label is None for sample in samples):
        return None
    return torch.tensor([-1 if sample.label is None else int(sample.label) for sample in samples])  # type: ignore[arg-type]  # no tuples here


def truth_of(samples: Sequence[Sample], task: Task | None, outputs: int) -> Truth:
    """The labels of a batch.

    Args:
        samples: N of them, aligned.
        task: what their labels are, see :attr:`xaiexp.core.samples.Source.task`.
        outputs: K, columns of the model.
    """
    if all(sample.label is None for sample in samples):
        return Truth()
    if task == "regression":
        values = [math.nan if sample.label is None else float(sample.label) for sample in samples]  # type: ignore[arg-type]  # no tuples here
        return Truth(true_values=torch.tensor(values, dtype=torch.float32))
    if task == "multilabel":
        sets = torch.zeros(len(samples), outputs, dtype=torch.bool)
        for i, sample in enumerate(samples):
            if isinstance(sample.label, tuple):
                sets[i, list(sample.label)] = True
        return Truth(label_sets=sets)
    return Truth(labels=class_labels(samples, task))
