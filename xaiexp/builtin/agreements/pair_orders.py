"""Agreement as the pairs of features that two maps put in the same order: all of them, or a sample.

The sample: the features are put in a random order, once for all maps, and every feature is paired with the next few
(after the last comes the first). Every feature then stands in equally many pairs, so that only the spread of single
pairs is left, and the standard error of their mean, where each counts 1 or -1, is at most ``1 / sqrt(number of pairs)``
(Blom 1976, Some properties of incomplete U-statistics).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from xaiexp.builtin.agreements.blocks import IN_STEP, in_blocks, turns
from xaiexp.builtin.agreements.flags import above, both, held
from xaiexp.builtin.agreements.orders import picked
from xaiexp.builtin.agreements.pairs import Pairs, sides

__all__ = ["kendall_tau", "pairwise_rank_agreement"]


@dataclass(frozen=True)
class _Counts:
    """Pairs of features of P pairs of maps, float64 ``[P, N]`` each.

    Args:
        difference: those in the same order minus those in opposite ones.
        left, right, both: those that do not tie in the one map, in the other, in either.
    """

    difference: Tensor
    left: Tensor
    right: Tensor
    both: Tensor


def kendall_tau(maps: Tensor, pairs: Pairs, n_pairs: int | None, magnitudes: bool) -> Tensor:
    """Kendall's tau-b: ``maps [M, N, d]`` to ``[P, N]``.

    Args:
        n_pairs: pairs of features that are enough, all where there are no more; None is all of them, counted by scipy
            for one pair of maps after the other.
        magnitudes: whether magnitudes are ranked, or values.
    """
    n = _counted(maps, pairs, n_pairs, magnitudes)
    return (n.difference / (n.left.sqrt() * n.right.sqrt())).clamp(-1.0, 1.0).to(maps.dtype)


def pairwise_rank_agreement(maps: Tensor, pairs: Pairs, n_pairs: int | None) -> Tensor:
    """The share of pairs of features in the same order of magnitude: ``maps [M, N, d]`` to ``[P, N]``.

    Pairs that tie in both maps are left out, those that tie in one count a half; NaN for a constant map.

    Args:
        n_pairs: as in :func:`kendall_tau`.
    """
    n = _counted(maps, pairs, n_pairs, magnitudes=True)
    either = n.left + n.right - n.both
    share = ((n.difference + either) / (2 * either)).masked_fill((n.left == 0) | (n.right == 0), float("nan"))
    return share.clamp(0.0, 1.0).to(maps.dtype)


def _counted(maps: Tensor, pairs: Pairs, n_pairs: int | None, magnitudes: bool) -> _Counts:
    if n_pairs is not None:
        return _sampled(maps, pairs, n_pairs, magnitudes)
    ranked = maps.abs() if magnitudes else maps
    numbers = ranked.to(torch.promote_types(maps.dtype, torch.float32)).cpu().numpy()
    counts = [[_exactly(*each) for each in zip(numbers[i], numbers[j], strict=True)] for i, j in pairs]
    table = torch.tensor(counts, dtype=torch.float64, device=maps.device).view(len(pairs), maps.shape[1], 4)
    return _Counts(*table.unbind(2))


def _exactly(a: NDArray[np.floating], b: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """The four counts for two maps ``[d]``, over all pairs of features."""
    (of_a, a_counts), (of_b, b_counts) = (np.unique(x, return_inverse=True, return_counts=True)[1:] for x in (a, b))
    every = len(a) * (len(a) - 1) // 2
    together = np.unique(of_a * len(b_counts) + of_b, return_counts=True)[1]
    a_ties, b_ties, both_ties = (int((t * (t - 1)).sum()) // 2 for t in (a_counts, b_counts, together))
    left, right, both = every - a_ties, every - b_ties, every - a_ties - b_ties + both_ties
    if not (left and right):
        return 0.0, left, right, both
    return round(float(stats.kendalltau(of_a, of_b).statistic) * (left * right) ** 0.5), left, right, both


def _sampled(maps: Tensor, pairs: Pairs, n_pairs: int, magnitudes: bool) -> _Counts:
    """The counts over at least ``n_pairs`` pairs of features, or all of them."""
    m, n, d = maps.shape
    same, untied = torch.zeros(2, n, m, m, dtype=torch.float64, device=maps.device)
    lags = min(d // 2, -(-n_pairs // max(1, d)))
    order = torch.randperm(d, generator=torch.Generator().manual_seed(d)).to(maps.device)
    order = torch.cat([order, order[:lags]])

    def count(rows: slice) -> None:
        part = maps[:, rows].to(torch.promote_types(maps.dtype, torch.float32))
        flat = part.reshape(-1, d)
        ring = torch.empty(*part.shape[:2], len(order), dtype=part.dtype, device=maps.device)
        rings = ring.view(-1, len(order))
        for some in turns(len(flat), d, IN_STEP, maps.device):
            rings[some] = picked(flat[some].abs() if magnitudes else flat[some].clone(), order)
        for lag in range(1, lags + 1):
            # Half way round, the second half of the features meets the first once more.
            each = d // 2 if 2 * lag == d else d
            here, there = ring[..., :each], ring[..., lag : lag + each]
            up, down = above(there, here), above(here, there)
            ups, alike = held(up), both(up, up)
            if bool((ups + held(down) == each).all()):  # nothing ties, so what does not go up goes down
                same[rows] += 4 * alike + each - 2 * ups.unsqueeze(1) - 2 * ups.unsqueeze(2)
                untied[rows] += each
                continue
            alike, crossed = alike + both(down, down), both(up, down)
            crossed = crossed + crossed.transpose(1, 2)
            same[rows] += alike - crossed
            untied[rows] += alike + crossed

    in_blocks(count, maps)
    left, right = sides(pairs, maps.device)
    own = untied.diagonal(dim1=1, dim2=2)
    return _Counts(same[:, left, right].T, own[:, left].T, own[:, right].T, untied[:, left, right].T)
