"""Recipes of the networks that are trained on the study's own dataset: its examples, architectures and settings."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xaiexp.builtin.models.tensor_encoding import as_tensor, describe_shape
from xaiexp.builtin.models.trained.training import Data, Recipe
from xaiexp.core.samples import LoadContext, Sample, Source
from xaiexp.core.vocabulary import Task
from xaiexp.errors import MismatchError, ResourceError

__all__ = ["Examples", "read_training_part", "recipe_for", "series_cnn", "tabular_mlp"]

# The samples are read in pieces, so that those of a large table are not all in memory at once.
_READ_AT_ONCE = 4096
_FOLDS = 5
# From this number of examples on, one fold of five gives the accuracy to within a few hundredths.
_SINGLE_FOLD_FROM = 300


@dataclass(frozen=True)
class Examples:
    """The examples that a network is trained on, in data space.

    Args:
        inputs: float32 ``[N, *shape]``.
        labels: class indices int64 ``[N]``; values float32 ``[N]``; or 0 and 1 for K labels, float32 ``[N, K]``.
        class_names: by class index (of the labels of a multi-label task); empty for values.
        columns: distinct column names of a table, in order; empty for other data.
        task: ``multiclass``, ``regression`` or ``multilabel``.
    """

    inputs: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    columns: tuple[str, ...]
    task: Task = "multiclass"

    @property
    def outputs(self) -> int:
        """The number of outputs of a network."""
        return 1 if self.task == "regression" else len(self.class_names)

    def digest(self) -> str:
        """A hash of inputs, labels, class names and task."""
        what: tuple[object, ...] = (tuple(self.inputs.shape), self.class_names)
        if self.task != "multiclass":
            what += (self.task,)
        digest = hashlib.blake2b(repr(what).encode(), digest_size=16)
        digest.update(self.inputs.contiguous().numpy().data)
        digest.update(self.labels.contiguous().numpy().data)
        return digest.hexdigest()


def read_training_part(where: str, context: LoadContext, axes: int) -> Examples:
    """All examples of the training part of the study's dataset, checked.

    Args:
        where: the model, for messages.
        context: of the study.
        axes: number of axes of one input.

    Raises:
        MismatchError: the dataset has no training part, examples without labels or of different shapes, a label that
            is not of the dataset's task or outside its classes, or the same label for all examples.
        ResourceError: a value is not finite.
    """
    source = context.training() if context.training is not None else None
    if source is None:
        raise MismatchError(
            where,
            "is trained on the dataset of the study, which has no training part",
            hint="dataset=csv and dataset=time_series have one if held_out is below 1 and there are labels; "
            "for a network of your own, use model=factory",
        )
    if source.count < 1:
        raise MismatchError(where, "the training part of the dataset is empty")
    inputs, labels = torch.empty(0), []
    for start in range(0, source.count, _READ_AT_ONCE):
        samples = source.read(start, min(source.count, start + _READ_AT_ONCE))
        rows = _stacked_inputs(where, samples, axes, tuple(inputs.shape[1:]) if start else None)
        if not start:
            inputs = torch.empty((source.count, *rows.shape[1:]))
        inputs[start : start + len(rows)] = rows
        labels += [_checked_label(where, sample, source) for sample in samples]
    if all(label == labels[0] for label in labels):
        only = "only one value" if source.task == "regression" else "only one class"
        got = list(labels[0]) if isinstance(labels[0], tuple) else labels[0]
        raise MismatchError(where, f"the training part of the dataset contains {only}", got=got)
    columns = tuple(dict.fromkeys(source.columns or source.feature_names))
    if source.task == "regression":
        return Examples(inputs, torch.tensor(labels, dtype=torch.float32), (), columns, "regression")
    if source.task == "multilabel":
        names = source.class_names or _numbered(max(index for label in labels for index in label))
        truth = torch.zeros(len(labels), len(names))
        for row, label in enumerate(labels):
            truth[row, list(label)] = 1
        return Examples(inputs, truth, names, columns, "multilabel")
    return Examples(inputs, torch.tensor(labels), source.class_names or _numbered(max(labels)), columns)


def _numbered(largest: int) -> tuple[str, ...]:
    """Class names up to this index."""
    return tuple(str(i) for i in range(largest + 1))


def _stacked_inputs(where: str, samples: Sequence[Sample], axes: int, expected: tuple[int, ...] | None) -> Tensor:
    """The inputs of samples, float32 ``[N, *shape]``, all of the expected shape, or that of the first."""
    rows = [as_tensor(sample) for sample in samples]
    shape = tuple(rows[0].shape) if expected is None else expected
    if len(shape) != axes:
        raise MismatchError(where, f"cannot be trained on {describe_shape(shape)}", got=samples[0].id)
    for sample, row in zip(samples, rows, strict=True):
        if row.shape != shape:
            raise MismatchError(
                where,
                f"example {sample.id!r} does not have the shape {list(shape)} of the other examples",
                got=list(row.shape),
            )
    stacked = torch.stack(rows)
    finite = np.isfinite(stacked.numpy())
    if not finite.all():
        bad = int(finite.reshape(len(samples), -1).all(1).argmin())
        raise ResourceError(where, "cannot be trained on NaN or infinite values", got=samples[bad].id)
    return stacked


def _checked_label(where: str, sample: Sample, source: Source) -> Any:
    """The label of a sample, of the type that the task of its dataset requires."""
    label, classes = sample.label, len(source.class_names)
    if source.task is None and type(label) is int and label >= 0 and (not classes or label < classes):
        return label
    if label is None:
        raise MismatchError(where, f"example {sample.id!r} of the training part has no label")
    if source.task == "regression":
        if isinstance(label, int | float) and math.isfinite(label):
            return float(label)
        valid = "a finite number"
    else:
        indices = label if isinstance(label, tuple) else (label,)
        is_index = all(isinstance(i, int) and i >= 0 and not (classes and i >= classes) for i in indices)
        if is_index and isinstance(label, tuple) == (source.task == "multilabel"):
            return label
        valid = f"an index of one of the {classes} classes" if classes else "a class index"
        valid = f"a tuple, each {valid}" if source.task == "multilabel" else valid
    raise MismatchError(where, f"the label of example {sample.id!r} is not {valid}", got=label)


def _standardised(examples: Examples) -> Data:
    """The examples standardised per column or channel; constant columns are only centred."""
    axes = (0, *range(2, examples.inputs.ndim))
    mean = examples.inputs.mean(axes, keepdim=True)[0]
    std = examples.inputs.std(axes, correction=0, keepdim=True)[0]
    std = torch.where(std > 1e-6 * mean.abs().clamp_min(1e-30), std, 1.0)
    return Data((examples.inputs - mean).div_(std), examples.labels, None, None, {"mean": mean, "std": std})


def recipe_for(
    examples: Examples, build: Callable[[], nn.Module], steps: int, batch: int, rate: float, decay: float
) -> Recipe:
    """A recipe with about the given number of optimiser steps.

    Args:
        examples: to train on.
        build: makes the untrained network.
        steps: approximate number of optimiser steps; at least one epoch is trained.
        batch: batch size, reduced to a quarter of the examples (but not below 8) for small data.
        rate, decay: learning rate and weight decay of :func:`xaiexp.builtin.models.trained.training.fit`.
    """
    count = len(examples.labels)
    batch = min(batch, max(8, count // 4))
    epochs = max(1, round(steps / math.ceil(count / batch)))
    folds = min(_FOLDS, count)
    return Recipe(
        build,
        partial(_standardised, examples),
        epochs,
        batch,
        rate,
        decay,
        folds,
        tested_folds=folds if count < _SINGLE_FOLD_FROM else 1,
        task=examples.task,
        names=examples.class_names if examples.task == "multilabel" else (),
    )


def tabular_mlp(features: int, outputs: int, hidden: tuple[int, ...]) -> nn.Module:
    """Linear layers with ReLUs between them; every ReLU is a module of its own."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    widths = (features, *hidden)
    for i, (before, after) in enumerate(itertools.pairwise(widths), start=1):
        layers[f"linear{i}"] = nn.Linear(before, after)
        layers[f"relu{i}"] = nn.ReLU()
    layers[f"linear{len(widths)}"] = nn.Linear(widths[-1], outputs)
    return nn.Sequential(layers)


def series_cnn(channels: int, outputs: int, width: int) -> nn.Module:
    """Three convolutions over time, global average pooling and one linear layer (after Wang et al. 2017)."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv1d(channels, width, 7, padding=3),
            relu1=nn.ReLU(),
            conv2=nn.Conv1d(width, 2 * width, 5, padding=2),
            relu2=nn.ReLU(),
            conv3=nn.Conv1d(2 * width, 2 * width, 3, padding=1),
            relu3=nn.ReLU(),
            pool=nn.AdaptiveAvgPool1d(1),
            flatten=nn.Flatten(),
            linear=nn.Linear(2 * width, outputs),
        )
    )
