"""Removal curves: the score while features are removed in the order of the attributions (deletion, AOPC, ROAD)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from xaiexp.builtin.removals.choice import RemovalChoice
from xaiexp.builtin.removals.data_distance import scores_and_shifts
from xaiexp.builtin.removals.fill import fill_for
from xaiexp.contract.removal import Fill
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Asked, Handle

__all__ = [
    "Curves",
    "First",
    "area",
    "at_even_shares",
    "curves",
    "evenly_spaced",
    "feature_counts",
    "positions",
    "undefined",
]

# Which features are removed first.
First = Literal["highest", "lowest"]


def positions(values: Tensor, valid: Tensor, tie: Tensor) -> Tensor:
    """The position of each feature in descending order of the values, 0-based, int64 ``[N, d]``.

    Args:
        values: ``[N, d]``.
        valid: bool ``[N or 1, d]``; other columns are padding and come last.
        tie: random numbers ``[N, d]``; of equal values, the one with the smaller number comes first.

    >>> positions(torch.tensor([[1.0, 3.0, 1.0]]), torch.tensor([[True]]), torch.tensor([[0.9, 0.5, 0.1]]))
    tensor([[2, 0, 1]])
    """
    shuffled = tie.argsort(dim=1)
    ranked = values.masked_fill(~valid, -torch.inf).gather(1, shuffled)
    order = shuffled.gather(1, ranked.sort(dim=1, descending=True, stable=True).indices)
    return torch.empty_like(order).scatter_(
        1, order, torch.arange(order.shape[1], device=order.device).expand_as(order)
    )


def evenly_spaced(counts: Tensor, points: Tensor) -> Tensor:
    """Evenly spaced numbers of features from 0 to all, int64 ``[N, max(points) + 1]``.

    ``k * count / points``, rounded half up. Rows with fewer points than others are padded with their count.

    >>> evenly_spaced(torch.tensor([4, 10]), torch.tensor([2, 4])).tolist()
    [[0, 2, 4, 4, 4], [0, 3, 5, 8, 10]]
    """
    k = torch.arange(int(points.max()) + 1, device=counts.device)
    counts, points = counts.unsqueeze(1), points.unsqueeze(1).clamp(min=1)
    return torch.minimum((2 * k * counts + points) // (2 * points), counts)


def feature_counts(shares: Sequence[float], counts: Tensor) -> Tensor:
    """:func:`xaiexp.builtin.removals.masking.feature_count` for each example and share, int64 ``[N, K]``."""
    exact = torch.tensor(shares, dtype=torch.float64, device=counts.device) * counts.unsqueeze(1)
    return torch.minimum((exact - 1e-9).ceil().long().clamp(min=0), counts.unsqueeze(1))


@dataclass(frozen=True)
class Curves:
    """Scores at the points of removal curves.

    Args:
        values: float64 ``[C, N, K]``, the scores of C curves for each of N examples.
        shift: float64 ``[C, N]``, the mean shift of :func:`xaiexp.builtin.removals.data_distance.scores_and_shifts`
        over
            the masked inputs of each curve, the fully removed one included where it is a point.
    """

    values: Tensor
    shift: Tensor


def curves(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    removal: RemovalChoice,
    n_removed: Tensor,
    first: Sequence[First] = ("highest",),
    output: Asked = None,
    by_mean: bool = False,
) -> Curves:
    """The scores with ``n_removed`` features removed in the order of the attributions; ties are broken at random.

    Every distinct input is evaluated once: the score of the original input is known, the fully removed input is shared
    by all curves, and points with the same number of features are one input. All curves are evaluated in one stream of
    full batches.

    Args:
        removal: what removed features are replaced with; see :func:`xaiexp.builtin.removals.fill.fill_for`.
        n_removed: int64 ``[N, K]``, between 0 and the example's number of features.
        first: which features are removed first; one curve per entry and explanation, grouped by entry.
        output: what to read instead of the explained scalar; see :meth:`xaiexp.plugin.Handle.scores`.
        by_mean: order features by the mean over their elements instead of the sum.
    """
    counts = batch.features.counts.expand(len(batch))
    fill = fill_for(removal, batch, rng)
    # Sorted points; ``distinct`` marks the first of equal ones.
    steps, original_index = n_removed.sort(dim=1)
    distinct = torch.ones_like(steps, dtype=torch.bool)
    distinct[:, 1:] = steps[:, 1:] != steps[:, :-1]
    is_all = steps == counts.unsqueeze(1)
    partially_removed = distinct & (steps > 0) & ~is_all
    owners, points = partially_removed.nonzero().unbind(1)
    fully_removed = ((is_all & (steps > 0)).any(dim=1)).nonzero().squeeze(1)
    orders = [(e, f) for f in first for e in explanations]
    rows = _rows(model, batch, orders, rng, fill, fully_removed, owners, steps[owners, points], by_mean)
    pieces = list(scores_and_shifts(model, batch, rows, output))
    no_scores = torch.empty(0, dtype=torch.float64, device=batch.device)
    scores, shifts = (
        (torch.cat([no_scores, *parts]) for parts in zip(*pieces, strict=True)) if pieces else (no_scores, no_scores)
    )
    start = len(fully_removed)

    # The ends, which all curves share: the original and the fully removed input.
    original = model.scores(output=output).double()
    empty, empty_shift = torch.zeros_like(original), torch.zeros_like(original)
    empty[fully_removed], empty_shift[fully_removed] = scores[:start], shifts[:start]
    ends = torch.where(is_all & (steps > 0), empty.unsqueeze(1), original.unsqueeze(1))
    table = ends.repeat(len(orders), 1, 1)
    table[:, owners, points] = scores[start:].view(len(orders), -1)
    # Repeated points take the value of the first of them; then the original order of the points is restored.
    source = torch.where(distinct, torch.arange(steps.shape[1], device=steps.device), 0).cummax(dim=1).values
    table = table.gather(2, source.expand_as(table))
    values = torch.empty_like(table).scatter_(2, original_index.expand_as(table), table)

    total_shift = empty_shift.repeat(len(orders), 1)
    total_shift = total_shift.index_add_(1, owners, shifts[start:].view(len(orders), -1))
    n_inputs = partially_removed.sum(dim=1)
    n_inputs[fully_removed] += 1
    return Curves(values, total_shift / n_inputs)


def _rows(
    model: Handle,
    batch: Batch,
    orders: Sequence[tuple[Explanation, First]],
    rng: Draws,
    fill: Fill,
    fully_removed: Tensor,
    owners: Tensor,
    steps: Tensor,
    by_mean: bool,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Masked inputs and the examples they belong to: first the fully removed ones, then those of each curve in turn.

    Args:
        fully_removed: examples whose fully removed input is a point, int64.
        owners, steps: the examples and the numbers of removed features of the points between the ends, int64 ``[P]``.
    """
    size = fill.block_size(model.passes.budget(batch.shape))
    d, valid, counts = batch.features.d, batch.features.valid, batch.features.counts.expand(len(batch))
    for examples in torch.split(fully_removed, size):
        if len(examples):
            yield fill(examples, torch.zeros(len(examples), d, dtype=torch.bool, device=batch.device)), examples
    tie = rng.uniform("tie", (d,))
    for explanation, first in orders:
        values = explanation.values / batch.features.sizes.clamp(min=1) if by_mean else explanation.values
        order = positions(values, valid, tie)
        for examples, n_removed in zip(torch.split(owners, size), torch.split(steps, size), strict=True):
            if not len(examples):
                continue
            edge = n_removed if first == "highest" else counts[examples] - n_removed
            before_edge = order[examples] < edge.unsqueeze(1)
            yield fill(examples, ~before_edge if first == "highest" else before_edge), examples


