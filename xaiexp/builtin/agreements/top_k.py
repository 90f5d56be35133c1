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

from collections.abc import Sequence

import torch
from torch import Tensor

from xaiexp.builtin.agreements.pairs import Prepared, over_pairs

__all__ = ["feature_agreement", "filled_places", "first_places", "rank_agreement", "shares", "top_k_iou"]

Pairs = Sequence[tuple[int, int]]


def _places(k: int | None, d: int) -> int:
    return max(1, d // 10) if k is None else min(k, d)


def shares(magnitudes: Tensor, k: int) -> Tensor:
    """The share ``[..., d]`` in [0, 1] that each feature has in the top k of ``magnitudes [..., d]``, k <= d.

    >>> shares(torch.tensor([4.0, 1.0, 2.0, 2.0, 0.0]), 2)
    tensor([1.0000, 0.0000, 0.5000, 0.5000, 0.0000])
    """
    last = magnitudes.kthvalue(magnitudes.shape[-1] - k + 1, dim=-1, keepdim=True).values
    above, tied = magnitudes > last, magnitudes == last
    left = k - above.sum(-1, keepdim=True)
    share = left.to(magnitudes.dtype) / tied.sum(-1, keepdim=True)
    return (above + tied * share) * (magnitudes > 0)


def _taken(magnitudes: Tensor, k: int) -> Tensor:
    """How many of the k places a map fills, ``[...]``; NaN for a map whose magnitudes are all equal."""
    filled = (magnitudes > 0).sum(-1).clamp(max=k).double()
    return filled.masked_fill(magnitudes.amin(-1) == magnitudes.amax(-1), float("nan"))


def filled_places(maps: Tensor, k: int | None) -> Tensor:
    """How many places of the top k each of the ``maps [..., d]`` fills; NaN for one whose magnitudes are all equal."""
    return _taken(maps.abs(), _places(k, maps.shape[-1]))


def _shared(a: Tensor, b: Tensor, signs: tuple[Tensor, Tensor] | None) -> Tensor:
    common = torch.minimum(a, b)
    if signs is not None:
        common = common * (signs[0] == signs[1])
    return common.sum(-1, dtype=torch.float64)


def feature_agreement(maps: Tensor, pairs: Pairs, k: int | None, signed: bool = False) -> Tensor:
    """Common features of the top k, as a share of the larger top: ``maps [M, N, d]`` to ``[P, N]``.

    Args:
        k: None is a tenth of the features.
        signed: whether only features with the same sign count as common.
    """
    places = _places(k, maps.shape[-1])

    def prepare(part: Tensor) -> Prepared:
        magnitudes = part.abs()
        return shares(magnitudes, places), _taken(magnitudes, places), *((part > 0,) if signed else ())

    def measure(a: Prepared, b: Prepared) -> Tensor:
        return _shared(a[0], b[0], (a[2], b[2]) if signed else None) / torch.maximum(a[1], b[1])

    return over_pairs(maps, pairs, prepare, measure, (0.0, 1.0))


def top_k_iou(maps: Tensor, pairs: Pairs, k: int | None) -> Tensor:
    """Intersection over union of the top k features: ``maps [M, N, d]`` to ``[P, N]``."""
    places = _places(k, maps.shape[-1])

    def prepare(part: Tensor) -> Prepared:
        magnitudes = part.abs()
        return shares(magnitudes, places), _taken(magnitudes, places)

    def measure(a: Prepared, b: Prepared) -> Tensor:
        common = _shared(a[0], b[0], None)
        return common / (a[1] + b[1] - common)

    return over_pairs(maps, pairs, prepare, measure, (0.0, 1.0))


def first_places(values: Tensor, k: int) -> Tensor:
    """The place of each of ``values [..., d]``, largest first, 0-based int32; k for all from place k on.

    Those that tie stand at the first of their places.

    >>> first_places(torch.tensor([1.0, 3.0, 2.0, 3.0, 2.0, 2.0]), 3).tolist()
    [3, 0, 2, 0, 2, 2]
    """
    top, index = values.topk(k, dim=-1)
    start = _starts(top).int()
    places = torch.full_like(values, k, dtype=torch.int32).scatter_(-1, index, start)
    # Those that tie with the last place need not all be among the k that topk happened to pick.
    return torch.where(values == top[..., -1:], start[..., -1:], places)


def _starts(ordered: Tensor) -> Tensor:
    """The first place of those that tie with each of ``ordered [..., k]``, int64."""
    place = torch.arange(ordered.shape[-1], device=ordered.device).expand_as(ordered)
    fresh = torch.ones_like(ordered, dtype=torch.bool)
    fresh[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    return torch.where(fresh, place, 0).cummax(-1).values


def _stretches(magnitudes: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The places that each feature holds: the first, 0-based, and how many, int32 ``[..., d]`` each.

    Features outside the top k hold one place from k on.
    """
    values, index = magnitudes.topk(k, dim=-1)
    start = _starts(values)
    size = torch.zeros_like(start).scatter_add_(-1, start, torch.ones_like(start)).gather(-1, start)
    # Those that tie with the last place need not all be among the k that topk happened to pick.
    tied = magnitudes == values[..., -1:]
    starts = torch.full_like(magnitudes, k, dtype=torch.int32).scatter_(-1, index, start.int())
    sizes = torch.ones_like(magnitudes, dtype=torch.int32).scatter_(-1, index, size.int())
    starts = torch.where(tied, start[..., -1:].int(), starts)
    sizes = torch.where(tied, tied.sum(-1, keepdim=True, dtype=torch.int32), sizes)
    return starts.masked_fill_(magnitudes == 0, k), sizes


def rank_agreement(maps: Tensor, pairs: Pairs, k: int | None, signed: bool = False) -> Tensor:
    """Places of the top k with the same feature, as a share of the larger top: ``maps [M, N, d]`` to ``[P, N]``.

    Args:
        k: None is a tenth of the features.
        signed: whether only features with the same sign count.
    """
    places = _places(k, maps.shape[-1])

    def prepare(part: Tensor) -> Prepared:
        magnitudes = part.abs()
        starts, sizes = _stretches(magnitudes, places)
        return starts, sizes, _taken(magnitudes, places), *((part > 0,) if signed else ())

    def measure(a: Prepared, b: Prepared) -> Tensor:
        stop = torch.minimum(a[0] + a[1], b[0] + b[1]).clamp_(max=places)
        common = stop.sub_(torch.maximum(a[0], b[0])).clamp_(min=0).to(maps.dtype)
        common /= torch.maximum(a[1], b[1])
        if signed:
            common *= a[3] == b[3]
        return common.sum(-1, dtype=torch.float64) / torch.maximum(a[2], b[2])

    return over_pairs(maps, pairs, prepare, measure, (0.0, 1.0))
