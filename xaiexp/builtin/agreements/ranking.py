"""Agreement of whole rankings: Spearman's and Kendall's correlations and the share of pairs in the same order.

Pairs of features are counted in ``O(d log d)`` steps and ``O(d)`` memory, for many rankings at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xaiexp.builtin.agreements.pairs import Prepared, over_pairs

__all__ = ["average_ranks", "inversions", "kendall_tau", "pairwise_rank_agreement"]

Pairs = Sequence[tuple[int, int]]

# On a CPU, rows of so many numbers stay in the cache over all levels of the count.
_CACHED = 1 << 18
# Groups of 2**_SMALL are counted by comparing all pairs.
_SMALL = 4


def _ranked(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sort ``values [..., d]``: the order (int64), each feature's lowest place and number of ties (int32)."""
    ordered, order = _sorted(values)
    place = torch.arange(values.shape[-1], dtype=torch.int32, device=values.device).expand_as(values)
    fresh = torch.ones_like(values, dtype=torch.bool)
    fresh[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    start = torch.where(fresh, place, 0).cummax(-1).values
    slots = start.long()
    size = torch.zeros_like(start).scatter_add_(-1, slots, torch.ones_like(start)).gather(-1, slots)
    return order, torch.empty_like(start).scatter_(-1, order, start), torch.empty_like(size).scatter_(-1, order, size)


def _sorted(values: Tensor) -> tuple[Tensor, Tensor]:
    """Keys that are equal where values are, in ascending order, and the order (int64), stable; values are finite.

    On a CPU, one integer holds value and place: sorting those takes half the time of a stable sort of floats.
    """
    if values.device.type != "cpu" or values.dtype != torch.float32:
        ordered, order = values.sort(dim=-1, stable=True)
        return ordered, order
    bits = (values + 0.0).view(torch.int32)  # with one zero, not two
    # The bits of floats ascend as integers do, those of negative ones the other way round.
    keys = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    place = torch.arange(values.shape[-1], device=values.device)
    packed = keys.bitwise_left_shift_(32).bitwise_or_(place).sort(dim=-1).values
    return packed >> 32, packed.bitwise_and(0xFFFFFFFF)


def average_ranks(values: Tensor) -> Tensor:
    """Ranks of ``values [..., d]`` from 0, ties at their average, float64.

    >>> average_ranks(torch.tensor([3.0, 1.0, 3.0, 0.0, -0.0, -2.0])).tolist()
    [4.5, 3.0, 4.5, 1.5, 1.5, 0.0]
    """
    _, start, size = _ranked(values)
    return start.double().add_(size, alpha=0.5).sub_(0.5)


def inversions(sequences: Tensor) -> Tensor:
    """How many pairs ``i < j`` have ``s[i] > s[j]``: int64 ``[B]`` for permutations of 0..d-1, int32 ``[B, d]``.

    Two numbers differ first in some bit: from the highest bit down, numbers are parted by that bit, stably and
    within the groups that agree in all higher bits; an inversion is counted at the bit where the two part ways.
    Groups of a permutation lie where their numbers say, so that one running sum per bit counts for all groups.

    >>> inversions(torch.tensor([[2, 0, 1], [0, 1, 2]], dtype=torch.int32))
    tensor([2, 0])
    """
    rows = max(1, _CACHED // sequences.shape[1]) if sequences.device.type == "cpu" else len(sequences)
    return torch.cat([_inversions(sequences[start : start + rows]) for start in range(0, len(sequences), rows)])


def _inversions(s: Tensor) -> Tensor:
    b, d = s.shape
    place = torch.arange(d, dtype=torch.int32, device=s.device)
    total = torch.zeros(b, dtype=torch.int64, device=s.device)
    for bit in reversed(range(_SMALL, (d - 1).bit_length())):
        ones = s.bitwise_right_shift(bit).bitwise_and_(1)
        group = place.bitwise_right_shift(bit + 1).bitwise_left_shift_(bit + 1)
        # All groups before this one are full, and half of their numbers have the bit.
        before = ones.cumsum(-1, dtype=torch.int32).sub_(ones).sub_(group >> 1)
        total += before.sum(-1) - (before * ones).sum(-1)
        # A zero moves ahead of the ones before it, a one behind the 2**bit zeros of its group.
        forward = (before * 2).add_(group - place + (1 << bit)).mul_(ones)
        s = torch.empty_like(s).scatter_(-1, forward.sub_(before).add_(place).long(), s)
    size = 1 << _SMALL
    groups = -(-d // size)
    low = torch.arange(groups * size, device=s.device).bitwise_and_(size - 1).to(torch.int8).repeat(b, 1)
    low[:, :d] = s.bitwise_and(size - 1)
    low = low.view(b, groups, size).transpose(1, 2).contiguous()
    for shift in range(1, size):
        total += (low[:, :-shift] > low[:, shift:]).flatten(1).sum(-1)
    return total


@dataclass(frozen=True)
class _Counts:
    """Pairs of features of ``[p, n]`` pairs of maps, float64: all, discordant, and tied left, right and in both."""

    all: int
    discordant: Tensor
    left: Tensor
    right: Tensor
    both: Tensor

    @property
    def concordant(self) -> Tensor:
        return self.all - self.left - self.right + self.both - self.discordant


@dataclass(frozen=True)
class _Ranking:
    """Maps in order: ``[p, n, d]`` each.

    Args:
        order: features by value, ascending, int64; those that tie by index.
        ordinal: the place of each feature in ``order``, int32.
        start: the lowest place of those that tie with the feature, int32.
        tied: whether the feature ties with another, bool.
        ties: how many pairs tie, float64 ``[p, n]``.
    """

    order: Tensor
    ordinal: Tensor
    start: Tensor
    tied: Tensor
    ties: Tensor

    def settled(self, by: Tensor) -> Tensor:
        """The order with ties settled by the int32 numbers ``by [p, n, d]``; as many steps as there are ties."""
        slots = self.tied.gather(-1, self.order).flatten().nonzero().squeeze(1)
        if not len(slots):
            return self.order
        d = self.order.shape[-1]
        order = self.order.flatten()
        features = order[slots]
        cells = slots - slots % d + features
        keys = (slots - slots % d + self.start.flatten()[cells]) * d + by.flatten()[cells]
        return order.index_copy(0, slots, features[keys.argsort()]).view_as(self.order)


def _prepare(part: Tensor) -> Prepared:
    order, start, size = _ranked(part)
    return order, _inverse(order), start, size > 1, (size.long() - 1).sum(-1).double() / 2


def _inverse(order: Tensor) -> Tensor:
    place = torch.arange(order.shape[-1], dtype=torch.int32, device=order.device).expand_as(order)
    return torch.empty_like(order, dtype=torch.int32).scatter_(-1, order, place)


def _tied_in_both(a: _Ranking, b: _Ranking) -> Tensor:
    """How many pairs of features tie in both rankings, float64 ``[p, n]``."""
    d = a.order.shape[-1]
    cells = (a.tied & b.tied).flatten().nonzero().squeeze(1)
    keys = ((cells - cells % d + a.start.flatten()[cells]) * d + b.start.flatten()[cells]).sort().values
    place = torch.arange(len(keys), device=keys.device)
    fresh = torch.ones_like(keys, dtype=torch.bool)
    fresh[1:] = keys[1:] != keys[:-1]
    # The k-th of a run of equal keys ties with the k - 1 before it.
    pairs = place - torch.where(fresh, place, 0).cummax(0).values
    both = torch.zeros(a.ties.numel(), dtype=torch.float64, device=keys.device)
    return both.index_add_(0, keys // (d * d), pairs.double()).view_as(a.ties)


def _counted(left: Prepared, right: Prepared) -> _Counts:
    """Count pairs of features as Knight 1966: in the order of (a, b), every inversion of (b, a) is discordant."""
    a, b = _Ranking(*left), _Ranking(*right)
    d = a.order.shape[-1]
    places = _inverse(b.settled(a.ordinal)) if bool((b.ties > 0).any()) else b.ordinal
    sequences = places.gather(-1, a.settled(b.ordinal))
    discordant = inversions(sequences.flatten(0, -2)).double().view_as(a.ties)
    return _Counts(d * (d - 1) // 2, discordant, a.ties, b.ties, _tied_in_both(a, b))


def kendall_tau(maps: Tensor, pairs: Pairs) -> Tensor:
    """Kendall's tau-b of values: ``maps [M, N, d]`` to ``[P, N]``."""

    def measure(a: Prepared, b: Prepared) -> Tensor:
        n = _counted(a, b)
        return (n.concordant - n.discordant) / (n.all - n.left).sqrt() / (n.all - n.right).sqrt()

    return over_pairs(maps, pairs, _prepare, measure, (-1.0, 1.0))


def pairwise_rank_agreement(magnitudes: Tensor, pairs: Pairs) -> Tensor:
    """The share of pairs of features in the same order: ``magnitudes [M, N, d]`` to ``[P, N]``.

    Pairs that tie in both maps are left out, those that tie in one count a half; NaN for a constant map.
    """

    def measure(a: Prepared, b: Prepared) -> Tensor:
        n = _counted(a, b)
        one = n.left + n.right - 2 * n.both
        share = (n.concordant + one / 2) / (n.all - n.both)
        return share.masked_fill((n.left == n.all) | (n.right == n.all), float("nan"))

    return over_pairs(magnitudes, pairs, _prepare, measure, (0.0, 1.0))
