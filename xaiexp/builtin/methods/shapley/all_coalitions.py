"""Exact Shapley values from the scores of all coalitions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import torch
from torch import Tensor

from xaiexp.inference.passes import Handle

__all__ = ["exact_shapley_values"]


def exact_shapley_values(model: Handle, reference: Tensor) -> Tensor:
    """Shapley values ``[N, *shape]`` from the scores of all ``2^d`` coalitions of each example's d features.

    ``phi_j = sum over z with j of (|z|-1)! (d-|z|)! / d! f(z) - sum over z without j of |z|! (d-|z|-1)! / d! f(z)``.
    """
    batch = model.batch
    features, d = batch.features, batch.features.d
    counts = features.counts.expand(len(batch))
    columns = torch.arange(d, device=batch.device)
    # The scores of the empty and the full coalition are known; an example without features has neither.
    inner = (2**counts - 2).clamp(min=0)
    ends = inner.cumsum(0)
    budget = model.passes.stretch(batch.shape)
    pending: deque[tuple[Tensor, Tensor]] = deque()

    def perturbed() -> Iterator[tuple[Tensor, Tensor]]:
        end = int(ends[-1])
        for start in range(0, end, budget):
            row = torch.arange(start, min(end, start + budget), device=batch.device)
            owner = torch.searchsorted(ends, row, right=True)
            number = row - (ends - inner)[owner] + 1
            present = (number.unsqueeze(1) >> columns).bitwise_and(1).bool()
            pending.append((owner, present))
            yield features.rows(owner).keep(batch.inputs[owner], reference[owner], present), owner

    weights = _weights(counts, d)
    valid = features.valid.expand(len(batch), d)
    # Scores are relative to f(x0), which avoids cancellation.
    empty = model.scores(reference).double()
    everyone = torch.arange(len(batch), device=batch.device)
    values = _contributions(model.scores().double() - empty, valid, weights, everyone, valid)
    for scores in model.scores_of_rows(perturbed()):
        owner, present = pending.popleft()
        part = _contributions(scores.double() - empty[owner], present, weights, owner, valid[owner])
        values.index_add_(0, owner, part)
    return features.spread(values.to(batch.inputs.dtype))


def _weights(counts: Tensor, d: int) -> tuple[Tensor, Tensor]:
    """By example and size k of a coalition, float64 ``[N, d + 1]``: its weight for its members and for the others.

    ``(k - 1)! (c - k)! / c!`` and ``k! (c - k - 1)! / c!`` for c features.
    """
    c = counts.double().unsqueeze(1)
    before = torch.arange(d + 1, dtype=torch.float64, device=counts.device)
    after = (c - before - 1).clamp(min=0)
    others = torch.exp(torch.lgamma(before + 1) + torch.lgamma(after + 1) - torch.lgamma(c + 1))
    return torch.cat([others[:, :1], others[:, :-1]], dim=1), others


def _contributions(
    scores: Tensor, present: Tensor, weights: tuple[Tensor, Tensor], owner: Tensor, valid: Tensor
) -> Tensor:
    """The contributions of the scores ``[M]`` of coalitions ``[M, d]`` to the Shapley values, float64 ``[M, d]``."""
    k = present.sum(dim=1)
    inside, outside = ((table[owner, k] * scores).unsqueeze(1) for table in weights)
    return torch.where(present, inside, -outside) * valid
