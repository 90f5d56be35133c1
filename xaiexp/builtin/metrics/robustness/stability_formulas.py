"""Relative stability (Agarwal et al. 2022): change of the attributions against change of input, output or inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from xaiexp.builtin.metrics.robustness.sensitivity_formulas import nearby
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.inference.block import Block
from xaiexp.inference.passes import Handle

__all__ = ["Against", "relative_changes", "relative_size"]

Against = Literal["input", "output", "representation"]


def relative_size(change: Tensor, of: Tensor, floor: float) -> Tensor:
    """``||change / of||``, float64 ``[N, S]``: the Euclidean norm of what changed relative to what was there.

    Args:
        change: ``[N, S, k]``.
        of: ``[N, k]``. Numbers smaller than ``floor`` times the largest of their row count as that much; a row
            of zeros, or of nothing, has no relative change, NaN.

    >>> relative_size(torch.tensor([[[3.0, 1.0]]]), torch.tensor([[1.0, 0.0]]), 0.25).tolist()
    [[5.0]]
    """
    if not of.shape[1]:
        return change.new_full(change.shape[:2], float("nan"), dtype=torch.float64)
    size = of.double().abs()
    top = size.amax(dim=1, keepdim=True)
    size = torch.where(top > 0, torch.maximum(size, floor * top), float("nan"))
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

    Over the points near x with the same predicted class. The distance is ``||(x_s - x) / x||`` (input),
    ``||h(x_s) - h(x)||`` of the logits (output) or ``||(L(x_s) - L(x)) / L(x)||`` of the penultimate layer
    (representation); what a ratio is taken to has a ``floor``, see :func:`relative_size`. NaN for maps of zeros,
    where the method is not at hand and where no point keeps the class.
    """
    out = batch.inputs.new_full((len(explanations), len(batch)), -torch.inf, dtype=torch.float64)
    at_hand = [(i, e, e.explain_perturbed) for i, e in enumerate(explanations) if e.explain_perturbed is not None]
    if at_hand:
        distance = _distance(model, batch, against, floor)
        predicted = model.logits().argmax(dim=1, keepdim=True)
        for points in nearby(model, batch, rng, radius, count):
            logits = model.apply(_logits, points)
            same = logits.argmax(dim=2) == predicted
            way = distance(points, logits).clamp(min=epsilon)
            for i, explanation, again in at_hand:
                change = explanation.features.pool(again(points)) - explanation.values.unsqueeze(1)
                ratio = relative_size(change, explanation.values, floor) / way
                out[i] = torch.maximum(out[i], ratio.masked_fill(~same, -torch.inf).amax(dim=1))
    return out.masked_fill(out == -torch.inf, float("nan")).to(batch.inputs.dtype)


@torch.no_grad()
def _logits(block: Block) -> Tensor:
    return block.logits(block.rows)


def _distance(model: Handle, batch: Batch, against: Against, floor: float) -> Callable[[Tensor, Tensor], Tensor]:
    """From points ``[N, s, *shape]`` and the logits there ``[N, s, classes]`` to their distances ``[N, s]``."""
    if against == "input":
        start = batch.inputs.flatten(1)
        return lambda points, _: relative_size(points.flatten(2) - start.unsqueeze(1), start, floor)
    if against == "output":
        own = model.logits().unsqueeze(1)
        return lambda _, logits: (logits - own).double().norm(dim=2)
    inside = model.hidden()
    return lambda points, _: relative_size(model.hidden(points) - inside.unsqueeze(1), inside, floor)
