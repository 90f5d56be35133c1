"""Which coalitions KernelSHAP evaluates: sizes whole as far as the budget allows, the others sampled in strata.

Coalitions of k of d features and their complements form a stratum, for k from 1 to d / 2. All coalitions of a size have
one Shapley kernel, so a stratum has one weight a coalition; what is free is how many pairs of a coalition and its
complement each stratum gets. In proportion to the Shapley kernel, small strata would be drawn again and again; the
leverage scores of the regression are equal for all sizes (Musco and Witter 2025, Provably Accurate Shapley Value
Estimation via Leverage Score Sampling). Here it is the geometric mean of the two (Chen et al. 2025, A Unified Framework
for Provably Efficient Algorithms to Estimate Shapley Values, "modified l2"): ``benchmarks/shapley_error.py`` compares
with the kernel. A stratum that has no more coalitions than its share is taken whole.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xaiexp.builtin.methods.shapley.orders import ascending, shuffled
from xaiexp.core.draws import Draws

__all__ = ["CoalitionSizes", "coalition_sizes"]

_LISTED = 4096
"""The largest stratum whose coalitions are listed, so that samples are drawn without replacement."""


@dataclass(frozen=True)
class CoalitionSizes:
    """The strata of d features, and how many of a number of pairs each gets.

    Args:
        d: number of features, at least 2.
        pairs: number of pairs.
        strata: float64 ``[K]``, the pairs that there are in each stratum, infinite where there are too many to count.
        expected: float64 ``[K]``, how many of them are taken, in expectation; they add up to ``pairs``.
    """

    d: int
    pairs: int
    strata: Tensor
    expected: Tensor

    @functools.cached_property
    def weights(self) -> Tensor:
        """The weight of a coalition by its size, float64 ``[d + 1]``: Shapley kernel over the share that is taken.

        The kernel of all coalitions of a size k is ``(d - 1) / (k (d - k))``.
        """
        k = torch.arange(1, self.d // 2 + 1, dtype=torch.float64)
        # A pair has a coalition on each side, in the middle stratum both sides are one.
        both = torch.where(2 * k == self.d, 1.0, 2.0) * (self.d - 1) / (k * (self.d - k))
        half = torch.where(self.expected > 0, both / self.expected / 2, 0.0)
        out = torch.zeros(self.d + 1, dtype=torch.float64)
        out[1 : len(half) + 1] = half
        return torch.maximum(out, out.flip(0))

    @functools.cached_property
    def unseen(self) -> Tensor:
        """By size, float64 ``[d + 1]``: the share of its coalitions that is not taken, 0 where the size is whole.

        The variance of a sum over samples without replacement is this share of that with replacement.
        """
        out = torch.zeros(self.d + 1, dtype=torch.float64)
        out[1 : len(self.strata) + 1] = (1 - self.expected / self.strata).clamp(min=0.0)
        return torch.maximum(out, out.flip(0))

    @functools.cached_property
    def whole(self) -> int:
        """The number of strata that are taken whole; these are the first."""
        return int((self.expected >= self.strata).sum())

    @functools.cached_property
    def _listed(self) -> Tensor:
        """All pairs of the whole strata, bool ``[pairs, d]``."""
        parts = [_combinations(self.d, k) for k in range(1, self.whole + 1)]
        return torch.cat(parts) if parts else torch.zeros(0, self.d, dtype=torch.bool)

    def sample(self, rng: Draws) -> Tensor:
        """The smaller coalition of each pair, bool ``[N, pairs, d]``, in the order of their sizes.

        Args:
            rng: of the N examples.
        """
        n, device = len(rng.ids), torch.device(rng.device)
        first = len(self._listed)
        out = torch.empty(n, self.pairs, self.d, dtype=torch.bool, device=device)
        out[:, :first] = self._listed.to(device)
        if first == self.pairs:
            return out
        # How many pairs a stratum has: its expected number, rounded so that they add up and are right on average.
        edges = self.expected[self.whole :].cumsum(0).tolist()
        bounds = (
            torch.tensor(edges, dtype=torch.float64, device=device) + rng.uniform("size").double().unsqueeze(1)
        ).floor()
        bounds[:, -1] = self.pairs - first
        number = torch.arange(self.pairs - first, dtype=torch.float64, device=device).expand(n, -1).contiguous()
        stratum = torch.searchsorted(bounds, number, right=True)
        rank = (number - torch.nn.functional.pad(bounds[:, :-1], (1, 0)).gather(1, stratum)).long()
        drawn, start = out[:, first:], 0
        for i in range(self._tabled):
            table = _combinations(self.d, self.whole + 1 + i).to(device)
            # The columns in which some example may have this stratum.
            columns = slice(start, min(self.pairs - first, math.floor(edges[i]) + 1))
            order = shuffled(rng.uniform(f"subset/{self.whole + 1 + i}", (len(table),)))
            found = table[order.gather(1, rank[:, columns].clamp(0, len(table) - 1))]
            drawn[:, columns] = torch.where((stratum[:, columns] == i).unsqueeze(2), found, drawn[:, columns])
            start = math.floor(edges[i])
        if self._tabled < len(edges):
            columns = slice(start, self.pairs - first)
            numbers = rng.uniform("order", (self.d,), samples=range(start, self.pairs - first))
            size = (stratum[:, columns] + self.whole + 1).unsqueeze(2)
            # The members are the features with the smallest numbers.
            found = numbers < ascending(numbers).gather(2, size)
            is_tabled = (stratum[:, columns] < self._tabled).unsqueeze(2)
            drawn[:, columns] = torch.where(is_tabled, drawn[:, columns], found)
        return out

    @functools.cached_property
    def _tabled(self) -> int:
        """The number of strata, after the whole ones, that are listed to be sampled without replacement.

        Of so many coalitions that the same is hardly ever drawn twice, samples are drawn independently.
        """
        rest = zip(self.strata[self.whole :].tolist(), self.expected[self.whole :].tolist(), strict=True)
        tabled = [there <= _LISTED and taken**2 > there / 8 for there, taken in rest]
        return next((i for i, listed in enumerate(tabled) if not listed), len(tabled))


@functools.lru_cache(maxsize=64)
def coalition_sizes(d: int, pairs: int) -> CoalitionSizes:
    """The strata of ``d`` features for a number of pairs; all of them whole where ``pairs`` is as many as there are.

    Sizes are taken in proportion to ``1 / sqrt(k (d - k))``, the square root of their share of the Shapley kernel: the
    geometric mean of the kernel and of the leverage scores, which are equal for all sizes.

    >>> coalition_sizes(6, 14).expected  # of 6, 15 and 10 pairs
    tensor([6.0000, 5.4370, 2.5630], dtype=torch.float64)
    """
    sizes = range(1, d // 2 + 1)
    strata = torch.tensor([_pairs_of(d, k) for k in sizes], dtype=torch.float64)
    share = torch.tensor([(0.5 if 2 * k == d else 1.0) / math.sqrt(k * (d - k)) for k in sizes], dtype=torch.float64)
    expected = torch.zeros_like(strata)
    for whole in range(len(strata) + 1):
        left = pairs - float(strata[:whole].sum())
        expected = torch.cat([strata[:whole], share[whole:] * left / share[whole:].sum().clamp(min=1e-300)])
        if whole == len(strata) or float(expected[whole]) < float(strata[whole]):
            break
    return CoalitionSizes(d, pairs, strata, expected)


def _pairs_of(d: int, k: int) -> float:
    """The pairs of a coalition of k of d features and its complement; infinite beyond 2**53."""
    coalitions = math.comb(d, k) if min(k, d - k) < 20 or d < 60 else 1 << 60
    pairs = coalitions // 2 if 2 * k == d else coalitions
    return float(pairs) if pairs < 1 << 53 else math.inf


@functools.lru_cache(maxsize=64)
def _combinations(d: int, k: int) -> Tensor:
    """All coalitions of k of d features, bool ``[C, d]``; where 2 k = d, those with the first feature."""
    if 2 * k == d:
        rest = _combinations(d - 1, k - 1) if k > 1 else torch.zeros(1, d - 1, dtype=torch.bool)
        return torch.cat([torch.ones(len(rest), 1, dtype=torch.bool), rest], dim=1)
    members = torch.from_numpy(np.array(list(itertools.combinations(range(d), k))))
    return torch.zeros(len(members), d, dtype=torch.bool).scatter_(1, members, True)
