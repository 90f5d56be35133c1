"""Deletion and insertion (Petsiuk et al. 2018): the probability along the order of the attributions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.builtin.metrics.removal import removed
from xaiexp.draws import Draws
from xaiexp.passes import Handle
from xaiexp.types import Batch, Explanation

__all__ = ["areas", "grid", "places"]


def places(values: Tensor, valid: Tensor, tie: Tensor) -> Tensor:
    """The place of each feature when the highest comes first, 0-based int64 ``[N, d]``.

    Args:
        values: ``[N, d]``.
        valid: bool ``[N or 1, d]``; what is no feature comes last.
        tie: random numbers ``[N, d]``: of equal values, the one with the smaller number comes first.

    >>> places(torch.tensor([[1.0, 3.0, 1.0]]), torch.tensor([[True]]), torch.tensor([[0.9, 0.5, 0.1]]))
    tensor([[2, 0, 1]])
    """
    shuffled = tie.argsort(dim=1)
    ranked = values.masked_fill(~valid, -torch.inf).gather(1, shuffled)
    order = shuffled.gather(1, ranked.sort(dim=1, descending=True, stable=True).indices)
    return torch.empty_like(order).scatter_(
        1, order, torch.arange(order.shape[1], device=order.device).expand_as(order)
    )


def grid(counts: Tensor, points: Tensor) -> Tensor:
    """Evenly spaced numbers of features, 0 to all, int64 ``[N, max(points) + 1]``: ``k * count / points``, halves up.

    Rows of fewer points than others go on with all.

    >>> grid(torch.tensor([4, 10]), torch.tensor([2, 4])).tolist()
    [[0, 2, 4, 4, 4], [0, 3, 5, 8, 10]]
    """
    k = torch.arange(int(points.max()) + 1, device=counts.device)
    counts, points = counts.unsqueeze(1), points.unsqueeze(1).clamp(min=1)
    return torch.minimum((2 * k * counts + points) // (2 * points), counts)


def areas(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    steps: int,
    removal: str,
    inserts: bool,
) -> Tensor:
    """Areas under the curves ``[M, N]`` of M explanations of N examples; NaN without features and for NaN maps.

    Args:
        steps: points of a curve besides its first; as many as there are features where those are fewer.
        removal: what removed features become; see :func:`xaiexp.builtin.metrics.removal.removed`.
        inserts: whether features are put back or removed.
    """
    m, n = len(explanations), len(batch)
    reference = removed(removal, batch, rng)
    whole = model.scores(output="probability")
    empty = model.scores(reference, output="probability")
    counts = batch.features.counts.expand(n)
    points = counts.clamp(max=steps)
    cuts = grid(counts, points)
    between = torch.arange(cuts.shape[1], device=cuts.device).expand_as(cuts)
    owners, at = ((between > 0) & (between < points.unsqueeze(1))).nonzero().unbind(1)
    tie = rng.uniform("tie", (batch.features.d,))
    orders = (places(e.values, batch.features.valid, tie) for e in explanations)
    first, last = (empty, whole) if inserts else (whole, empty)
    curves = last.double().view(1, n, 1).repeat(m, 1, cuts.shape[1])
    curves[:, :, 0] = first
    if len(owners):
        rows = _rows(model, batch, reference, orders, cuts[owners, at], owners, inserts)
        scores = torch.cat(list(model.passes.bind(batch, "probability").scores_of_rows(rows)))
        curves[:, owners, at] = scores.double().view(m, -1)
    fractions = cuts.double() / counts.unsqueeze(1)
    undefined = torch.stack([e.values.isnan().any(dim=1) for e in explanations]) | (counts == 0)
    return torch.trapezoid(curves, fractions, dim=2).masked_fill(undefined, float("nan")).to(batch.inputs.dtype)


def _rows(
    model: Handle,
    batch: Batch,
    reference: Tensor,
    orders: Iterator[Tensor],
    cuts: Tensor,
    owners: Tensor,
    inserts: bool,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The inputs between the ends of the curves, one explanation after the other, with their examples."""
    size = model.passes.budget(batch.shape)
    for order in orders:
        for start in range(0, len(owners), size):
            own = owners[start : start + size]
            reached = order[own] < cuts[start : start + size].unsqueeze(1)
            present = reached if inserts else ~reached
            yield batch.features.rows(own).keep(batch.inputs[own], reference[own], present), own
