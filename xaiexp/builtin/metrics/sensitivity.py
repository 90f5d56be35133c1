"""Maximum sensitivity (Yeh et al. 2019): how far attributions move when the input hardly does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.builtin.metrics.ranges import data_range
from xaiexp.draws import Draws
from xaiexp.passes import Handle
from xaiexp.types import Batch, Explanation

__all__ = ["largest_changes", "nearby"]


def nearby(model: Handle, batch: Batch, rng: Draws, radius: float, count: int) -> Iterator[Tensor]:
    """Points around the inputs, uniform in an L-infinity ball, in pieces ``[N, s, *shape]``.

    ``radius`` is relative to the range of the data; elements of no feature stay as they are.
    """
    reach = radius * data_range(batch) * batch.features.inside.unsqueeze(1)
    for samples in model.blocks(count):
        moves = rng.uniform("perturbation", batch.shape, samples).to(batch.inputs.dtype).mul_(2).sub_(1)
        yield batch.inputs.unsqueeze(1) + moves * reach


def largest_changes(
    model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws, radius: float, count: int
) -> Tensor:
    """``max_s ||phi(x_s) - phi(x)|| / ||phi(x)||`` of M explanations of N examples, ``[M, N]``; norms over features."""
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    at_hand = [(i, e, e.again) for i, e in enumerate(explanations) if e.again is not None]
    if at_hand:
        largest = torch.zeros_like(out)
        for points in nearby(model, batch, rng, radius, count):
            for i, explanation, again in at_hand:
                change = batch.features.pool(again(points)).double() - explanation.values.double().unsqueeze(1)
                largest[i] = torch.maximum(largest[i], change.norm(dim=2).amax(dim=1))
        for i, explanation, _ in at_hand:
            norm = explanation.values.double().norm(dim=1)
            out[i] = torch.where(norm > 0, largest[i] / norm, float("nan"))
    return out.to(batch.inputs.dtype)
