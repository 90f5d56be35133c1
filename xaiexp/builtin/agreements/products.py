"""Agreement as a product of whole maps: Pearson, Spearman, cosine; all pairs of an example are one matrix product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xaiexp.builtin.agreements.ranking import average_ranks

__all__ = ["concordance", "cosine", "pearson", "spearman"]

Pairs = Sequence[tuple[int, int]]

_NUMBERS = 1 << 22
"""Numbers of the maps that are at work at once."""


def _products(maps: Tensor, pairs: Pairs, centred: bool, ranked: bool) -> Tensor:
    """Products of the directions of P pairs of the maps ``[M, N, d]``: ``[P, N]``, NaN for constant maps."""
    m, n, d = maps.shape
    left, right = torch.tensor(list(pairs), dtype=torch.int64, device=maps.device).view(-1, 2).unbind(1)
    out = maps.new_full((len(pairs), n), float("nan"))
    step = max(1, _NUMBERS // max(1, m * d))
    for start in range(0, n if d else 0, step):
        rows = slice(start, start + step)
        part = maps[:, rows]
        constant = (part.amax(-1) == part.amin(-1)).T
        # The scale is taken out first, so that squares neither vanish nor overflow.
        part = average_ranks(part) if ranked else part / part.abs().amax(-1, keepdim=True)
        wide = part.transpose(0, 1).double()
        if centred:
            wide = wide - wide.mean(-1, keepdim=True)
        wide = wide / wide.norm(dim=-1, keepdim=True)
        gram = wide @ wide.transpose(1, 2)
        gram = gram.masked_fill(constant.unsqueeze(1) | constant.unsqueeze(2), float("nan"))
        out[:, rows] = gram[:, left, right].T.to(out.dtype)
    return out.clamp_(-1.0, 1.0)


def pearson(maps: Tensor, pairs: Pairs) -> Tensor:
    """Pearson's correlation of P pairs of the maps ``[M, N, d]``: ``[P, N]``."""
    return _products(maps, pairs, centred=True, ranked=False)


def spearman(maps: Tensor, pairs: Pairs) -> Tensor:
    """Pearson's correlation of the ranks, ties at their average: ``maps [M, N, d]`` to ``[P, N]``."""
    return _products(maps, pairs, centred=True, ranked=True)


def cosine(maps: Tensor, pairs: Pairs) -> Tensor:
    """The cosine of the angle between P pairs of the maps ``[M, N, d]``: ``[P, N]``."""
    return _products(maps, pairs, centred=False, ranked=False)


def concordance(maps: Tensor) -> Tensor:
    """Kendall's W of M maps ``[M, N, d]``, corrected for ties: ``[N]``.

    ``(12 sum_j R_j^2 - 3 m^2 d (d + 1)^2) / (m^2 d (d^2 - 1) - m sum_i T_i)`` with R_j the sum of the ranks of
    feature j, and ``T_i = sum (t^3 - t)`` over the groups of t features that tie in map i (Siegel and Castellan 1988,
    equation 9.19). With x the centred ranks, that is ``sum_j (sum_i x_ij)^2 / (m sum_i sum_j x_ij^2)``.
    """
    m, n, d = maps.shape
    out = maps.new_full((n,), float("nan"))
    step = max(1, _NUMBERS // max(1, m * d))
    for start in range(0, n if d else 0, step):
        rows = slice(start, start + step)
        part = maps[:, rows]
        constant = (part.amax(-1) == part.amin(-1)).any(dim=0)
        ranks = average_ranks(part).double()
        centred = ranks - ranks.mean(-1, keepdim=True)
        value = centred.sum(dim=0).square().sum(-1) / (m * centred.square().sum(-1).sum(dim=0))
        out[rows] = value.masked_fill(constant, float("nan")).clamp(0.0, 1.0).to(out.dtype)
    return out
