"""Shapley values from orders of the features: each is the mean of what a feature adds when it joins those before it.

Along an order the coalition grows by one feature at a time, so neighbours share a perturbed input, and all orders
of an example share its two ends, nothing and everything: an order of d features costs d - 1 passes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Estimate
from xaiexp.inference.passes import Handle

__all__ = ["Orders", "all_coalitions"]


@dataclass(frozen=True)
class Orders:
    """Random orders of the features of every example.

    Args:
        count: how many draws.
        paired: whether each draw is an order and its reverse, whose mean is one draw (antithetic sampling).
    """

    count: int
    paired: bool

    def estimate(self, model: Handle, reference: Tensor, rng: Draws) -> Estimate:
        """Attributions ``[N, *shape]``, and standard errors of the features: the spread of the draws / sqrt(count)."""
        batch = model.batch
        features, d = batch.features, batch.features.d
        counts = features.counts.expand(len(batch))
        full, empty = model.scores().double(), model.scores(reference).double()
        owners, sizes, backwards = self._steps(counts)
        budget = model.passes.budget(batch.shape)
        together = max(1, budget // max(1, len(owners)))
        under_way: deque[tuple[Tensor, bool]] = deque()

        def perturbed() -> Iterator[tuple[Tensor, Tensor]]:
            for start in range(0, self.count if len(owners) else 0, together):
                stretch = range(start, min(self.count, start + together))
                ranks = self._ranks(rng, counts, d, stretch)
                end = len(stretch) * len(owners)
                for begin in range(0, end, budget):
                    piece = torch.arange(begin, min(end, begin + budget), device=batch.device)
                    draw, step = piece // len(owners), piece % len(owners)
                    owner, size = owners[step], sizes[step].unsqueeze(1)
                    rank = ranks[owner, draw]
                    # The reverse order begins with those that the order ends with.
                    last = rank >= counts[owner].unsqueeze(1) - size
                    present = torch.where(backwards[step].unsqueeze(1), last, rank < size)
                    under_way.append((ranks, begin + budget >= end))
                    yield features.rows(owner).keep(batch.inputs[owner], reference[owner], present), owner

        # The spread is that of deviations from the first draw: where all draws agree, it is exactly 0.
        first: Tensor | None = None
        total, squares = full.new_zeros(len(batch), d), full.new_zeros(len(batch), d)
        waiting: list[Tensor] = []
        for scores in model.scores_of_rows(perturbed()):
            ranks, whole = under_way.popleft()
            waiting.append(scores.double())
            if not whole:
                continue
            joined = self._joined(torch.cat(waiting), ranks, counts, full, empty)
            waiting = []
            if first is None:
                first = joined[:, 0].clone()
            deviation = joined - first.unsqueeze(1)
            total += deviation.sum(dim=1)
            squares += deviation.square().sum(dim=1)
        ones = (torch.arange(d, device=batch.device) < counts.unsqueeze(1)).double()
        values = (full - empty).unsqueeze(1) * ones if first is None else first + total / self.count
        # One feature has one order, and nothing was sampled.
        values = torch.where(counts.unsqueeze(1) < 2, (full - empty).unsqueeze(1) * ones, values)
        variance = (squares - total.square() / self.count).clamp(min=0.0) / max(1, self.count - 1) / self.count
        if self.count == 1:
            variance = torch.full_like(variance, float("nan"))
        errors = torch.where((counts.unsqueeze(1) < 2) | (ones == 0), 0.0, variance.sqrt())
        dtype = batch.inputs.dtype
        return Estimate(features.spread(values.to(dtype)), errors.to(dtype))

    def _steps(self, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What one draw asks for: example, size of the coalition and whether of the reverse order, each ``[J]``."""
        inner = (counts - 1).clamp(min=0)
        owners = torch.arange(len(counts), device=counts.device).repeat_interleave(inner)
        starts = inner.cumsum(0) - inner
        sizes = torch.arange(len(owners), device=counts.device) - starts[owners] + 1
        if not self.paired:
            return owners, sizes, torch.zeros_like(owners, dtype=torch.bool)
        again = torch.arange(2, device=counts.device).bool().repeat_interleave(len(owners))
        return owners.repeat(2), sizes.repeat(2), again

    def _ranks(self, rng: Draws, counts: Tensor, d: int, stretch: range) -> Tensor:
        """Place of every feature in random orders, int64 ``[N, s, d]``; those that an example has not come last."""
        numbers = rng.uniform("order", (d,), samples=stretch)
        absent = torch.arange(d, device=counts.device) >= counts.view(-1, 1, 1)
        return numbers.masked_fill_(absent, 2.0).argsort(dim=-1, stable=True).argsort(dim=-1)

    def _joined(self, scores: Tensor, ranks: Tensor, counts: Tensor, full: Tensor, empty: Tensor) -> Tensor:
        """What every feature added, float64 ``[N, s, d]``, from the scores of whole draws ``[s * J]``."""
        owners, sizes, backwards = self._steps(counts)
        n, s, d = ranks.shape
        out = torch.zeros(n, s, d, dtype=torch.float64, device=ranks.device)
        for reverse in (False, True) if self.paired else (False,):
            chosen = backwards == reverse
            path = full.view(-1, 1, 1).expand(n, s, d + 1).clone()
            path[:, :, 0] = empty.unsqueeze(1)
            path[owners[chosen], :, sizes[chosen]] = scores.view(s, -1)[:, chosen].t()
            steps = path.diff(dim=2)
            place = (counts.view(-1, 1, 1) - 1 - ranks).clamp(min=0) if reverse else ranks
            out += steps.gather(2, place)
        out = out * (torch.arange(d, device=ranks.device) < counts.view(-1, 1, 1))
        return out / 2 if self.paired else out


