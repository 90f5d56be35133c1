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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xaiexp.builtin.agreements.orders import at_work, blocks, constant, once, ordered

__all__ = [
    "Tops",
    "common",
    "compared",
    "feature_agreement",
    "filled_places",
    "looked_up",
    "of_pairs",
    "rank_agreement",
    "shared_places",
    "top_k_iou",
    "tops",
]

Pairs = Sequence[tuple[int, int]]


def _number(k: int | None, d: int) -> int:
    return max(1, d // 10) if k is None else min(k, d)


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

    def positive(self, maps: Tensor) -> Tensor:
        """Which of the features are positive, bool ``[M, N, K]``."""
        return maps.gather(-1, self.features) > 0


def compared(maps: Tensor, features: Tensor) -> Iterator[tuple[slice, slice]]:
    """Examples, and maps whose ``features [M, N, K]`` are looked up in all maps, that are at work at once."""
    for rows in blocks(maps):
        each = features[:, rows].numel()
        step = max(1, at_work(maps) // max(1, each))
        for start in range(0, len(maps), step):
            yield rows, slice(start, start + step)


def looked_up(table: Tensor, features: Tensor) -> Tensor:
    """What all maps ``[M, n, d]`` hold for ``features [m, n, K]`` of some: ``[m, M, n, K]``."""
    where = features.unsqueeze(1).expand(-1, len(table), -1, -1)
    return table.expand(len(features), -1, -1, -1).gather(-1, where)


def tops(maps: Tensor, k: int, zeros: bool = False) -> Tops:
    """The top k of ``maps [M, N, d]`` by magnitude.

    Args:
        zeros: whether a feature with attribution 0 holds a place as any other.
    """
    return once(maps, f"top {k}, {zeros}", lambda: _tops(maps, k, zeros))


def _tops(maps: Tensor, k: int, zeros: bool) -> Tops:
    d = maps.shape[-1]
    order = ordered(maps, magnitudes=True).features
    last = _magnitudes(maps, order[..., d - k : d - k + 1])
    wide = k
    if k < d:
        more = _magnitudes(maps, order[..., d - k - 1 : d - k]) == last
        counted = last >= 0 if zeros else last > 0
        if bool((more & counted).any()):
            wide = int(((maps.abs() >= last).sum(-1, keepdim=True) * counted).amax().clamp(min=k))
    features = order[..., d - wide :].flip(-1).long()
    values = maps.gather(-1, features).abs()
    place = torch.arange(wide, dtype=torch.int32, device=maps.device).expand_as(values)
    fresh = torch.ones_like(values, dtype=torch.bool)
    fresh[..., 1:] = values[..., 1:] != values[..., :-1]
    first = torch.where(fresh, place, 0).cummax(-1).values
    slots = first.long()
    size = torch.zeros_like(first).scatter_add_(-1, slots, torch.ones_like(first)).gather(-1, slots)
    none = first >= k if zeros else (first >= k) | (values == 0)
    return Tops(k, features, first.masked_fill(none, k), size)


def _magnitudes(maps: Tensor, features: Tensor) -> Tensor:
    return maps.gather(-1, features.long()).abs()


def filled_places(maps: Tensor, k: int | None) -> Tensor:
    """How many places of the top k each of the ``maps [M, N, d]`` fills; NaN for one whose magnitudes are all equal."""
    found = tops(maps, _number(k, maps.shape[-1]))
    filled = (found.first < found.k).sum(-1).clamp(max=found.k).double()
    return filled.masked_fill(constant(maps, magnitudes=True), float("nan"))


def common(maps: Tensor, k: int | None, signed: bool = False) -> Tensor:
    """How much of the top k every two of the maps ``[M, N, d]`` have in common, float64 ``[N, M, M]``.

    The smaller of the two shares, added up over the features. A share is 1, or in a map the same for all features
    that tie for its last places, so the sum is made of how many features are surely in, or tied, in both.

    Args:
        signed: whether only features with the same sign count.
    """
    return once(maps, f"common to the top {k}, {signed}", lambda: _common(maps, k, signed))


def _common(maps: Tensor, k: int | None, signed: bool) -> Tensor:
    found = tops(maps, _number(k, maps.shape[-1]))
    m, n, d = maps.shape
    positive = found.positive(maps) if signed else None
    sure = (found.first + found.size <= found.k) & (found.first < found.k)
    tied = (found.first < found.k) & ~sure
    share = ((found.k - found.first).double() / found.size).masked_fill(~tied, 0.0).amax(-1)
    some = bool(tied.any())
    kinds = [sure, tied] if some else [sure]
    out = torch.zeros(n, m, m, dtype=torch.float64, device=maps.device)
    for rows in blocks(maps):
        features = found.features[:, rows]
        for sign in (positive, ~positive) if positive is not None else (None,):
            held = [kind[:, rows] if sign is None else kind[:, rows] & sign[:, rows] for kind in kinds]
            flags = torch.zeros(len(kinds), m, features.shape[1], d, device=maps.device)
            for flag, kind in zip(flags, held, strict=True):
                flag.scatter_(-1, features, kind.float())
            flat = flags.flatten(0, 1).transpose(0, 1)
            grams = (flat @ flat.transpose(1, 2)).double()  # whole numbers, exact in float32 below 2^24
            out[rows] += _added(grams, share[:, rows].T) if some else grams
    return out


def _added(grams: Tensor, share: Tensor) -> Tensor:
    """Products ``[n, 2 M, 2 M]`` of those surely in and those tied, weighed by the smaller share; shares ``[n, M]``."""
    m = share.shape[1]
    sure, mixed, tied = grams[:, :m, :m], grams[:, :m, m:], grams[:, m:, m:]
    half = mixed * share.unsqueeze(1)
    return sure + half + half.transpose(1, 2) + tied * torch.minimum(share.unsqueeze(1), share.unsqueeze(2))


def _empty(maps: Tensor, pairs: Pairs) -> Tensor:
    return maps.new_full((len(pairs), maps.shape[1]), float("nan"))


def of_pairs(table: Tensor, pairs: Pairs) -> Tensor:
    """The entries of ``[N, M, M]`` for P pairs, ``[P, N]``."""
    left, right = torch.tensor(list(pairs), dtype=torch.int64, device=table.device).view(-1, 2).unbind(1)
    return table[:, left, right].T


def feature_agreement(maps: Tensor, pairs: Pairs, k: int | None, signed: bool = False) -> Tensor:
    """Common features of the top k, as a share of the larger top: ``maps [M, N, d]`` to ``[P, N]``.

    Args:
        k: None is a tenth of the features.
        signed: whether only features with the same sign count as common.
    """
    if not maps.numel():
        return _empty(maps, pairs)
    return _share_of_larger(common(maps, k, signed), filled_places(maps, k), pairs).to(maps.dtype)


def _share_of_larger(table: Tensor, filled: Tensor, pairs: Pairs) -> Tensor:
    """``[P, N]`` of ``[N, M, M]``, with the places that the maps fill, ``[M, N]``."""
    larger = torch.maximum(filled.T.unsqueeze(1), filled.T.unsqueeze(2))
    return of_pairs(table / larger, pairs).clamp(0.0, 1.0)


def top_k_iou(maps: Tensor, pairs: Pairs, k: int | None) -> Tensor:
    """Intersection over union of the top k features: ``maps [M, N, d]`` to ``[P, N]``."""
    if not maps.numel():
        return _empty(maps, pairs)
    table, filled = common(maps, k), filled_places(maps, k).T
    union = filled.unsqueeze(1) + filled.unsqueeze(2) - table
    return of_pairs(table / union, pairs).clamp(0.0, 1.0).to(maps.dtype)


def shared_places(maps: Tensor, k: int, signed: bool) -> Tensor:
    """How many places of the top k every two of the maps ``[M, N, d]`` give to the same feature, float64 ``[N, M, M]``.

    Args:
        signed: whether only features with the same sign count.
    """
    found = tops(maps, k)
    m, n, _ = maps.shape
    alone = found.size == 1
    # A feature that is alone at its place is told by one number; where something ties, both maps are asked for more.
    code = found.first * 2
    if signed:
        code += found.positive(maps)
    none = ~alone | (found.first >= k)
    code, known = code.masked_fill(none, -1), code.masked_fill(none, -2)
    out = torch.zeros(m, m, n, dtype=torch.float64, device=maps.device)
    for rows in blocks(maps):
        table = torch.full(maps[:, rows].shape, -2, dtype=code.dtype, device=maps.device)
        table.scatter_(-1, found.features[:, rows], known[:, rows])
        for left in range(m):
            theirs = table.gather(-1, found.features[left, rows].expand(m, -1, -1))
            out[left, :, rows] = (theirs == code[left, rows]).sum(-1)
    if not bool(alone.all()):
        out += _tied_places(maps, found, signed)
    return out.permute(2, 0, 1)


def _tied_places(maps: Tensor, found: Tops, signed: bool) -> Tensor:
    """The part of :func:`shared_places` that is of features which tie with another in a map, ``[M, M, N]``."""
    m, n, d = maps.shape
    out = torch.zeros(m, m, n, dtype=torch.float64, device=maps.device)
    tying = (found.size > 1) & (found.first < found.k)
    for i in tying.any(dim=2).any(dim=0).nonzero().squeeze(1).tolist():
        some = torch.unique(found.features[:, i][tying[:, i]])  # in the order of the features
        first, size = (
            torch.full((m, d), otherwise, dtype=held.dtype, device=maps.device).scatter_(
                -1, found.features[:, i], held[:, i]
            )[:, some]
            for held, otherwise in ((found.first, found.k), (found.size, 1))
        )
        positive = maps[:, i, some] > 0
        for left in range(m):
            stop = torch.minimum(first + size, first[left] + size[left]).clamp_(max=found.k)
            common = (stop - torch.maximum(first, first[left])).clamp_(min=0).double()
            common /= torch.maximum(size, size[left])
            counted = (size > 1) | (size[left] > 1)
            if signed:
                counted &= positive == positive[left]
            out[left, :, i] = (common * counted).sum(-1)
    return out


def rank_agreement(maps: Tensor, pairs: Pairs, k: int | None, signed: bool = False) -> Tensor:
    """Places of the top k with the same feature, as a share of the larger top: ``maps [M, N, d]`` to ``[P, N]``.

    Args:
        k: None is a tenth of the features.
        signed: whether only features with the same sign count.
    """
    if not maps.numel():
        return _empty(maps, pairs)
    table = shared_places(maps, _number(k, maps.shape[-1]), signed)
    return _share_of_larger(table, filled_places(maps, k), pairs).to(maps.dtype)
