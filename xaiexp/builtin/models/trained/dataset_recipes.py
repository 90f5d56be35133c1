"""Recipes of the networks that are trained on the study's own dataset: its examples, architectures and settings."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from xaiexp.builtin.models.tensor_encoding import as_tensor, describe_shape
from xaiexp.builtin.models.trained.training import Data, Recipe
from xaiexp.core.samples import LoadContext
from xaiexp.errors import MismatchError, ResourceError

__all__ = ["Examples", "read_training_part", "recipe_for", "series_cnn", "tabular_mlp"]

_FOLDS = 5
# From this number of examples on, one fold of five gives the accuracy to within a few hundredths.
_SINGLE_FOLD_FROM = 300


@dataclass(frozen=True)
class Examples:
    """The examples that a network is trained on, in data space.

    Args:
        inputs: float32 ``[N, *shape]``.
        labels: int64 ``[N]``.
        class_names: by class index.
        columns: distinct column names of a table, in order; empty for other data.
    """

    inputs: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    columns: tuple[str, ...]

    def digest(self) -> str:
        """A hash of inputs, labels and class names."""
        digest = hashlib.blake2b(repr((tuple(self.inputs.shape), self.class_names)).encode(), digest_size=16)
        digest.update(self.inputs.contiguous().numpy().tobytes())
        digest.update(self.labels.contiguous().numpy().tobytes())
        return digest.hexdigest()


def read_training_part(where: str, context: LoadContext, axes: int) -> Examples:
    """All examples of the training part of the study's dataset, checked.

    Args:
        where: the model, for messages.
        context: of the study.
        axes: number of axes of one input.

    Raises:
        MismatchError: the dataset has no training part, examples without labels or of different shapes, a label
            outside its classes, or fewer than two classes.
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
    samples = source.read(0, source.count)
    if not samples:
        raise MismatchError(where, "the training part of the dataset is empty")
    rows = [as_tensor(sample) for sample in samples]
    shape, classes = tuple(rows[0].shape), len(source.class_names)
    if len(shape) != axes:
        raise MismatchError(where, f"cannot be trained on {describe_shape(shape)}", got=samples[0].id)
    for sample, row in zip(samples, rows, strict=True):
        if tuple(row.shape) != shape:
            raise MismatchError(
                where,
                f"example {sample.id!r} does not have the shape {list(shape)} of the other examples",
                got=list(row.shape),
            )
        if not bool(row.isfinite().all()):
            raise ResourceError(where, "cannot be trained on NaN or infinite values", got=sample.id)
        if sample.label is None:
            raise MismatchError(where, f"example {sample.id!r} of the training part has no label")
        if not isinstance(sample.label, int) or sample.label < 0 or (classes and sample.label >= classes):
            valid = f"an index of one of the {classes} classes" if classes else "a class index"
            raise MismatchError(where, f"the label of example {sample.id!r} is not {valid}", got=sample.label)
    labels = torch.tensor([sample.label for sample in samples])
    if int(labels.min()) == int(labels.max()):
        raise MismatchError(where, "the training part of the dataset contains only one class", got=int(labels[0]))
    names = source.class_names or tuple(str(i) for i in range(int(labels.max()) + 1))
    return Examples(torch.stack(rows), labels, names, tuple(dict.fromkeys(source.columns or source.feature_names)))


def _standardised(examples: Examples) -> Data:
    """The examples standardised per column or channel; constant columns are only centred."""
    axes = (0, *range(2, examples.inputs.ndim))
    mean = examples.inputs.mean(axes, keepdim=True)[0]
    std = examples.inputs.std(axes, correction=0, keepdim=True)[0]
    std = torch.where(std > 1e-6 * mean.abs().clamp_min(1e-30), std, 1.0)
    return Data((examples.inputs - mean) / std, examples.labels, None, None, {"mean": mean, "std": std})


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
    )


def tabular_mlp(features: int, classes: int, hidden: tuple[int, ...]) -> nn.Module:
    """Linear layers with ReLUs between them; every ReLU is a module of its own."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    widths = (features, *hidden)
    for i, (before, after) in enumerate(itertools.pairwise(widths), start=1):
        layers[f"linear{i}"] = nn.Linear(before, after)
        layers[f"relu{i}"] = nn.ReLU()
    layers[f"linear{len(widths)}"] = nn.Linear(widths[-1], classes)
    return nn.Sequential(layers)


def series_cnn(channels: int, classes: int, width: int) -> nn.Module:
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
            linear=nn.Linear(2 * width, classes),
        )
    )
