"""Agreement of the k largest magnitudes (which features, at which places, with which signs), and of all depths.

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

import math

import torch
from torch import Tensor

from xaiexp.builtin.agreements.paired_agreement import Pairs
from xaiexp.builtin.agreements.ranked_maps import RankedMaps

__all__ = [
    "expected_iou",
    "feature_agreement",
    "rank_agreement",
    "rank_biased_overlap",
    "top_k_iou",
    "top_k_iou_adjusted",
]


def feature_agreement(maps: RankedMaps, pairs: Pairs, k: int | None, signed: bool = False) -> Tensor:
    """Common features of the top k, as a share of the larger top, for P pairs of maps, float64 ``[P, N]``.

    Args:
        k: None is a tenth of the features.
        signed: whether only features with the same sign count as common.
    """
    k = maps.top_size(k)
    left, right = _filled(maps, pairs, k)
    return _of_pairs(maps.common(k, signed), pairs) / torch.maximum(left, right)


def rank_agreement(maps: RankedMaps, pairs: Pairs, k: int | None, signed: bool = False) -> Tensor:
    """Places of the top k with the same feature, as a share of the larger top, for P pairs of maps, float64 ``[P, N]``.

    Args:
        k: None is a tenth of the features.
        signed: whether only features with the same sign count.
    """
    k = maps.top_size(k)
    left, right = _filled(maps, pairs, k)
    return _of_pairs(maps.shared_places(k, signed), pairs) / torch.maximum(left, right)


def top_k_iou(maps: RankedMaps, pairs: Pairs, k: int | None) -> Tensor:
    """Intersection over union of the top k features of P pairs of maps, float64 ``[P, N]``."""
    k = maps.top_size(k)
    left, right = _filled(maps, pairs, k)
    common = _of_pairs(maps.common(k, False), pairs)
    return common / (left + right - common)


def top_k_iou_adjusted(maps: RankedMaps, pairs: Pairs, k: int | None) -> Tensor:
    """``(IoU - E) / (1 - E)`` of the top k of P pairs of maps, float64 ``[P, N]``; NaN where E is 1."""
    iou = top_k_iou(maps, pairs, k)
    sizes = torch.stack(_filled(maps, pairs, maps.top_size(k)), dim=-1).nan_to_num(0.0).view(-1, 2)
    unique, index = sizes.unique(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]  # of torch
    chances = [expected_iou(maps.d, int(a), int(b)) for a, b in unique.tolist()]
    chance = torch.tensor(chances, dtype=torch.float64, device=iou.device)[index].view(iou.shape)
    return torch.where(chance < 1 - 1e-12, (iou - chance) / (1 - chance), float("nan"))


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


def rank_biased_overlap(maps: RankedMaps, pairs: Pairs, p: float) -> Tensor:
    """Extrapolated rank-biased overlap of P pairs of maps, largest magnitude first, float64 ``[P, N]``.

    ``p^d A_d + (1 - p) / p * sum_k p^k A_k`` with ``A_k`` the agreement at depth k (Webber et al. 2010, equation 30;
    both rankings contain all d features). Features that tie have the same place, so the top k may contain more than k
    of them, and ``A_k = 2 |S_k & T_k| / (|S_k| + |T_k|)`` (equation 28).
    """
    # Deeper places weigh less than a rounding error.
    depth = max(1, min(maps.d, math.ceil(math.log(1e-9) / math.log(p))))
    weights = p ** torch.arange(1, depth + 1, dtype=torch.float64, device=maps.values.device) * ((1 - p) / p)
    weights[-1] += p**depth

    def compare(rows: slice) -> Tensor:
        features, first, _ = maps.places(rows, depth, zeros=True)
        firsts = torch.full_like(maps.values[:, rows], depth, dtype=torch.int32).scatter_(-1, features, first)
        sizes = _sizes_by_depth(first, depth)
        table = []
        for own_features, own_first, own_sizes in zip(features, first, sizes, strict=True):
            # A feature is common to both from the larger of its places on.
            common = torch.maximum(firsts.gather(-1, own_features.expand_as(features)), own_first)
            agreement = 2 * _sizes_by_depth(common, depth) / (own_sizes + sizes)
            table.append((weights * agreement).sum(-1))
        return torch.stack(table).permute(2, 0, 1)

    left, right = (maps.constant(False)[list(side)] for side in zip(*pairs, strict=True))
    return _of_pairs(maps.by_block(compare), pairs).masked_fill(left | right, float("nan"))


def _sizes_by_depth(places: Tensor, depth: int) -> Tensor:
    """How many of the ``places [..., K]`` are less than 1, 2, ..., depth, float64 ``[..., depth]``."""
    counts = places.new_zeros(*places.shape[:-1], depth + 1)
    counts.scatter_add_(-1, places.clamp(max=depth).long(), torch.ones_like(places))
    return counts[..., :depth].cumsum(-1).double()


def _filled(maps: RankedMaps, pairs: Pairs, k: int) -> tuple[Tensor, Tensor]:
    """How many places the first and the second map of each pair fill, float64 ``[P, N]`` each."""
    left, right = (maps.top(k).filled[list(side)] for side in zip(*pairs, strict=True))
    return left, right


def _of_pairs(table: Tensor, pairs: Pairs) -> Tensor:
    """The entries of ``[N, M, M]`` for P pairs, ``[P, N]``."""
    left, right = (list(side) for side in zip(*pairs, strict=True))
    return table[:, left, right].T
