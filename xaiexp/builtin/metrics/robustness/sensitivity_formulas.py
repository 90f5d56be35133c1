"""How far attributions move when the input hardly does: absolutely, relatively, per unit of input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.builtin.data_range import data_range
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = ["largest_changes", "nearby", "steepest_changes"]


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
    largest = _largest(model, batch, explanations, rng, radius, count, steepness=False)
    norms = torch.stack([e.values.double().norm(dim=1) for e in explanations])
    return torch.where(norms > 0, largest / norms, float("nan")).to(batch.inputs.dtype)


def steepest_changes(
    model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws, radius: float, count: int
) -> Tensor:
    """``max_s ||phi(x_s) - phi(x)|| / ||x_s - x||`` of M explanations of N examples, ``[M, N]``.

    The upper norm is over features, the lower one over elements. NaN for a map of zeros.
    """
    steepest = _largest(model, batch, explanations, rng, radius, count, steepness=True)
    empty = torch.stack([~(e.values != 0).any(dim=1) for e in explanations])
    return steepest.masked_fill(empty, float("nan")).to(batch.inputs.dtype)


def _largest(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    radius: float,
    count: int,
    steepness: bool,
) -> Tensor:
    """The largest norm of a change, float64 ``[M, N]``; NaN where the method is not at hand."""
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    at_hand = [(i, e, e.explain_perturbed) for i, e in enumerate(explanations) if e.explain_perturbed is not None]
    if at_hand:
        out[[i for i, _, _ in at_hand]] = 0
        for points in nearby(model, batch, rng, radius, count):
            way = (points - batch.inputs.unsqueeze(1)).flatten(2).double().norm(dim=2) if steepness else None
            for i, explanation, again in at_hand:
                change = explanation.features.pool(again(points)).double() - explanation.values.double().unsqueeze(1)
                length = change.norm(dim=2)
                out[i] = torch.maximum(out[i], (length if way is None else length / way).amax(dim=1))
    return out
