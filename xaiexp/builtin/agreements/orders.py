"""Features of maps in ascending order of magnitude, found once for all measures that rank them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.weak import WeakTensorKeyDictionary

from xaiexp.builtin.agreements.blocks import IN_STEP, in_blocks, turns

__all__ = ["Groups", "Order", "average_ranks", "once", "ordered", "picked"]

T = TypeVar("T")

# As long as someone holds the maps: their version, and what was made of them.
_KEPT: Any = WeakTensorKeyDictionary()
# Numbers from 0 on ascend as their bits do, read as integers; those are sorted digit by digit.
_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class Order:
    """Maps ``[M, N, d]`` in order of magnitude.

    Args:
        features: in ascending order, int32 ``[M, N, d]``; those that tie in any order.
        zeros: how many of them are 0, int64 ``[M, N]``.
        ties: which others tie with the one before them, where all stand in a row, ``[N, M, d]``: int64, ascending.
        constant: whether all features of a map tie, bool ``[M, N]``.
    """

    features: Tensor
    zeros: Tensor
    ties: Tensor
    constant: Tensor


@dataclass(frozen=True)
class Groups:
    """Features that tie, in G groups, where they stand in order.

    Args:
        first: where the first of each stands, ``[G]``.
        size: how many they are, ``[G]``.
    """

    first: Tensor
    size: Tensor

    @classmethod
    def of(cls, ties: Tensor) -> Groups:
        """From the places, in ascending order, of those that tie with the one before."""
        begins = (torch.diff(ties, prepend=ties.new_full((1,), -2)) > 1).nonzero().squeeze(1)
        size = torch.diff(begins, append=ties.new_full((1,), len(ties))) + 1  # of t that tie, t - 1 do with the next
        return cls(ties[begins] - 1, size)

    def of_each(self, numbers: Tensor) -> Tensor:
        """Numbers of the groups ``[G]`` for each of their members."""
        return torch.repeat_interleave(numbers, self.size)

    @property
    def members(self) -> Tensor:
        """Where each of them stands."""
        before = self.size.cumsum(0) - self.size
        each = self.of_each(self.first - before)
        return each.add_(torch.arange(len(each), device=each.device))


def once(maps: Tensor, what: str, make: Callable[[], T]) -> T:
    """What was made of these very maps before, or else what ``make`` makes now; forgotten with the maps."""
    # Torch counts changes in place, except of what was made in inference mode and cannot be changed outside of it.
    now = 0 if maps.is_inference() else maps._version  # noqa: SLF001
    version, kept = _KEPT.get(maps, (None, None))
    if version != now:
        kept = {}
        _KEPT[maps] = (now, kept)
    if what not in kept:
        kept[what] = make()
    found: T = kept[what]
    return found


def picked(numbers: Tensor, places: Tensor) -> Tensor:
    """The ``numbers [..., d]`` at ``places [..., K]``, ``[..., K]``; other sides broadcast."""
    d = numbers.shape[-1]
    if numbers.numel() > d:
        places = places + torch.arange(0, numbers.numel(), d, device=numbers.device).view(*numbers.shape[:-1], 1)
    return numbers.reshape(-1).index_select(0, places.reshape(-1)).view(places.shape)


def ordered(maps: Tensor) -> Order:
    """The order of ``maps [M, N, d]`` by magnitude; finite, d > 0."""
    return once(maps, "order", lambda: _order(maps))


def _order(maps: Tensor) -> Order:
    m, n, d = maps.shape
    features = torch.empty(maps.shape, dtype=torch.int32, device=maps.device)
    zeros = torch.empty(m, n, dtype=torch.int64, device=maps.device)
    constant = torch.empty(m, n, dtype=torch.bool, device=maps.device)
    ties: dict[int, Tensor] = {}

    def sort(rows: slice) -> None:
        bits = maps[:, rows].abs().contiguous().view(_BITS[maps.element_size()])
        into = features[:, rows], zeros[:, rows], constant[:, rows]
        found = _row_by_row(bits, *into) if bits.device.type == "cpu" else _at_once(bits, *into)
        ties[rows.start] = found + rows.start * m * d

    in_blocks(sort, maps)
    return Order(features, zeros, torch.cat([ties[start] for start in sorted(ties)]), constant)


def _row_by_row(bits: Tensor, features: Tensor, zeros: Tensor, constant: Tensor) -> Tensor:
    """Sort ``bits [M, n, d]``, fill in the others, tell the ties; a single row is what torch sorts digit by digit."""
    m, n, d = bits.shape
    ties = []
    for j in range(n):
        for i in range(m):
            numbers, places = bits[i, j].sort()
            features[i, j] = places
            row = numbers.numpy()
            none = int(np.searchsorted(row, 1))
            zeros[i, j] = none
            constant[i, j] = bool(row[0] == row[-1])
            ties.append(np.flatnonzero(row[none + 1 :] == row[none:-1]) + ((j * m + i) * d + none + 1))
    return torch.from_numpy(np.concatenate(ties))


def _at_once(bits: Tensor, features: Tensor, zeros: Tensor, constant: Tensor) -> Tensor:
    """As :func:`_row_by_row`."""
    numbers, places = bits.sort(dim=-1)
    features.copy_(places)
    zeros.copy_((numbers == 0).sum(dim=-1))
    constant.copy_(numbers[..., 0] == numbers[..., -1])
    same = (numbers[..., 1:] == numbers[..., :-1]) & (numbers[..., 1:] > 0)
    return F.pad(same, (1, 0)).transpose(0, 1).flatten().nonzero().squeeze(1)


def average_ranks(maps: Tensor, rows: slice, magnitudes: bool) -> Tensor:
    """The ranks of some examples of ``maps [M, N, d]``, from 0, ties at their average: ``[n, M, d]``.

    Float32, float64 of float64 maps and from 2^22 features on.

    Args:
        rows: the examples.
        magnitudes: whether magnitudes are ranked, or values.

    >>> maps = torch.tensor([[[3.0, 1.0, 3.0, 0.0, -0.0, -2.0]]])
    >>> average_ranks(maps, slice(0, 1), magnitudes=False).tolist()
    [[[4.5, 3.0, 4.5, 1.5, 1.5, 0.0]]]
    """
    order, (m, _, d) = ordered(maps), maps.shape
    wide = torch.float64 if d >= 1 << 22 or maps.dtype == torch.float64 else torch.float32
    values, features = (each[:, rows].transpose(0, 1).reshape(-1, d) for each in (maps, order.features))
    zeros = order.zeros[:, rows].T.reshape(-1, 1)
    place = torch.arange(d, dtype=wide, device=maps.device)
    by_place = torch.empty(features.shape, dtype=wide, device=maps.device)
    negatives = torch.zeros_like(zeros)
    steps = list(turns(len(features), d, IN_STEP, maps.device))
    # Numbers that are read and written here and there are first put where they are in the cache.
    for some in steps:
        if magnitudes:
            by_place[some] = place
        else:
            numbers = picked(values[some].clone(), features[some].long())
            by_place[some], negatives[some] = _of_values(numbers, place, zeros[some])
        if bool((zeros[some] > 1).any()):
            zero = negatives[some] + (zeros[some] - 1) / 2
            by_place[some] = torch.where(place < zeros[some], zero.to(wide), by_place[some])
    bounds = torch.tensor([rows.start, rows.stop], device=maps.device) * (m * d)
    begin, end = torch.searchsorted(order.ties, bounds).tolist()
    _average(by_place, None if magnitudes else negatives, Groups.of(order.ties[begin:end] - bounds[0]))
    out = torch.empty_like(by_place)
    for some in steps:
        out[some] = torch.zeros_like(out[some]).scatter_(-1, features[some].long(), by_place[some])
    return out.view(-1, m, d)


def _of_values(numbers: Tensor, place: Tensor, zeros: Tensor) -> tuple[Tensor, Tensor]:
    """Ranks of ``numbers [R, d]`` in the order of their magnitudes, like ``place [d]``, and how many are below 0.

    Those with one magnitude and one sign have ranks one after the other, and zeros, of which there are so many,
    ``[R, 1]``, the rank of the last of them.
    """
    # A positive number is above all negative ones, the zeros, and the positive ones before it; a negative one is below
    # the negative ones before it.
    d = len(place)
    upto = torch.gt(numbers, 0, out=torch.empty_like(numbers, dtype=torch.int32)).cumsum(-1, dtype=torch.int32)
    negative = torch.lt(numbers, 0, out=torch.empty_like(numbers, dtype=place.dtype))
    ranks = negative.mul_(place).neg_().add_(upto).add_(d - 1 - upto[:, -1:])
    return ranks, d - zeros - upto[:, -1:]


def _average(by_place: Tensor, negatives: Tensor | None, groups: Groups) -> None:
    """Give those that tie the average of their ranks ``[R, d]``, in place.

    Args:
        negatives: how many numbers are below 0, ``[R, 1]``: only those with the same sign tie; None of magnitudes.
    """
    if not len(groups.first):
        return
    d, members, flat = by_place.shape[1], groups.members, by_place.view(-1)
    if negatives is None:
        average = groups.first % d + (groups.size - 1) / 2
        flat[members] = groups.of_each(average.to(flat.dtype))
        return
    ranks = flat[members]
    one = 2 * groups.of_each(torch.arange(len(groups.first), device=members.device))
    one += ranks >= negatives[members // d, 0]
    sums, counts = torch.zeros(2, 2 * len(groups.first), dtype=torch.float64, device=members.device)
    sums.index_add_(0, one, ranks.double())
    counts.index_add_(0, one, torch.ones_like(ranks, dtype=sums.dtype))
    flat[members] = (sums / counts)[one].to(flat.dtype)
