"""Relative stability (Agarwal et al. 2022): attribution change per change of input, output or representation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from xaiexp.builtin.metrics.robustness.sensitivity_formulas import nearby_points
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.inference.block import Block
from xaiexp.inference.outputs import predicted_classes
from xaiexp.inference.passes import Handle

__all__ = ["Against", "relative_changes", "relative_norm"]

Against = Literal["input", "output", "representation"]


def relative_norm(change: Tensor, values: Tensor, floor: float) -> Tensor:
    """``||change / values||``, float64 ``[N, S]``: the Euclidean norm of a change relative to the original values.

    Args:
        change: ``[N, S, k]``.
        values: ``[N, k]``. Magnitudes below ``floor`` times the largest of their row are raised to it. NaN for a row of
            zeros or of length 0.

    >>> relative_norm(torch.tensor([[[3.0, 1.0]]]), torch.tensor([[1.0, 0.0]]), 0.25).tolist()
    [[5.0]]
    """
    if not values.shape[1]:
        return change.new_full(change.shape[:2], float("nan"), dtype=torch.float64)
    size = values.double().abs()
    largest = size.amax(dim=1, keepdim=True)
    size = torch.where(largest > 0, torch.maximum(size, floor * largest), float("nan"))
    relative: Tensor = (change.double() / size.unsqueeze(1)).norm(dim=2)
    return relative


def relative_changes(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    radius: float,
    count: int,
    epsilon: float,
    floor: float,
    against: Against,
) -> Tensor:
    """``max_s ||(phi(x_s) - phi(x)) / phi(x)|| / max(distance_s, epsilon)`` of M explanations, ``[M, N]``.

    The maximum is over the points near x with the same predicted class. The distance is ``||(x_s - x) / x||`` (input),
    ``||h(x_s) - h(x)||`` of the logits (output) or ``||(L(x_s) - L(x)) / L(x)||`` of the penultimate layer
    (representation). Denominators of ratios have a ``floor``, see :func:`relative_norm`. NaN for maps of zeros, where
    an explanation's method is not available and where no point keeps the class.
    """
    out = batch.inputs.new_full((len(explanations), len(batch)), -torch.inf, dtype=torch.float64)
    available = [(i, e, e.explain_perturbed) for i, e in enumerate(explanations) if e.explain_perturbed is not None]
    if available:
        distance_to = _distance(model, batch, against, floor)
        task = model.output.task
        predicted = predicted_classes(model.logits(), task)
        for points in nearby_points(model, batch, rng, radius, count):
            logits = model.apply(_logits, points)
            classes = predicted_classes(logits.flatten(0, 1), task).view(logits.shape[:2])
            same_class = (classes == predicted.unsqueeze(1)) | (task == "regression")
            distance = distance_to(points, logits).clamp(min=epsilon)
            for i, explanation, explain_perturbed in available:
                change = explanation.features.pool(explain_perturbed(points)) - explanation.values.unsqueeze(1)
                ratio = relative_norm(change, explanation.values, floor) / distance
                out[i] = torch.maximum(out[i], ratio.masked_fill(~same_class, -torch.inf).amax(dim=1))
    return out.masked_fill(out == -torch.inf, float("nan")).to(batch.inputs.dtype)


@torch.no_grad()
def _logits(block: Block) -> Tensor:
    return block.logits(block.rows)


def _distance(model: Handle, batch: Batch, against: Against, floor: float) -> Callable[[Tensor, Tensor], Tensor]:
    """A function of points ``[N, s, *shape]`` and logits ``[N, s, classes]`` to distances ``[N, s]``."""
    if against == "input":
        inputs = batch.inputs.flatten(1)
        return lambda points, _: relative_norm(points.flatten(2) - inputs.unsqueeze(1), inputs, floor)
    if against == "output":
        input_logits = model.logits().unsqueeze(1)
        return lambda _, logits: (logits - input_logits).double().norm(dim=2)
    hidden = model.hidden()
    return lambda points, _: relative_norm(model.hidden(points) - hidden.unsqueeze(1), hidden, floor)