def all_coalitions(model: Handle, reference: Tensor) -> Tensor:
    """Shapley values ``[N, *shape]`` from the scores of all ``2^d`` coalitions of each example's d features.

    ``phi_j = sum over z with j of (|z|-1)! (d-|z|)! / d! f(z) - sum over z without j of |z|! (d-|z|-1)! / d! f(z)``.
    """
    batch = model.batch
    features, d = batch.features, batch.features.d
    counts = features.counts.expand(len(batch))
    columns = torch.arange(d, device=batch.device)
    # Of the empty and the full coalition the scores are known; an example with no feature has neither.
    inner = (2**counts - 2).clamp(min=0)
    ends = inner.cumsum(0)
    budget = model.passes.budget(batch.shape)
    under_way: deque[tuple[Tensor, Tensor]] = deque()

    def perturbed() -> Iterator[tuple[Tensor, Tensor]]:
        end = int(ends[-1])
        for start in range(0, end, budget):
            row = torch.arange(start, min(end, start + budget), device=batch.device)
            owner = torch.searchsorted(ends, row, right=True)
            number = row - (ends - inner)[owner] + 1
            present = (number.unsqueeze(1) >> columns).bitwise_and(1).bool()
            under_way.append((owner, present))
            yield features.rows(owner).keep(batch.inputs[owner], reference[owner], present), owner

    valid = features.valid.expand(len(batch), d)
    # Scores are taken from f(x0) on, so that large scores that hardly change lose no digits.
    empty = model.scores(reference).double()
    values = _shares(model.scores().double() - empty, valid, counts, valid)
    for scores in model.scores_of_rows(perturbed()):
        owner, present = under_way.popleft()
        part = _shares(scores.double() - empty[owner], present, counts[owner], valid[owner])
        values.index_add_(0, owner, part)
    return features.spread(values.to(batch.inputs.dtype))


def _shares(scores: Tensor, present: Tensor, counts: Tensor, valid: Tensor) -> Tensor:
    """What the scores ``[M]`` of coalitions ``[M, d]`` contribute to the Shapley values, float64 ``[M, d]``."""
    d, k = counts.double().unsqueeze(1), present.sum(dim=1, keepdim=True).double()

    def weight(before: Tensor) -> Tensor:
        after = (d - before - 1).clamp(min=0)
        return torch.exp(torch.lgamma(before + 1) + torch.lgamma(after + 1) - torch.lgamma(d + 1))

    share = torch.where(present, weight((k - 1).clamp(min=0)), -weight(k))
    return share * scores.unsqueeze(1) * valid
