"""Shapley values from random orders of the features, as the mean marginal contribution of each feature.

Along an order the coalition grows by one feature at a time. Consecutive coalitions share a perturbed input, and all
orders of an example share the empty and the full coalition, so an order of d features costs d - 1 passes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from xaiexp.builtin.methods.shapley.orders import shuffled
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Estimate
from xaiexp.inference.passes import Handle

__all__ = ["PermutationSampling"]


@dataclass(frozen=True)
class PermutationSampling:
    """The Shapley values of every example from random orders of its features.

    Args:
        count: number of draws.
        paired: whether a draw is the mean of an order and its reverse (antithetic sampling).
    """

    count: int
    paired: bool

    def estimate(self, model: Handle, reference: Tensor, rng: Draws) -> Estimate:
        """Attributions ``[N, *shape]``, and the standard error of each feature over the draws."""
        batch = model.batch
        features, d = batch.features, batch.features.d
        counts = features.counts.expand(len(batch))
        full, empty = model.scores().double(), model.scores(reference).double()
        owners, sizes, is_reversed = self._coalitions_per_draw(counts)
        budget = model.passes.stretch(batch.shape)
        draws_per_chunk = max(1, budget // max(1, len(owners)))
        pending: deque[tuple[Tensor, bool]] = deque()

        def perturbed() -> Iterator[tuple[Tensor, Tensor]]:
            for start in range(0, self.count if len(owners) else 0, draws_per_chunk):
                chunk = range(start, min(self.count, start + draws_per_chunk))
                ranks = self._ranks(rng, counts, d, chunk)
                end = len(chunk) * len(owners)
                for begin in range(0, end, budget):
                    row = torch.arange(begin, min(end, begin + budget), device=batch.device)
                    draw, step = row // len(owners), row % len(owners)
                    owner, size = owners[step], sizes[step].unsqueeze(1)
                    rank = ranks[owner, draw]
                    # The reverse order starts with the last features of the order.
                    last = rank >= counts[owner].unsqueeze(1) - size
                    present = torch.where(is_reversed[step].unsqueeze(1), last, rank < size)
                    pending.append((ranks, begin + budget >= end))
                    yield features.rows(owner).keep(batch.inputs[owner], reference[owner], present), owner

        # Deviations from the first draw: their variance is exactly 0 where all draws are equal.
        first: Tensor | None = None
        total, squares = full.new_zeros(len(batch), d), full.new_zeros(len(batch), d)
        pending_scores: list[Tensor] = []
        for scores in model.scores_of_rows(perturbed()):
            ranks, is_last = pending.popleft()
            pending_scores.append(scores.double())
            if not is_last:
                continue
            ends = full, empty
            contributions = self._contributions(torch.cat(pending_scores), ranks, counts, ends, owners, sizes)
            pending_scores = []
            if first is None:
                first = contributions[:, 0].clone()
            deviation = contributions - first.unsqueeze(1)
            total += deviation.sum(dim=1)
            squares += deviation.square().sum(dim=1)
        ones = (torch.arange(d, device=batch.device) < counts.unsqueeze(1)).double()
        values = (full - empty).unsqueeze(1) * ones if first is None else first + total / self.count
        # A single feature has one order, so there is no sampling.
        values = torch.where(counts.unsqueeze(1) < 2, (full - empty).unsqueeze(1) * ones, values)
        variance = (squares - total.square() / self.count).clamp(min=0.0) / max(1, self.count - 1) / self.count
        if self.count == 1:
            variance = torch.full_like(variance, float("nan"))
        errors = torch.where((counts.unsqueeze(1) < 2) | (ones == 0), 0.0, variance.sqrt())
        dtype = batch.inputs.dtype
        return Estimate(features.spread(values.to(dtype)), errors.to(dtype))

    def _coalitions_per_draw(self, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The coalitions of one draw: example, size, and whether it belongs to the reverse order, each ``[J]``."""
        inner = (counts - 1).clamp(min=0)
        owners = torch.arange(len(counts), device=counts.device).repeat_interleave(inner)
        starts = inner.cumsum(0) - inner
        sizes = torch.arange(len(owners), device=counts.device) - starts[owners] + 1
        if not self.paired:
            return owners, sizes, torch.zeros_like(owners, dtype=torch.bool)
        is_reversed = torch.arange(2, device=counts.device).bool().repeat_interleave(len(owners))
        return owners.repeat(2), sizes.repeat(2), is_reversed

    def _ranks(self, rng: Draws, counts: Tensor, d: int, chunk: range) -> Tensor:
        """The rank of every feature in random orders, int64 ``[N, s, d]``; features that an example lacks come last."""
        numbers = rng.uniform("order", (d,), samples=chunk)
        absent = torch.arange(d, device=counts.device) >= counts.view(-1, 1, 1)
        order = shuffled(numbers.masked_fill_(absent, 2.0))
        return torch.empty_like(order).scatter_(-1, order, torch.arange(d, device=order.device).expand_as(order))

    def _contributions(
        self, scores: Tensor, ranks: Tensor, counts: Tensor, ends: tuple[Tensor, Tensor], owners: Tensor, sizes: Tensor
    ) -> Tensor:
        """The marginal contributions, float64 ``[N, s, d]``, from the scores of complete draws ``[s * J]``.

        ``ends`` are f(x) and f(x0); ``owners`` and ``sizes`` are those of a draw, the reverse orders after the others.
        """
        full, empty = ends
        n, s, d = ranks.shape
        out = torch.zeros(n, s, d, dtype=torch.float64, device=ranks.device)
        for reverse in (False, True) if self.paired else (False,):
            half = len(owners) // 2
            chosen = slice(None) if not self.paired else slice(half, None) if reverse else slice(half)
            path = full.view(-1, 1, 1).expand(n, s, d + 1).clone()
            path[:, :, 0] = empty.unsqueeze(1)
            path[owners[chosen], :, sizes[chosen]] = scores.view(s, -1)[:, chosen].t()
            steps = path.diff(dim=2)
            position = (counts.view(-1, 1, 1) - 1 - ranks).clamp(min=0) if reverse else ranks
            out += steps.gather(2, position)
        out = out * (torch.arange(d, device=ranks.device) < counts.view(-1, 1, 1))
        return out / 2 if self.paired else out
