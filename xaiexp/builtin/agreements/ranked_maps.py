"""Maps of the same examples with the orders, ranks and products that several measures need, each computed once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.weak import WeakTensorKeyDictionary

__all__ = ["BLOCK_NUMBERS", "RankedMaps", "Top", "average_ranks", "descending_order", "products"]

# Numbers of all maps that are processed at once; on a CPU they stay in its cache.
BLOCK_NUMBERS = {"cpu": 1 << 19, "cuda": 1 << 24}
# Features that are multiplied in the maps' precision before their sums are added in float64.
_CHUNK = 1024
_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
# From so many numbers on, torch sorts a single row of integers on a CPU by radix sort, five times as fast as floats.
_RADIX_SORT = 1 << 15
# The tensor that a measure was given, while it exists, to its version and its ranked maps.
_MEMO: Any = WeakTensorKeyDictionary()

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


def _computed_once(
    method: Callable[[RankedMaps, *Arguments], Result],
) -> Callable[[RankedMaps, *Arguments], Result]:
    """A method whose result for some arguments is kept with the object."""

    @functools.wraps(method)
    def wrapper(self: RankedMaps, /, *args: *Arguments) -> Result:
        key = (method, args)
        if key not in self._results:
            self._results[key] = method(self, *args)
        result: Result = self._results[key]
        return result

    return wrapper


@dataclass(frozen=True)
class Top:
    """The k features with the largest magnitudes, of each of the maps.

    Args:
        threshold: magnitude of the feature at place k, ``[M, N]``.
        above, tied: how many features have a larger magnitude, and this very one, float64 ``[M, N]``.
        filled: how many of the k places the map's non-zero features fill, float64 ``[M, N]``; NaN where all
            magnitudes are equal.
    """

    threshold: Tensor
    above: Tensor
    tied: Tensor
    filled: Tensor


class RankedMaps:
    """Maps ``[M, N, d]`` and what measures derive from them; finite, d > 0.

    Tables of all pairs of maps are float64 ``[N, M, M]``. The order of the features and these tables are kept; all
    else is computed for a few examples at a time.
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.n_maps, self.n_examples, self.d = values.shape
        self._results: dict[Any, Any] = {}

    @classmethod
    def of(cls, maps: Tensor) -> RankedMaps:
        """The ranked maps of this tensor object, the same ones until it is changed in place or deleted."""
        # Torch does not count changes of tensors made in inference mode.
        version = 0 if maps.is_inference() else maps._version  # noqa: SLF001
        known_version, ranked = _MEMO.get(maps, (None, None))
        if known_version != version:
            # A detached tensor shares the numbers; the tensor itself would never be deleted from the memo.
            ranked = cls(maps.detach())
            _MEMO[maps] = version, ranked
        result: RankedMaps = ranked
        return result

    def blocks(self) -> Iterator[slice]:
        """Ranges of examples that are processed at once."""
        numbers = BLOCK_NUMBERS.get(self.values.device.type, BLOCK_NUMBERS["cpu"])
        step = max(1, numbers // (self.n_maps * self.d))
        for start in range(0, self.n_examples, step):
            yield slice(start, min(start + step, self.n_examples))

    def by_block(self, compute: Callable[[slice], Tensor]) -> Tensor:
        """What ``compute`` returns for blocks of examples, joined along the first axis."""
        return torch.cat([compute(rows) for rows in self.blocks()])

    def top_size(self, k: int | None) -> int:
        """The number of features in the top: k or all, a tenth for None."""
        return max(1, self.d // 10) if k is None else min(k, self.d)

    def ranked_values(self, rows: slice, signed: bool) -> Tensor:
        """The values of some examples, or their magnitudes, at least float32, ``[n, M, d]``."""
        values = self.values[:, rows].transpose(0, 1)
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        return values if signed else values.abs()

    @functools.cached_property
    def order(self) -> Tensor:
        """Features by descending magnitude, int32 ``[M, N, d]``; the order of those that tie is arbitrary."""
        return torch.cat([descending_order(self.values[:, rows].abs()).int() for rows in self.blocks()], dim=1)

    @_computed_once
    def constant(self, signed: bool) -> Tensor:
        """Whether a map ranks nothing: all its values (or magnitudes) are equal, or one is NaN, bool ``[M, N]``."""
        blocks = (self.ranked_values(rows, signed).aminmax(dim=-1) for rows in self.blocks())
        return torch.cat([~(low < high) for low, high in blocks]).T

    @functools.cached_property
    def value_products(self) -> tuple[Tensor, Tensor]:
        """Products of the centred maps, and of their means times d, ``[N, M, M]`` each.

        Each map is first divided by a power of two, which rounds nothing: no square underflows or overflows.
        """

        def multiply(rows: slice) -> Tensor:
            values = self.ranked_values(rows, signed=True)
            low, high = values.aminmax(dim=-1, keepdim=True)
            values = values / torch.ldexp(torch.ones_like(low), torch.frexp(torch.maximum(-low, high)).exponent - 1)
            mean = values.mean(-1, keepdim=True)
            values -= mean
            rounding = values.mean(-1, keepdim=True)  # what is left of a large mean
            values -= rounding
            means = mean.double() + rounding
            return torch.stack([products(values), self.d * means * means.transpose(1, 2)], dim=1)

        centred, means = self.by_block(multiply).unbind(1)
        return centred, means

    @_computed_once
    def rank_products(self, signed: bool) -> Tensor:
        """Products of the centred ranks of the values, or of the magnitudes, ``[N, M, M]``; ties at their average."""
        order = None if signed else self.order

        def multiply(rows: slice) -> Tensor:
            block = None if order is None else order[:, rows].transpose(0, 1).long()
            return products(average_ranks(self.ranked_values(rows, signed), block))

        return self.by_block(multiply)

    @_computed_once
    def top(self, k: int) -> Top:
        """The k largest magnitudes."""
        last = self.order[..., k - 1 : k].long()
        threshold = self.values.gather(-1, last).abs().squeeze(-1)

        def count(rows: slice) -> Tensor:
            magnitudes, bound = self.values[:, rows].abs(), threshold[:, rows, None]
            counts = [(magnitudes > bound).sum(-1), (magnitudes == bound).sum(-1)]
            return torch.stack(counts, dim=-1).transpose(0, 1).double()

        above, tied = self.by_block(count).permute(2, 1, 0)
        filled = torch.where(threshold > 0, float(k), above).masked_fill(self.constant(False), float("nan"))
        return Top(threshold, above, tied, filled)

    @_computed_once
    def common(self, k: int, signed: bool) -> Tensor:
        """How much of the top k every two maps have in common, ``[N, M, M]``: the smaller share, over all features.

        A feature above the threshold has share 1; those that tie at the threshold have equal shares.

        Args:
            signed: whether only features with the same sign count.
        """
        top, m = self.top(k), self.n_maps
        # Where more features tie at the threshold than there are places left, each has a part of a place.
        partial = (top.threshold > 0) & (top.above + top.tied > k)
        bound = torch.where(partial, top.threshold, torch.nextafter(top.threshold, torch.zeros_like(top.threshold)))
        shares = torch.where(partial, (k - top.above) / top.tied, 0.0).T

        def add(rows: slice) -> Tensor:
            values = self.values[:, rows].transpose(0, 1)
            magnitudes = values.abs()
            signs = values.sign().float() if signed else 1.0
            # With signs, a product is how many have the same sign minus how many have opposite ones.
            above = (magnitudes > bound[:, rows].T.unsqueeze(-1)) * signs
            if not bool(partial[:, rows].any()):
                return products(above.float())
            tied = ((magnitudes == top.threshold[:, rows].T.unsqueeze(-1)) & partial[:, rows].T.unsqueeze(-1)) * signs
            counts, share = products(torch.cat([above, tied], dim=1).float()), shares[rows, :, None]
            mixed = counts[:, m:, :m] * share
            both_tied = counts[:, m:, m:] * torch.minimum(share, share.transpose(1, 2))
            return counts[:, :m, :m] + mixed + mixed.transpose(1, 2) + both_tied

        table = self.by_block(add)
        return (table + self.common(k, False)) / 2 if signed else table

    def places(self, rows: slice, k: int, zeros: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """The features of n examples that hold places of the top k, in descending order, and their places.

        Args:
            zeros: whether features with attribution 0 hold places, too.

        Returns:
            The features, int64 ``[M, n, K]``, and the range of places, from 0, that each shares with those that tie
            with it: the first, and the one after the last, int32 ``[M, n, K]``. Outside of the top, the first is at
            least k.
        """
        top = self.top(k)
        reached = torch.where((top.threshold > 0) | zeros, top.above + top.tied, k)[:, rows]
        features = self.order[:, rows, : int(reached.amax())].long()
        magnitudes = self.values[:, rows].gather(-1, features).abs()
        first, last = _tie_bounds(magnitudes)
        return features, first if zeros else first.masked_fill(magnitudes == 0, k), last + 1

    @_computed_once
    def shared_places(self, k: int, signed: bool) -> Tensor:
        """How many places of the top k every two maps give to the same feature, ``[N, M, M]``.

        Args:
            signed: whether only features with the same sign count.
        """

        def count(rows: slice) -> Tensor:
            keys, first, stop = self.places(rows, k)
            n_keys = self.d
            if signed:  # a feature with another sign is another feature
                keys, n_keys = 2 * keys + (self.values[:, rows].gather(-1, keys) > 0), 2 * n_keys
            firsts, stops = (
                torch.full((*keys.shape[:2], n_keys), k, dtype=torch.int32, device=keys.device).scatter_(
                    -1, keys, places
                )
                for places in (first, stop)
            )
            m, n, _ = keys.shape
            table = torch.empty(n, m, m, dtype=torch.float64, device=keys.device)
            for i in range(m):
                index = keys[i].expand_as(keys[i:])
                other_first, other_stop = firsts[i:].gather(-1, index), stops[i:].gather(-1, index)
                size = torch.maximum(stop[i] - first[i], other_stop - other_first).clamp_(min=1)
                shared = torch.minimum(other_stop, stop[i]).clamp_(max=k) - torch.maximum(other_first, first[i])
                table[:, i, i:] = table[:, i:, i] = (shared.clamp_(min=0) / size.double()).sum(-1).T
            return table

        return self.by_block(count)


def descending_order(values: Tensor) -> Tensor:
    """The features of ``values [..., d]`` in descending order, int64 ``[..., d]``; ties in any order.

    >>> values = torch.tensor([1.0, -2.0, 3.0, 0.0])
    >>> descending_order(values).tolist()
    [2, 0, 3, 1]
    """
    integers = _INTEGERS[values.element_size()]
    bits = (values + 0.0).contiguous().view(integers)  # -0.0 becomes 0.0
    # Bits read as integers ascend as positive numbers do, and descend where numbers are negative.
    descending = ~torch.where(bits < 0, bits ^ torch.iinfo(integers).max, bits)
    if values.device.type != "cpu" or values.shape[-1] < _RADIX_SORT:
        return descending.sort(dim=-1).indices
    rows = [row.sort().indices for row in descending.view(-1, values.shape[-1])]
    return torch.stack(rows).view(values.shape)


def average_ranks(values: Tensor, order: Tensor | None = None) -> Tensor:
    """The ranks of ``values [..., d]`` minus their mean, ties at their average; float64 where float32 is not exact.

    Args:
        order: of the features, descending; sorted here where it is None.

    >>> average_ranks(torch.tensor([3.0, 1.0, 3.0, 0.0, -0.0, -2.0])).tolist()
    [2.0, 0.5, 2.0, -1.0, -1.0, -2.5]
    """
    order, d = descending_order(values) if order is None else order, values.shape[-1]
    first, last = _tie_bounds(values.gather(-1, order))
    exact = torch.float64 if d >= 1 << 22 or values.dtype == torch.float64 else torch.float32
    ranks = (d - 1 - first - last).to(exact) / 2
    return torch.empty_like(ranks).scatter_(-1, order, ranks)


def _tie_bounds(descending: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last place of those that tie with each of the sorted ``[..., d]``, int32."""
    d = descending.shape[-1]
    places = torch.arange(d, dtype=torch.int32, device=descending.device)
    differs = descending[..., 1:] != descending[..., :-1]
    first = torch.where(F.pad(differs, (1, 0), value=True), places, 0).cummax(-1).values
    last = torch.where(F.pad(differs, (0, 1), value=True), places, d).flip(-1).cummin(-1).values.flip(-1)
    return first, last


def products(maps: Tensor) -> Tensor:
    """Products of every two of the maps ``[n, M, d]`` of an example, float64 ``[n, M, M]``.

    Computed in the precision of the maps for chunks of features, whose results are added in float64: the error does not
    grow with the number of features.
    """
    n, m, d = maps.shape
    whole = d - d % _CHUNK
    chunks = maps[..., :whole].reshape(n, m, -1, _CHUNK).transpose(1, 2).reshape(-1, m, _CHUNK)
    rest = maps[..., whole:]
    table = torch.bmm(chunks, chunks.transpose(1, 2)).view(n, -1, m, m).sum(1, dtype=torch.float64)
    return table + torch.bmm(rest, rest.transpose(1, 2))
