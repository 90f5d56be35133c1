"""Maximum sensitivity (Yeh et al. 2019) and local Lipschitz estimate (Alvarez-Melis and Jaakkola 2018)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.builtin.data_range import data_range
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = ["largest_changes", "nearby_points", "steepest_changes"]


def nearby_points(model: Handle, batch: Batch, rng: Draws, radius: float, count: int) -> Iterator[Tensor]:
    """Points around the inputs, uniform in an L-infinity ball, in blocks ``[N, s, *shape]``.

    ``radius`` is relative to the range of the data. Elements of no feature keep their values.
    """
    scale = radius * data_range(batch) * batch.features.inside.unsqueeze(1)
    for samples in model.blocks(count):
        directions = rng.uniform("perturbation", batch.shape, samples).to(batch.inputs.dtype).mul_(2).sub_(1)
        yield batch.inputs.unsqueeze(1) + directions * scale


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

    The norm of the numerator is over features, that of the denominator over elements. NaN for a map of zeros.
    """
    steepest = _largest(model, batch, explanations, rng, radius, count, steepness=True)
    zero_maps = torch.stack([~(e.values != 0).any(dim=1) for e in explanations])
    return steepest.masked_fill(zero_maps, float("nan")).to(batch.inputs.dtype)


def _largest(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    radius: float,
    count: int,
    steepness: bool,
) -> Tensor:
    """The largest norm of a change, float64 ``[M, N]``; NaN where an explanation's method is not available.

    Args:
        steepness: whether each change is divided by the distance of its point from the input.
    """
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    available = [(i, e, e.explain_perturbed) for i, e in enumerate(explanations) if e.explain_perturbed is not None]
    if available:
        out[[i for i, _, _ in available]] = 0
        for points in nearby_points(model, batch, rng, radius, count):
            distance = (points - batch.inputs.unsqueeze(1)).flatten(2).double().norm(dim=2) if steepness else None
            for i, explanation, explain_perturbed in available:
                perturbed = explanation.features.pool(explain_perturbed(points)).double()
                norm = (perturbed - explanation.values.double().unsqueeze(1)).norm(dim=2)
                out[i] = torch.maximum(out[i], (norm if distance is None else norm / distance).amax(dim=1))
    return out
