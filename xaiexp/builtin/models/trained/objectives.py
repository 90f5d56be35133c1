"""What networks are trained for, by the kind of labels: the loss, the units of the outputs, the held-out figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xaiexp.core.vocabulary import Task

__all__ = ["fold_units", "held_out_figures", "loss_of", "trained_targets", "value_units"]

_LABEL_SMOOTHING = 0.05


def loss_of(task: Task, outputs: Tensor, targets: Tensor) -> Tensor:
    """The loss of a minibatch, a scalar.

    Args:
        task: ``multiclass``: cross-entropy with label smoothing. ``multilabel``: the mean binary cross-entropy of a
            label. ``regression``: the mean squared error.
        outputs: of the network, ``[N, K]``; ``[N, 1]`` for values.
        targets: class indices int64 ``[N]``, labels float32 ``[N, K]`` of 0 and 1, or standardised values ``[N]``.
    """
    if task == "multilabel":
        return F.binary_cross_entropy_with_logits(outputs, targets)
    if task == "regression":
        return F.mse_loss(outputs[:, 0], targets)
    return F.cross_entropy(outputs, targets, label_smoothing=_LABEL_SMOOTHING)


def value_units(targets: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of values ``[N]``; 1 in place of the latter if they are all equal."""
    values = targets.double()
    return float(values.mean()), float(values.std(correction=0)) or 1.0


def trained_targets(task: Task, targets: Tensor) -> Tensor:
    """The targets that the loss is computed with: standardised values, or the labels themselves."""
    if task != "regression":
        return targets
    mean, std = value_units(targets)
    return ((targets.double() - mean) / std).float()


def fold_units(module: nn.Module, targets: Tensor) -> None:
    """Rescale the last layer, so that a network trained on standardised values returns them in their own unit.

    Args:
        module: its last submodule is a linear layer, ``[N, 1]``.
        targets: the values that it was trained on, ``[N]``.
    """
    mean, std = value_units(targets)
    last = cast("nn.Linear", list(module.modules())[-1])
    with torch.no_grad():
        last.weight.copy_(last.weight.double() * std)
        last.bias.copy_(last.bias.double() * std + mean)


def held_out_figures(task: Task, outputs: Tensor, targets: Tensor, names: Sequence[str] = ()) -> dict[str, object]:
    """How well a network predicts examples that it was not trained on; the first figure is the main one.

    ``held_out_accuracy``, the share of examples classified as their label; ``held_out_r2``, the coefficient of
    determination, and ``held_out_mae``, the mean absolute error in the unit of the target; or ``held_out_f1_macro``,
    the mean of the F1 scores of the labels, and ``held_out_f1``, these. Undefined figures are NaN: the F1 score of a
    label that no example has and none is given, R^2 of equal values; the mean is over the others.

    Args:
        task: ``multiclass``, ``regression`` or ``multilabel``.
        outputs: of the network, ``[N, K]``.
        targets: class indices ``[N]``, or ``[N, Q]`` of outputs ``[N, K, Q]``; values ``[N]`` in their own unit; or
            labels ``[N, K]``.
        names: of the labels.
    """
    if task == "regression":
        values, errors = targets.double(), (outputs[:, 0].double() - targets.double())
        spread = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
        r2 = 1 - float((errors**2).sum()) / spread if spread else math.nan
        return {"held_out_r2": r2, "held_out_mae": float(errors.abs().mean())}
    if task == "multilabel":
        given, true = outputs > 0, targets > 0.5
        hits, either = (given & true).sum(0), given.sum(0) + true.sum(0)
        f1 = torch.where(either > 0, 2 * hits.double() / either, math.nan)
        scores: Mapping[str, float] = dict(zip(names, f1.tolist(), strict=True))
        return {"held_out_f1_macro": float(f1.nanmean()), "held_out_f1": scores}
    correct = int((outputs.argmax(1) == targets).sum()) if len(targets) else 0
    return {"held_out_accuracy": correct / targets.numel() if len(targets) else math.nan}
