"""Features of maps in ascending order of magnitude, found once for all measures that rank them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.weak import WeakTensorKeyDictionary

__all__ = ["AT_WORK", "IN_STEP", "Groups", "Order", "average_ranks", "in_blocks", "once", "ordered", "picked", "turns"]

T = TypeVar("T")

# Numbers of all maps of an example that are at work at once: on a CPU, they stay in its cache.
AT_WORK = {"cpu": 1 << 19, "cuda": 1 << 24}
# Numbers that one step of several in a row is for.
IN_STEP = {"cpu": 1 << 16, "cuda": 1 << 24}
# Fewer than these are not worth a second thread.
_ALONE = 1 << 16
# As long as someone holds the maps: their version, and what was made of them.
_KEPT: Any = WeakTensorKeyDictionary()
# Numbers from 0 on ascend as their bits do, read as integers; those are sorted digit by digit.
_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class Order:
    """Maps ``[M, N, d]`` in order of magnitude.

    Args:
        features: in ascending order, int32 ``[M, N, d]``; those that tie in any order.
        ties: which features tie with the one before them, where all stand in a row, ``[N, M, d]``: int64, ascending.
        constant: whether all features of a map tie, bool ``[M, N]``.
    """

    features: Tensor
    ties: Tensor
    constant: Tensor

    def ties_of(self, rows: slice) -> Tensor:
        """Those of some examples, from the first of them on."""
        each = self.features.shape[0] * self.features.shape[2]
        return _between(self.ties, rows.start * each, rows.stop * each)


def _between(ties: Tensor, start: int, stop: int) -> Tensor:
    begin, end = torch.searchsorted(ties, torch.tensor([start, stop], device=ties.device)).tolist()
    return ties[begin:end] - start


@dataclass(frozen=True)
class Groups:
    """Features that tie, G of them, where they stand in order.

    Args:
        members: where each stands, ``[G]``.
        first: where the first of those that it ties with stands, itself or one before it, ``[G]``.
        size: how many they are, itself with them, ``[G]``.
        number: of its group, from 0, ``[G]``.
    """

    members: Tensor
    first: Tensor
    size: Tensor
    number: Tensor

    @classmethod
    def of(cls, ties: Tensor) -> Groups:
        """From the places, in ascending order, of those that tie with the one before."""
        begins = (torch.diff(ties, prepend=ties.new_full((1,), -2)) > 1).nonzero().squeeze(1)
        size = torch.diff(begins, append=ties.new_full((1,), len(ties))) + 1  # of t that tie, t - 1 do with the next
        number = torch.repeat_interleave(size)
        first = (ties[begins] - 1)[number]
        within = torch.arange(len(number), device=ties.device) - (size.cumsum(0) - size)[number]
        return cls(first + within, first, size[number], number)


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


def in_blocks(run: Callable[[slice], None], maps: Tensor, at_work: int | None = None) -> None:
    """``run`` for one stretch of the examples of ``maps [M, N, d]`` after the other, until all had their turn.

    On a CPU as many stretches at once as torch has threads, each with one of them: the steps of a measure are too
    short to be shared out, and threads would wait for each other for longer than they work.

    Args:
        at_work: how many numbers of all maps a stretch has about.
    """
    m, n, d = maps.shape
    if not maps.numel():
        return
    if at_work is None:
        at_work = AT_WORK.get(maps.device.type, AT_WORK["cpu"])
    threads = torch.get_num_threads() if maps.device.type == "cpu" and maps.numel() > _ALONE else 1
    step = max(1, min(at_work // (m * d), -(-n // threads)))
    stretches = [slice(start, min(n, start + step)) for start in range(0, n, step)]
    if threads == 1 or len(stretches) == 1:
        for rows in stretches:
            run(rows)
        return
    inference = torch.is_inference_mode_enabled()  # which each thread has to be told

    def work(rows: slice) -> None:
        with torch.inference_mode(inference):
            run(rows)

    torch.set_num_threads(1)  # also of threads that are made from here on
    try:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, stretches))
    finally:
        torch.set_num_threads(threads)


def turns(count: int, each: int, at_once: Mapping[str, int], device: torch.device) -> Iterator[slice]:
    """Stretches of so many rows of ``each`` numbers, for as many numbers as are done at once on the device."""
    step = max(1, at_once.get(device.type, at_once["cpu"]) // max(1, each))
    for start in range(0, count, step):
        yield slice(start, start + step)


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
    constant = torch.empty(m, n, dtype=torch.bool, device=maps.device)
    found: dict[int, Tensor] = {}

    def sort(rows: slice) -> None:
        bits = maps[:, rows].abs().contiguous().view(_BITS[maps.element_size()])
        put = _row_by_row if bits.device.type == "cpu" else _at_once
        found[rows.start] = put(bits, features[:, rows], constant[:, rows]) + rows.start * m * d

    in_blocks(sort, maps)
    return Order(features, torch.cat([found[start] for start in sorted(found)]), constant)


def _row_by_row(bits: Tensor, features: Tensor, constant: Tensor) -> Tensor:
    """Sort ``bits [M, n, d]``, fill in the others, tell the ties; a single row is what torch sorts digit by digit."""
    m, n, d = bits.shape
    ties = []
    for j in range(n):
        for i in range(m):
            numbers, places = bits[i, j].sort()
            features[i, j] = places
            row = numbers.numpy()
            constant[i, j] = bool(row[0] == row[-1])
            ties.append(np.flatnonzero(row[1:] == row[:-1]) + ((j * m + i) * d + 1))
    return torch.from_numpy(np.concatenate(ties))


def _at_once(bits: Tensor, features: Tensor, constant: Tensor) -> Tensor:
    """As :func:`_row_by_row`."""
    numbers, places = bits.sort(dim=-1)
    features.copy_(places)
    constant.copy_(numbers[..., 0] == numbers[..., -1])
    same = F.pad(numbers[..., 1:] == numbers[..., :-1], (1, 0))
    return same.transpose(0, 1).flatten().nonzero().squeeze(1)


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
    out = torch.empty(features.shape, dtype=wide, device=maps.device)
    place = torch.arange(d, dtype=wide, device=maps.device)
    for some in turns(len(out), d, IN_STEP, maps.device):
        own = features[some].long()
        # Numbers that are read and written here and there are first put where they are in the cache.
        by_place = place.expand(own.shape) if magnitudes else _of_values(picked(values[some].clone(), own), place)
        out[some] = torch.zeros_like(out[some]).scatter_(-1, own, by_place)
    groups = Groups.of(order.ties_of(rows))
    if len(groups.members):
        row = groups.members // d
        tied = row, features[row, groups.members % d].long()
        out[tied] = _averaged(out[tied], values[tied], groups, magnitudes)
    return out.view(-1, m, d)


def _of_values(by_place: Tensor, place: Tensor) -> Tensor:
    """Ranks of values ``[R, d]`` that stand in the order of their magnitudes, like ``place [d]``.

    Of magnitudes that tie, each is taken to be in its place, except zeros, which are all taken for the last of them.
    """
    # A positive number is above all negative ones, the zeros, and the positive ones before it; a negative one is below
    # the negative ones before it.
    positive = torch.gt(by_place, 0, out=torch.empty_like(by_place, dtype=torch.int32)).cumsum(-1, dtype=torch.int32)
    negative = torch.lt(by_place, 0, out=torch.empty_like(by_place, dtype=place.dtype))
    return negative.mul_(place).neg_().add_(positive).add_(len(place) - 1 - positive[..., -1:])


def _averaged(ranks: Tensor, values: Tensor, groups: Groups, magnitudes: bool) -> Tensor:
    """The average ``[G]`` over those that tie; of values, over those of them that have the same sign."""
    one = groups.number * 2 + (0 if magnitudes else values > 0)
    zeros = (values == 0) & (not magnitudes)
    sums, counts = torch.zeros(2, 2 * int(groups.number[-1]) + 2, dtype=torch.float64, device=ranks.device)
    sums.index_add_(0, one, ranks.double())
    counts.index_add_(0, one, torch.ones_like(one, dtype=sums.dtype))
    average: Tensor = (sums / counts)[one] - torch.where(zeros, (groups.size - 1) / 2, 0)
    return average.to(ranks.dtype)
