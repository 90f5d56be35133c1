"""Networks trained on the spot, on whatever labelled data set a study has: what they are trained on, and how."""

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

from xaiexp.builtin.models.encoding import as_tensor, words_for
from xaiexp.builtin.models.training import Data, Recipe
from xaiexp.core.samples import LoadContext
from xaiexp.errors import MismatchError, ResourceError

__all__ = ["Examples", "mlp", "read_training", "recipe_for", "series_network"]

_FOLDS = 5
# From so many examples on, a fifth of them tells the accuracy to within some hundredths.
_ENOUGH = 300


@dataclass(frozen=True)
class Examples:
    """What a network is trained on, in data space.

    Args:
        inputs: float32 ``[N, *shape]``.
        labels: int64 ``[N]``.
        class_names: by class index.
        columns: of a table, once each, in order; empty elsewhere.
    """

    inputs: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    columns: tuple[str, ...]

    def digest(self) -> str:
        """Equal for equal content."""
        told = hashlib.blake2b(repr((tuple(self.inputs.shape), self.class_names)).encode(), digest_size=16)
        told.update(self.inputs.contiguous().numpy().tobytes())
        told.update(self.labels.contiguous().numpy().tobytes())
        return told.hexdigest()


def read_training(where: str, context: LoadContext, axes: int) -> Examples:
    """All of the data set's training part.

    Args:
        where: the model, for messages.
        context: of the study.
        axes: how many one input has.

    Raises:
        MismatchError: the data set has no training part, examples without labels or of unlike shapes, a label that
            is none of its classes, fewer than two classes.
        ResourceError: a value that is not finite.
    """
    source = context.training() if context.training is not None else None
    if source is None:
        raise MismatchError(
            where,
            "is trained on the study's own data set, and this one has no training part",
            hint="dataset=csv and dataset=time_series have one where held_out is below 1 and there are labels; "
            "for a network of your own, model=factory",
        )
    samples = source.read(0, source.count)
    if not samples:
        raise MismatchError(where, "the training part of the data set holds no examples")
    rows = [as_tensor(sample) for sample in samples]
    shape, classes = tuple(rows[0].shape), len(source.class_names)
    if len(shape) != axes:
        raise MismatchError(where, f"cannot be trained on {words_for(shape)}", got=samples[0].id)
    for sample, row in zip(samples, rows, strict=True):
        if tuple(row.shape) != shape:
            raise MismatchError(
                where, f"example {sample.id!r} is not of the shape {list(shape)} of the others", got=list(row.shape)
            )
        if not bool(row.isfinite().all()):
            raise ResourceError(where, "cannot be trained on NaN or infinite values", got=sample.id)
        if sample.label is None:
            raise MismatchError(where, f"example {sample.id!r} of the training part has no label")
        if sample.label < 0 or (classes and sample.label >= classes):
            of = f" of the {classes} classes" if classes else " of a class"
            raise MismatchError(where, f"example {sample.id!r} has a label that is no index{of}", got=sample.label)
    labels = torch.tensor([sample.label for sample in samples])
    if int(labels.min()) == int(labels.max()):
        raise MismatchError(where, "the training part of the data set holds one class", got=int(labels[0]))
    names = source.class_names or tuple(str(i) for i in range(int(labels.max()) + 1))
    return Examples(torch.stack(rows), labels, names, tuple(dict.fromkeys(source.columns or source.feature_names)))


def _data(examples: Examples) -> Data:
    """Standardised by column (channel), as the training part has them; what is constant is only shifted."""
    axes = (0, *range(2, examples.inputs.ndim))
    mean = examples.inputs.mean(axes, keepdim=True)[0]
    std = examples.inputs.std(axes, correction=0, keepdim=True)[0]
    std = torch.where(std > 1e-6 * mean.abs().clamp_min(1e-30), std, 1.0)
    return Data((examples.inputs - mean) / std, examples.labels, None, None, {"mean": mean, "std": std})


def recipe_for(
    examples: Examples, build: Callable[[], nn.Module], steps: int, batch: int, rate: float, decay: float
) -> Recipe:
    """A recipe of about as many steps, whatever the number of examples.

    Args:
        examples: to train on.
        build: the untrained network.
        steps: of the optimiser, about; at least one pass over the examples.
        batch: examples a step, at most a quarter of all but 8 at least.
        rate, decay: of :func:`xaiexp.builtin.models.training.fit`.
    """
    count = len(examples.labels)
    batch = min(batch, max(8, count // 4))
    epochs = max(1, round(steps / math.ceil(count / batch)))
    folds = min(_FOLDS, count)
    return Recipe(
        build, partial(_data, examples), epochs, batch, rate, decay, folds, tested_folds=folds if count < _ENOUGH else 1
    )


def mlp(features: int, classes: int, hidden: tuple[int, ...]) -> nn.Module:
    """Linear layers with ReLUs between them, every ReLU a module of its own."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    widths = (features, *hidden)
    for i, (before, after) in enumerate(itertools.pairwise(widths), start=1):
        layers[f"linear{i}"] = nn.Linear(before, after)
        layers[f"relu{i}"] = nn.ReLU()
    layers[f"linear{len(widths)}"] = nn.Linear(widths[-1], classes)
    return nn.Sequential(layers)


def series_network(channels: int, classes: int, width: int) -> nn.Module:
    """Three convolutions over time, their average over time, and one linear layer (after Wang et al. 2017)."""
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
