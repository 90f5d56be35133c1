"""Agreement of the k largest magnitudes: who is among them, at which place, with which sign.

Without ties and zeros the top k is a set of k features, and the formulas are the papers'. Otherwise:

- A feature with attribution 0 is in no top k; a map has ``n = min(k, non-zero features)`` places.
- ``t`` features that tie hold the places they tie for in equal shares: ``1/t`` of each place. The share of a
  feature in the top k is the sum over its places, so ``m/t`` where ``m`` of the t places are within the k.
- Two maps share a feature (a place of a feature) to the extent of the smaller of the two shares, and the sum is
  divided by the larger ``n``.

Where only one of two maps has ties, that is the exact expectation over breaking them at random. It is symmetric,
treats all features alike, and is 1 for a map with itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from xaiexp.builtin.agreements.blocks import AT_WORK, in_blocks, turns
from xaiexp.builtin.agreements.flags import above, both
from xaiexp.builtin.agreements.orders import Groups, once, ordered, picked
from xaiexp.builtin.agreements.pairs import Pairs, of_pairs, undefined

__all__ = [
    "Tops",
    "common",
    "feature_agreement",
    "filled_places",
    "rank_agreement",
    "shared_places",
    "top_k_iou",
    "tops",
]


def _number(k: int | None, d: int) -> int:
    return max(1, d // 10) if k is None else min(k, d)


@dataclass(frozen=True)
class _Last:
    """The last of k places of maps ``[M, N, d]``, each ``[M, N]``.

    Args:
        magnitude: of the feature that holds it.
        above: how many features have a larger one, int64.
        tied: how many have this very one, int64.
    """

    k: int
    magnitude: Tensor
    above: Tensor
    tied: Tensor

    @property
    def filled(self) -> Tensor:
        """How many places a map fills."""
        return torch.where(self.magnitude > 0, self.k, self.above)

    @property
    def shared(self) -> Tensor:
        """Whether more features tie than there are places left for them."""
        return (self.magnitude > 0) & (self.above + self.tied > self.k)


def _last(maps: Tensor, k: int) -> _Last:
    return once(maps, f"last of {k}", lambda: _find_last(maps, k))


def _find_last(maps: Tensor, k: int) -> _Last:
    order, d = ordered(maps), maps.shape[-1]
    low, high = max(0, d - k - 1), min(d, d - k + 2)
    around = picked(maps, order.features[..., low:high]).abs()
    magnitude = around[..., d - k - low]
    above = torch.where(magnitude > 0, k - 1, d - order.zeros)
    tied = torch.where(magnitude > 0, 1, order.zeros)
    some = (((around == magnitude.unsqueeze(-1)).sum(-1) > 1) & (magnitude > 0)).nonzero(as_tuple=True)
    if len(some[0]):
        numbers, last = maps[some].abs(), magnitude[some].unsqueeze(-1)
        above[some], tied[some] = (numbers > last).sum(-1), (numbers == last).sum(-1)
    return _Last(k, magnitude, above, tied)


@dataclass(frozen=True)
class Tops:
    """The features of the top k of maps ``[M, N, d]``, in descending order; K is k, or more where the last ones tie.

    Args:
        k: the number of places.
        features: int64 ``[M, N, K]``.
        first, size: the places that each holds: the first, from 0, and how many, int32 ``[M, N, K]``; a feature with
            attribution 0, or beyond the k, stands at place k.
    """

    k: int
    features: Tensor
    first: Tensor
    size: Tensor

    def tying(self, rows: slice) -> Tensor:
        """Which of some examples have features that tie, bool ``[n]``."""
        return (self.size[:, rows] > 1).any(-1).any(0)


def tops(maps: Tensor, k: int, zeros: bool = False) -> Tops:
    """The top k of ``maps [M, N, d]`` by magnitude.

    Args:
        zeros: whether a feature with attribution 0 holds a place as any other.
    """
    return once(maps, f"top {k}, {zeros}", lambda: _tops(maps, k, zeros))


def _tops(maps: Tensor, k: int, zeros: bool) -> Tops:
    last, order, (m, n, d) = _last(maps, k), ordered(maps), maps.shape
    reached = torch.where((last.magnitude > 0) | zeros, last.above + last.tied, k)
    wide = max(k, int(reached.amax()))
    features = order.features[..., d - wide :].flip(-1).long()
    place = torch.arange(wide, dtype=torch.int32, device=maps.device)
    first, size = place.expand(features.shape).contiguous(), torch.ones_like(features, dtype=torch.int32)
    # Counted from the last, who tied with the one before ties with the one behind.
    ties = order.ties[order.ties % d > d - wide]
    row, back = ties // d, d - ties % d
    groups = Groups.of(torch.sort(((row % m) * n + row // m) * wide + back).values)
    if len(groups.first):
        members = groups.members
        first.view(-1)[members] = groups.of_each(groups.first % wide).int()
        size.view(-1)[members] = groups.of_each(groups.size).int()
    if zeros:
        none = order.zeros.unsqueeze(-1).int()
        size = torch.where(place >= d - none, none, size)
        first = torch.where(place >= d - none, d - none, first)
    filled = k if zeros else last.filled.unsqueeze(-1)
    return Tops(k, features, first.masked_fill_(first >= filled, k), size)


def filled_places(maps: Tensor, k: int | None) -> Tensor:
    """How many places of the top k each of the ``maps [M, N, d]`` fills; NaN for one whose magnitudes are all equal."""
    filled = _last(maps, _number(k, maps.shape[-1])).filled
    return filled.double().masked_fill(ordered(maps).constant, float("nan"))


def common(maps: Tensor, k: int | None, signed: bool = False) -> Tensor:
    """How much of the top k every two of the maps ``[M, N, d]`` have in common, float64 ``[N, M, M]``.

    The smaller of the two shares, added up over the features. A share is 1, or in a map the same for all features
    that tie for its last places, so the sum is made of how many features are surely in, or tied, in both.

    Args:
        signed: whether only features with the same sign count.
    """
    return once(maps, f"common to the top {k}, {signed}", lambda: _common(maps, k, signed))


def _common(maps: Tensor, k: int | None, signed: bool) -> Tensor:
    last = _last(maps, _number(k, maps.shape[-1]))
    share = torch.where(last.shared, (last.k - last.above).double() / last.tied, 0.0)
    # Where all those with the last magnitude are in, what is larger than the number before it is; 0 is before 0.
    before = torch.nextafter(last.magnitude, torch.zeros_like(last.magnitude))
    bound = torch.where(last.shared, last.magnitude, before)
    m, n, _ = maps.shape
    out = torch.zeros(n, m, m, dtype=torch.float64, device=maps.device)

    def count(rows: slice) -> None:
        own = share[:, rows].T
        for values in (maps[:, rows], -maps[:, rows]) if signed else (maps[:, rows].abs(),):
            sure = above(values, bound[:, rows, None])
            out[rows] += both(sure, sure)
            if not bool(own.any()):
                continue
            last_ones = (values == last.magnitude[:, rows, None]) & last.shared[:, rows, None]
            tied = above(last_ones.float(), torch.zeros((), device=maps.device))
            half = both(sure, tied) * own.unsqueeze(1)
            out[rows] += half + half.transpose(1, 2)
            out[rows] += both(tied, tied) * torch.minimum(own.unsqueeze(1), own.unsqueeze(2))

    in_blocks(count, maps)
    return out


def feature_agreement(maps: Tensor, pairs: Pairs, k: int | None, signed: bool = False) -> Tensor:
    """Common features of the top k, as a share of the larger top: ``maps [M, N, d]`` to ``[P, N]``.

    Args:
        k: None is a tenth of the features.
        signed: whether only features with the same sign count as common.
    """
    if not maps.numel():
        return undefined(maps, pairs)
    return _share_of_larger(common(maps, k, signed), filled_places(maps, k), pairs).to(maps.dtype)


def _share_of_larger(table: Tensor, filled: Tensor, pairs: Pairs) -> Tensor:
    """``[P, N]`` of ``[N, M, M]``, with the places that the maps fill, ``[M, N]``."""
    larger = torch.maximum(filled.T.unsqueeze(1), filled.T.unsqueeze(2))
    return of_pairs(table / larger, pairs).clamp(0.0, 1.0)


def top_k_iou(maps: Tensor, pairs: Pairs, k: int | None) -> Tensor:
    """Intersection over union of the top k features: ``maps [M, N, d]`` to ``[P, N]``."""
    if not maps.numel():
        return undefined(maps, pairs)
    table, filled = common(maps, k), filled_places(maps, k).T
    union = filled.unsqueeze(1) + filled.unsqueeze(2) - table
    return of_pairs(table / union, pairs).clamp(0.0, 1.0).to(maps.dtype)


def shared_places(maps: Tensor, k: int, signed: bool) -> Tensor:
    """How many places of the top k every two of the maps ``[M, N, d]`` give to the same feature, float64 ``[N, M, M]``.

    Args:
        signed: whether only features with the same sign count.
    """
    return once(maps, f"places shared in the top {k}", lambda: _shared_places(maps, k))[int(signed)]


def _shared_places(maps: Tensor, k: int) -> Tensor:
    """As :func:`shared_places`, of any sign and of the same one, ``[2, N, M, M]``."""
    found = tops(maps, k)
    m, n, _ = maps.shape
    out = torch.empty(2, n, m, m, dtype=torch.float64, device=maps.device)

    def count(rows: slice) -> None:
        features = found.features[:, rows]
        positive = picked(maps[:, rows], features) > 0
        # A feature that is alone at its place is told by one number; where something ties, more is to be asked.
        none = (found.size[:, rows] > 1) | (found.first[:, rows] >= k)
        for one, numbers in enumerate((features, 2 * features + positive)):
            code = numbers.int()
            known = code.masked_fill(none, -2)
            code.masked_fill_(none, -1)
            for left in turns(m, code.numel(), AT_WORK, maps.device):
                own = known[left, None]
                same = torch.eq(code, own, out=code.new_empty(len(own), *code.shape))
                out[one, rows, left] = same.sum(-1, dtype=torch.int32).permute(2, 0, 1).double()
        for i in found.tying(rows).nonzero().squeeze(1).tolist():
            out[:, rows.start + i] += _tied_places(found, rows.start + i, positive[:, i], maps.shape[-1])

    in_blocks(count, maps)
    return out


def _tied_places(found: Tops, example: int, positive: Tensor, d: int) -> Tensor:
    """The part of :func:`_shared_places` of an example's features that tie with another in a map, ``[2, M, M]``.

    Args:
        positive: which of the features are, bool ``[M, K]``.
        d: the number of features.
    """
    features, first, size = found.features[:, example], found.first[:, example], found.size[:, example]
    m, wide = features.shape
    some = torch.unique(features[(size > 1) & (first < found.k)])
    table = torch.full((m, d), wide, dtype=torch.int32, device=features.device)
    place = torch.arange(wide, dtype=torch.int32, device=features.device).expand_as(features)
    at = table.scatter_(-1, features, place)[:, some].long()
    # Where each stands in every map, one row for each; beyond the top, behind the last place.
    first, size, positive = (
        F.pad(held, (0, 1), value=otherwise).gather(-1, at)
        for held, otherwise in ((first, found.k), (size, 1), (positive, 0))
    )
    stop = first + size
    out = torch.empty(2, m, m, dtype=torch.float64, device=features.device)
    for rows in turns(m, at.numel(), AT_WORK, at.device):
        left = rows, None
        shared = torch.minimum(stop, stop[left]).clamp_(max=found.k) - torch.maximum(first, first[left])
        larger = torch.maximum(size, size[left])
        share = shared.clamp_(min=0) * (larger > 1) / larger.double()
        out[0, rows] = share.sum(-1)
        out[1, rows] = (share * (positive == positive[left])).sum(-1)
    return out


def rank_agreement(maps: Tensor, pairs: Pairs, k: int | None, signed: bool = False) -> Tensor:
    """Places of the top k with the same feature, as a share of the larger top: ``maps [M, N, d]`` to ``[P, N]``.

    Args:
        k: None is a tenth of the features.
        signed: whether only features with the same sign count.
    """
    if not maps.numel():
        return undefined(maps, pairs)
    table = shared_places(maps, _number(k, maps.shape[-1]), signed)
    return _share_of_larger(table, filled_places(maps, k), pairs).to(maps.dtype)
