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
    budget = model.passes.budget(batch.shape)
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

    valid = features.valid.expand(len(batch), d)
    # Scores are relative to f(x0), which avoids cancellation.
    empty = model.scores(reference).double()
    values = _contributions(model.scores().double() - empty, valid, counts, valid)
    for scores in model.scores_of_rows(perturbed()):
        owner, present = pending.popleft()
        part = _contributions(scores.double() - empty[owner], present, counts[owner], valid[owner])
        values.index_add_(0, owner, part)
    return features.spread(values.to(batch.inputs.dtype))


def _contributions(scores: Tensor, present: Tensor, counts: Tensor, valid: Tensor) -> Tensor:
    """The contributions of the scores ``[M]`` of coalitions ``[M, d]`` to the Shapley values, float64 ``[M, d]``."""
    d, k = counts.double().unsqueeze(1), present.sum(dim=1, keepdim=True).double()

    def weight(before: Tensor) -> Tensor:
        after = (d - before - 1).clamp(min=0)
        return torch.exp(torch.lgamma(before + 1) + torch.lgamma(after + 1) - torch.lgamma(d + 1))

    share = torch.where(present, weight((k - 1).clamp(min=0)), -weight(k))
    return share * scores.unsqueeze(1) * valid
