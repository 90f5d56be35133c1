"""Features of maps in ascending order, found once for all measures that rank them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

__all__ = ["Order", "at_work", "average_ranks", "blocks", "constant", "once", "ordered"]

T = TypeVar("T")

# Numbers of all maps of an example that are at work at once: on a CPU, they stay in its cache.
_AT_WORK = {"cpu": 1 << 19, "cuda": 1 << 24}
# As long as someone holds the maps: their version, and what was made of them.
_KEPT: Any = WeakTensorKeyDictionary()


@dataclass(frozen=True)
class Order:
    """Maps ``[..., d]`` in order.

    Args:
        features: the features by value, ascending, int32; those that tie in any order.
        ranks: the rank of each feature from 0, ties at their average, float32 (float64 from 2^22 features on).
    """

    features: Tensor
    ranks: Tensor


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


def at_work(maps: Tensor) -> int:
    """How many numbers of all maps are at work at once, where they are."""
    return _AT_WORK.get(maps.device.type, _AT_WORK["cpu"])


def blocks(maps: Tensor) -> Iterator[slice]:
    """Stretches of the examples of ``maps [M, N, d]`` that are at work at once."""
    m, n, d = maps.shape[0], maps.shape[1], maps[0, 0].numel() if maps.shape[1] else 0
    step = max(1, at_work(maps) // max(1, m * d))
    for start in range(0, n if d else 0, step):
        yield slice(start, start + step)


def ordered(maps: Tensor, magnitudes: bool) -> Order:
    """The order of ``maps [M, N, d]``, of their magnitudes or their values; finite, d > 0."""
    return once(maps, f"order, {magnitudes}", lambda: _order(maps, magnitudes))


def constant(maps: Tensor, magnitudes: bool) -> Tensor:
    """Which of ``maps [..., d]`` rank nothing since all numbers are equal: bool ``[...]``."""
    ends = ordered(maps, magnitudes).features[..., [0, -1]].long()
    low, high = maps.gather(-1, ends).unbind(-1)
    return low.abs() == high.abs() if magnitudes else low == high


def average_ranks(values: Tensor) -> Tensor:
    """Ranks of ``values [..., d]`` from 0, ties at their average.

    >>> average_ranks(torch.tensor([3.0, 1.0, 3.0, 0.0, -0.0, -2.0])).tolist()
    [4.5, 3.0, 4.5, 1.5, 1.5, 0.0]
    """
    return _order(values, magnitudes=False).ranks


def _order(values: Tensor, magnitudes: bool) -> Order:
    wide = torch.float64 if values.shape[-1] >= 1 << 22 else torch.float32
    if values.device.type != "cpu" or values.dtype != torch.float32 or not values.numel():
        return _by_torch(values.abs() if magnitudes else values, wide)
    rows = values.reshape(-1, values.shape[-1])
    features, ranks = torch.empty_like(rows, dtype=torch.int32), torch.empty_like(rows, dtype=wide)
    given, found, ranked = rows.detach().numpy(), features.numpy(), ranks.numpy()
    workers = min(torch.get_num_threads(), len(rows))
    shares = [slice(k * len(rows) // workers, (k + 1) * len(rows) // workers) for k in range(workers)]
    with ThreadPoolExecutor(workers) as pool:  # numpy lets go of the lock while it sorts
        list(pool.map(lambda own: _by_integers(given[own], found[own], ranked[own], magnitudes), shares))
    return Order(features.view(values.shape), ranks.view(values.shape))


def _by_torch(values: Tensor, wide: torch.dtype) -> Order:
    ordered, features = values.sort(dim=-1)
    place = torch.arange(values.shape[-1], device=values.device).expand_as(values)
    fresh = torch.ones_like(values, dtype=torch.bool)
    fresh[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    first = torch.where(fresh, place, 0).cummax(-1).values
    size = torch.zeros_like(first).scatter_add_(-1, first, torch.ones_like(first)).gather(-1, first)
    ranks = first.to(wide).add_(size, alpha=0.5).sub_(0.5)
    return Order(features.int(), torch.empty_like(ranks).scatter_(-1, features, ranks))


def _by_integers(
    values: NDArray[np.float32], features: NDArray[np.int32], ranks: NDArray[Any], magnitudes: bool
) -> None:
    """Fill in the order of each row of ``values [R, d]``: one integer holds number and place, and those are sorted."""
    d = values.shape[1]
    places, plain = np.arange(d, dtype=np.int64), np.arange(d, dtype=ranks.dtype)
    keys, where = np.empty(d, dtype=np.int64), np.empty(d, dtype=np.int64)
    number, bits, flips, by_place = np.empty_like(values[0]), *np.empty((2, d), dtype=np.int32), np.empty_like(plain)
    for row, own_features, own_ranks in zip(values, features, ranks, strict=True):
        if magnitudes:
            np.bitwise_and(row.view(np.int32), 0x7FFFFFFF, out=bits)
        else:
            # The bits of floats ascend as integers do, those of negative ones the other way round.
            np.add(row, 0.0, out=number)  # with one zero, not two
            np.right_shift(number.view(np.int32), 31, out=flips)
            np.bitwise_and(flips, 0x7FFFFFFF, out=flips)
            np.bitwise_xor(number.view(np.int32), flips, out=bits)
        np.copyto(keys, bits)
        np.left_shift(keys, 32, out=keys)
        np.bitwise_or(keys, places, out=keys)
        keys.sort()
        np.bitwise_and(keys, 0xFFFFFFFF, out=where)
        np.right_shift(keys, 32, out=keys)
        np.copyto(by_place, plain)
        _average_ties(keys, by_place)
        np.copyto(own_features, where, casting="same_kind")
        own_ranks[where] = by_place


def _average_ties(ordered: NDArray[np.int64], ranks: NDArray[Any]) -> None:
    """Give those that tie in ``ordered [d]`` the average of their ranks, in place; as many steps as there are ties."""
    tied = np.flatnonzero(ordered[1:] == ordered[:-1])
    if not len(tied):
        return
    begins = np.flatnonzero(np.diff(tied, prepend=-2) > 1)
    first = tied[begins]
    size = np.diff(begins, append=len(tied)) + 1  # a group of t features has t - 1 that tie with the next
    members = np.repeat(first - np.cumsum(size) + size, size) + np.arange(size.sum())
    ranks[members] = np.repeat(first + (size - 1) / 2, size)
