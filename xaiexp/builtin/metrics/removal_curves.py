"""What happens to the score while features go in the order of the attributions: deletion, AOPC, ROAD and their kin.

All curves are points of one engine, :func:`curves`: at each point so many features of an example are gone, the
highest or the lowest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from xaiexp.builtin.removals.data_distance import scored
from xaiexp.builtin.removals.fill import Fill, filling
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.core.vocabulary import Output
from xaiexp.inference.passes import Handle

__all__ = ["Curves", "area", "curves", "grid", "numbers", "places", "undefined"]

First = Literal["highest", "lowest"]


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


def numbers(shares: Sequence[float], counts: Tensor) -> Tensor:
    """:func:`.masking.number` for each example and share, int64 ``[N, K]``."""
    told = torch.tensor(shares, dtype=torch.float64, device=counts.device) * counts.unsqueeze(1)
    return torch.minimum((told - 1e-9).ceil().long().clamp(min=0), counts.unsqueeze(1))


@dataclass(frozen=True)
class Curves:
    """Points of curves.

    Args:
        values: float64 ``[C, N, K]``, the scores; C curves for each of N examples.
        shift: float64 ``[C, N]``, the mean :func:`xaiexp.builtin.removals.data_distance.scored` shift of the inputs that
            the points between no and all features needed, and of the empty input where it is one of them.
    """

    values: Tensor
    shift: Tensor


def curves(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    removal: str,
    gone: Tensor,
    first: Sequence[First] = ("highest",),
    output: Output | None = None,
    by_mean: bool = False,
) -> Curves:
    """The scores where so many features are gone, in the order of the attributions; ties are broken at random.

    Every distinct input is evaluated once: the whole one is known, the empty one is shared by all curves, and points
    with the same number of features are one. All curves run in one stream of full batches.

    Args:
        removal: what removed features become; see :func:`xaiexp.builtin.removals.fill.filling`.
        gone: int64 ``[N, K]``, between 0 and the example's number of features.
        first: which go first; curves for each of these in turn, explanation by explanation.
        output: of the model, instead of the study's.
        by_mean: whether features are ordered by the mean over their elements instead of the sum.
    """
    counts = batch.features.counts.expand(len(batch))
    fill = filling(removal, batch, rng)
    steps, where = gone.sort(dim=1)
    fresh = torch.ones_like(steps, dtype=torch.bool)
    fresh[:, 1:] = steps[:, 1:] != steps[:, :-1]
    every = steps == counts.unsqueeze(1)
    partly = fresh & (steps > 0) & ~every
    owners, at = partly.nonzero().unbind(1)
    emptied = ((every & (steps > 0)).any(dim=1)).nonzero().squeeze(1)
    orders = [(e, f) for f in first for e in explanations]
    rows = _rows(model, batch, orders, rng, fill, emptied, owners, steps[owners, at], by_mean)
    told = list(scored(model, batch, rows, output))
    none = torch.empty(0, dtype=torch.float64, device=batch.device)
    scores, shifts = (torch.cat([none, *parts]) for parts in zip(*told, strict=True)) if told else (none, none)
    start = len(emptied)

    # What is the same for all curves: the ends.
    whole = model.scores(output=output).double()
    empty, far = torch.zeros_like(whole), torch.zeros_like(whole)
    empty[emptied], far[emptied] = scores[:start], shifts[:start]
    ends = torch.where(every & (steps > 0), empty.unsqueeze(1), whole.unsqueeze(1))
    table = ends.repeat(len(orders), 1, 1)
    table[:, owners, at] = scores[start:].view(len(orders), -1)
    origin = torch.where(fresh, torch.arange(steps.shape[1], device=steps.device), 0).cummax(dim=1).values
    table = table.gather(2, origin.expand_as(table))
    values = torch.empty_like(table).scatter_(2, where.expand_as(table), table)

    total = far.repeat(len(orders), 1).index_add_(1, owners, shifts[start:].view(len(orders), -1))
    times = partly.sum(dim=1)
    times[emptied] += 1
    return Curves(values, total / times)


def _rows(
    model: Handle,
    batch: Batch,
    orders: Sequence[tuple[Explanation, First]],
    rng: Draws,
    fill: Fill,
    emptied: Tensor,
    owners: Tensor,
    steps: Tensor,
    by_mean: bool,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The empty inputs, then those between the ends, one curve after the other; each with its examples."""
    size = fill.at_once(model.passes.budget(batch.shape))
    d, valid, counts = batch.features.d, batch.features.valid, batch.features.counts.expand(len(batch))
    for own in torch.split(emptied, size):
        if len(own):
            yield fill(own, torch.zeros(len(own), d, dtype=torch.bool, device=batch.device)), own
    tie = rng.uniform("tie", (d,))
    for explanation, first in orders:
        values = explanation.values / batch.features.sizes.clamp(min=1) if by_mean else explanation.values
        order = places(values, valid, tie)
        for own, step in zip(torch.split(owners, size), torch.split(steps, size), strict=True):
            if not len(own):
                continue
            edge = step if first == "highest" else counts[own] - step
            reached = order[own] < edge.unsqueeze(1)
            yield fill(own, ~reached if first == "highest" else reached), own


def area(values: Tensor, fractions: Tensor) -> Tensor:
    """The area under curves ``[C, N, K]`` by the trapezoidal rule, over ``fractions [N, K]``: ``[C, N]``."""
    return torch.trapezoid(values, fractions.expand_as(values), dim=2)


def undefined(batch: Batch, explanations: Sequence[Explanation]) -> Tensor:
    """Where no order is defined, bool ``[M, N]``: maps that are not numbers, and examples without features."""
    broken = torch.stack([e.values.isnan().any(dim=1) for e in explanations])
    return broken | (batch.features.counts.expand(len(batch)) == 0)
