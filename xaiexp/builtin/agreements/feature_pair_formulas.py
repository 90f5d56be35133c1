"""Kendall's tau-b and the share of pairs of features that two maps put in the same order, of all pairs or a sample.

The sample: the features are put in a random order, the same for all maps, and every feature is paired with the next few
(the first follows the last). Every feature then occurs in equally many pairs, so the standard error of a mean of
numbers 1 and -1 over the pairs is at most ``1 / sqrt(number of pairs)`` (Blom 1976, Some properties of incomplete
U-statistics).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from xaiexp.builtin.agreements.paired_agreement import Pairs
from xaiexp.builtin.agreements.ranked_maps import RankedMaps, products

__all__ = ["kendall_tau", "pairwise_rank_agreement"]


@dataclass(frozen=True)
class _Counts:
    """Numbers of pairs of features, for P pairs of maps, float64 ``[P, N]`` each.

    Args:
        difference: those in the same order minus those in opposite orders.
        left, right, both: those that do not tie in the first map, in the second, in either.
    """

    difference: Tensor
    left: Tensor
    right: Tensor
    both: Tensor


def kendall_tau(maps: RankedMaps, pairs: Pairs, n_pairs: int | None, signed: bool) -> Tensor:
    """Kendall's tau-b of P pairs of maps, float64 ``[P, N]``.

    Args:
        n_pairs: how many pairs of features suffice; None counts all of them with scipy, pair of maps by pair of maps.
        signed: whether values are ranked, or magnitudes.
    """
    counts = _counts(maps, pairs, n_pairs, signed)
    return counts.difference / (counts.left.sqrt() * counts.right.sqrt())


def pairwise_rank_agreement(maps: RankedMaps, pairs: Pairs, n_pairs: int | None) -> Tensor:
    """The share of pairs of features in the same order of magnitude, for P pairs of maps, float64 ``[P, N]``.

    Pairs that tie in both maps are left out, those that tie in one count one half; NaN for a constant map.

    Args:
        n_pairs: as in :func:`kendall_tau`.
    """
    counts = _counts(maps, pairs, n_pairs, signed=False)
    either = counts.left + counts.right - counts.both
    share = (counts.difference + either) / (2 * either)
    return share.masked_fill((counts.left == 0) | (counts.right == 0), float("nan"))


def _counts(maps: RankedMaps, pairs: Pairs, n_pairs: int | None, signed: bool) -> _Counts:
    if n_pairs is None:
        values = maps.ranked_values(slice(None), signed).cpu().numpy()
        counts = [[_exact_counts(example[i], example[j]) for example in values] for i, j in pairs]
        return _Counts(*torch.tensor(counts, dtype=torch.float64, device=maps.values.device).unbind(2))
    difference, untied = maps.by_block(lambda rows: _sampled_counts(maps.ranked_values(rows, signed), n_pairs)).unbind(
        1
    )
    left, right = (list(side) for side in zip(*pairs, strict=True))
    own = untied.diagonal(dim1=1, dim2=2).T
    return _Counts(difference[:, left, right].T, own[left], own[right], untied[:, left, right].T)


def _exact_counts(a: NDArray[np.floating], b: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """The four counts for two maps ``[d]``, over all pairs of features."""
    (of_a, a_counts), (of_b, b_counts) = (np.unique(x, return_inverse=True, return_counts=True)[1:] for x in (a, b))
    joint_counts = np.unique(of_a * len(b_counts) + of_b, return_counts=True)[1]
    a_ties, b_ties, joint_ties = (int((t * (t - 1)).sum()) // 2 for t in (a_counts, b_counts, joint_counts))
    total = len(a) * (len(a) - 1) // 2
    left, right, both = total - a_ties, total - b_ties, total - a_ties - b_ties + joint_ties
    if not (left and right):
        return 0.0, left, right, both
    return round(float(stats.kendalltau(of_a, of_b).statistic) * (left * right) ** 0.5), left, right, both


def _sampled_counts(values: Tensor, n_pairs: int) -> Tensor:
    """Over at least ``n_pairs`` pairs of features of ``values [n, M, d]``, or all, float64 ``[n, 2, M, M]``.

    Returns:
        Pairs in the same order minus those in opposite orders, and those that tie in neither map.
    """
    n, m, d = values.shape
    lags = min(d // 2, -(-n_pairs // d))
    order = torch.randperm(d, generator=torch.Generator().manual_seed(d)).to(values.device)
    ring = values[..., torch.cat([order, order[:lags]])]
    table = torch.zeros(n, 2, m, m, dtype=torch.float64, device=values.device)
    for lag in range(1, lags + 1):
        # At half of the features, the second half of the pairs would repeat the first.
        count = d // 2 if 2 * lag == d else d
        signs = (ring[..., lag : lag + count] - ring[..., :count]).sign_()
        agreement = products(signs)
        untied = agreement.diagonal(dim1=1, dim2=2)
        table[:, 0] += agreement
        table[:, 1] += count if bool((untied == count).all()) else products(signs.abs_())
    return table