def area(values: Tensor, fractions: Tensor) -> Tensor:
    """The area under curves ``[C, N, K]`` by the trapezoidal rule, over ``fractions [N, K]``: ``[C, N]``."""
    return torch.trapezoid(values, fractions.expand_as(values), dim=2)


def at_even_shares(values: Tensor, fractions: Tensor, points: int) -> Tensor:
    """Curves at evenly spaced shares from 0 to 1, by linear interpolation: float ``[C, N, points]``.

    Args:
        values: ``[C, N, K]``.
        fractions: ``[N, K]``, from 0 to 1 and not decreasing; NaN rows give NaN.
        points: how many shares.

    >>> at_even_shares(torch.tensor([[[1.0, 0.0, 0.0]]]), torch.tensor([[0.0, 0.5, 1.0]]), 5).tolist()
    [[[1.0, 0.5, 0.0, 0.0, 0.0]]]
    """
    shares = torch.linspace(0, 1, points, dtype=fractions.dtype, device=fractions.device)
    right = torch.searchsorted(fractions.contiguous(), shares.expand(len(fractions), points).contiguous())
    right = right.clamp(1, fractions.shape[1] - 1) if fractions.shape[1] > 1 else right.clamp(0, 0)
    left = (right - 1).clamp(min=0)
    low, high = fractions.gather(1, left), fractions.gather(1, right)
    weight = ((shares - low) / (high - low)).nan_to_num(1.0, 1.0, 1.0).clamp(0, 1)
    ends = [values.gather(2, side.expand(len(values), *side.shape)) for side in (left, right)]
    return torch.lerp(ends[0], ends[1], weight.to(values.dtype).expand_as(ends[0]))


def undefined(batch: Batch, explanations: Sequence[Explanation]) -> Tensor:
    """Where no order is defined, bool ``[M, N]``: maps with NaN and examples without features."""
    has_nan = torch.stack([e.values.isnan().any(dim=1) for e in explanations])
    return has_nan | (batch.features.counts.expand(len(batch)) == 0)
