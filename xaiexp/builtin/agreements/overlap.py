"""Agreement of the tops of two rankings at every depth, and of the top k beyond what chance gives."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from xaiexp.builtin.agreements.blocks import AT_WORK, in_blocks, turns
from xaiexp.builtin.agreements.orders import ordered, picked
from xaiexp.builtin.agreements.pairs import Pairs, of_pairs, sides, undefined
from xaiexp.builtin.agreements.top_k import filled_places, top_k_iou, tops

__all__ = ["expected_iou", "rank_biased_overlap", "top_k_iou_adjusted"]


def rank_biased_overlap(maps: Tensor, pairs: Pairs, p: float) -> Tensor:
    """Extrapolated rank-biased overlap of P pairs of the maps ``[M, N, d]``, largest magnitude first: ``[P, N]``.

    ``p^d A_d + (1 - p) / p * sum_k p^k A_k`` with ``A_k`` the agreement at depth k (Webber et al. 2010, equation 30;
    both rankings hold all d features). Features that tie stand at one place, so the top k may hold more than k of
    them, and ``A_k = 2 |S_k & T_k| / (|S_k| + |T_k|)`` (equation 28). A feature is common to the two from the larger
    of its two places on, so the sum over depths is a sum over features, of what all depths from there on weigh.
    """
    m, n, d = maps.shape
    if not maps.numel():
        return undefined(maps, pairs)
    # What lies deeper weighs less than a rounding error.
    depth = max(1, min(d, math.ceil(math.log(1e-9) / math.log(p))))
    weights = p ** torch.arange(1, depth + 1, dtype=torch.float64, device=maps.device) * ((1 - p) / p)
    weights[-1] += p**depth
    found = tops(maps, depth, zeros=True)
    alone = _onwards(weights / torch.arange(1, depth + 1, device=maps.device))
    out = torch.empty(n, m, m, dtype=torch.float64, device=maps.device)

    def compare(rows: slice) -> None:
        features, first = found.features[:, rows], found.first[:, rows]
        table = torch.full(maps[:, rows].shape, depth, dtype=first.dtype, device=maps.device)
        table.scatter_(-1, features, first)
        held = _upto(first, depth) if bool(found.tying(rows).any()) else None
        for left in turns(m, features.numel(), AT_WORK, maps.device):
            place = picked(table, features[left, None]).clamp_(min=first[left, None])
            if held is None:
                value = alone.index_select(0, place.view(-1)).view(place.shape)
            else:
                value = _onwards(2 * weights / (held[left, None] + held)).gather(-1, place.long())
            out[rows, left] = value.sum(-1).permute(2, 0, 1)

    in_blocks(compare, maps)
    constant = ordered(maps).constant.T
    out.masked_fill_(constant.unsqueeze(1) | constant.unsqueeze(2), float("nan"))
    return of_pairs(out, pairs).clamp(0.0, 1.0).to(maps.dtype)


def _onwards(weights: Tensor) -> Tensor:
    """What all depths from each on weigh, ``[..., depth]``, and the last nothing: ``[..., depth + 1]``."""
    return F.pad(weights.flip(-1).cumsum(-1).flip(-1), (0, 1))


def _upto(places: Tensor, depth: int) -> Tensor:
    """How many of the ``places [..., K]`` are less than 1, 2, ..., depth: float64 ``[..., depth]``."""
    counts = places.new_zeros(*places.shape[:-1], depth + 1, dtype=torch.int32)
    counts.scatter_add_(-1, places.long(), torch.ones_like(places, dtype=torch.int32))
    return counts[..., :depth].cumsum(-1).double()


def expected_iou(d: int, a: int, b: int) -> float:
    """The expected intersection over union of random sets of a and b out of d features.

    The size of the intersection is hypergeometric.

    >>> round(expected_iou(4, 1, 1), 3), expected_iou(5, 5, 5)
    (0.25, 1.0)
    """
    low, high = max(0, a + b - d), min(a, b)
    if high == 0:
        return 0.0
    common = torch.arange(low, high + 1, dtype=torch.float64)

    def log_choose(n: Tensor | float, k: Tensor) -> Tensor:
        n = torch.as_tensor(n, dtype=torch.float64)
        return torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)

    log = log_choose(a, common) + log_choose(d - a, b - common) - log_choose(d, torch.tensor(float(b)).double())
    return float((log.softmax(0) * common / (a + b - common)).sum())


def top_k_iou_adjusted(maps: Tensor, pairs: Pairs, k: int | None) -> Tensor:
    """``(IoU - E) / (1 - E)`` of the top k of P pairs of the maps ``[M, N, d]``: ``[P, N]``; NaN where E is 1."""
    d = maps.shape[-1]
    if not (d and len(pairs)):
        return undefined(maps, pairs)
    out = top_k_iou(maps, pairs, k).double()
    filled = filled_places(maps, k)
    left, right = sides(pairs, maps.device)
    sizes = torch.stack([filled[left], filled[right]], dim=-1).nan_to_num(0.0)
    kinds, place = sizes.view(-1, 2).unique(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]  # of torch
    each = [expected_iou(d, int(a), int(b)) for a, b in kinds.tolist()]
    table = torch.tensor(each, dtype=torch.float64, device=maps.device)
    chance = table[place].view(out.shape)
    value = torch.where(chance < 1 - 1e-12, (out - chance) / (1 - chance), float("nan"))
    return value.to(maps.dtype)
