"""Agreement as a product of whole maps: Pearson, Spearman, cosine; all pairs of an example are one matrix product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xaiexp.builtin.agreements.orders import constant, once, ordered

__all__ = ["concordance", "cosine", "pearson", "spearman"]

Pairs = Sequence[tuple[int, int]]

_STRETCH = 1024


def _grams(maps: Tensor, scale: Tensor | None, centred: bool) -> Tensor:
    """Products of the maps ``[M, N, d]``, float64 ``[N, M, M]``, in the precision of the maps.

    In stretches of features whose sums are added up in float64, so that no error grows with the number of features.

    Args:
        scale: what the maps are divided by first, ``[M, N, 1]``.
        centred: whether the mean of each map is taken out first.
    """
    m, n, d = maps.shape
    out = torch.zeros(n, m, m, dtype=torch.float64, device=maps.device)
    whole = d - d % _STRETCH
    for i in range(n):
        part = maps[:, i] if scale is None else maps[:, i] / scale[:, i]
        if centred:
            part = part - part.mean(-1, keepdim=True)
            part -= part.mean(-1, keepdim=True)  # what rounding left of it, where the mean is large
        if whole:
            stretches = part[:, :whole].reshape(m, -1, _STRETCH).transpose(0, 1)
            out[i] = torch.bmm(stretches, stretches.transpose(1, 2)).sum(0, dtype=torch.float64)
        if whole < d:
            out[i] += part[:, whole:] @ part[:, whole:].T
    return out


def _extremes(maps: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and the highest number of each map, ``[M, N, 1]``."""
    low, high = once(maps, "extremes", lambda: maps.aminmax(dim=-1, keepdim=True))
    return low, high


def _of_values(maps: Tensor, pairs: Pairs, centred: bool) -> Tensor:
    """Cosines of P pairs of the maps, whose squares shall neither vanish nor overflow."""
    if not maps.numel():
        return maps.new_full((len(pairs), maps.shape[1]), float("nan"))
    low, high = _extremes(maps)
    # Powers of two, so that dividing by them rounds nothing away.
    scale = torch.ldexp(torch.ones_like(low), torch.frexp(torch.maximum(-low, high)).exponent - 1)
    grams = _grams(maps, scale, centred)
    return _cosines(grams, (low == high).squeeze(-1), pairs, maps.dtype)


def _of_ranks(maps: Tensor, magnitudes: bool) -> Tensor:
    """Products ``[N, M, M]`` of the centred ranks."""
    ranks = ordered(maps, magnitudes).ranks.to(maps.dtype)
    return once(maps, f"products of ranks, {magnitudes}", lambda: _grams(ranks, None, centred=True))


def _cosines(grams: Tensor, unknown: Tensor, pairs: Pairs, dtype: torch.dtype) -> Tensor:
    """Cosines of P pairs, ``[P, N]``, from products ``[N, M, M]``; NaN for the unknown maps, bool ``[M, N]``."""
    left, right = torch.tensor(list(pairs), dtype=torch.int64, device=grams.device).view(-1, 2).unbind(1)
    lengths = grams.diagonal(dim1=1, dim2=2).sqrt()
    value = grams[:, left, right] / (lengths[:, left] * lengths[:, right])
    return value.T.clamp(-1.0, 1.0).masked_fill(unknown[left] | unknown[right], float("nan")).to(dtype)


def pearson(maps: Tensor, pairs: Pairs) -> Tensor:
    """Pearson's correlation of P pairs of the maps ``[M, N, d]``: ``[P, N]``."""
    return _of_values(maps, pairs, centred=True)


def cosine(maps: Tensor, pairs: Pairs) -> Tensor:
    """The cosine of the angle between P pairs of the maps ``[M, N, d]``: ``[P, N]``."""
    return _of_values(maps, pairs, centred=False)


def spearman(maps: Tensor, pairs: Pairs, magnitudes: bool) -> Tensor:
    """Pearson's correlation of the ranks, ties at their average: ``maps [M, N, d]`` to ``[P, N]``.

    Args:
        magnitudes: whether magnitudes are ranked, or values.
    """
    if not maps.numel():
        return maps.new_full((len(pairs), maps.shape[1]), float("nan"))
    return _cosines(_of_ranks(maps, magnitudes), constant(maps, magnitudes), pairs, maps.dtype)


def concordance(maps: Tensor) -> Tensor:
    """Kendall's W of the magnitudes of M maps ``[M, N, d]``, corrected for ties: ``[N]``.

    ``(12 sum_j R_j^2 - 3 m^2 d (d + 1)^2) / (m^2 d (d^2 - 1) - m sum_i T_i)`` with R_j the sum of the ranks of
    feature j, and ``T_i = sum (t^3 - t)`` over the groups of t features that tie in map i (Siegel and Castellan 1988,
    equation 9.19). With x the centred ranks, that is ``sum_j (sum_i x_ij)^2 / (m sum_i sum_j x_ij^2)``: the sum of
    all products of two maps over m times that of each with itself.
    """
    if not maps.numel():
        return maps.new_full((maps.shape[1],), float("nan"))
    grams = _of_ranks(maps, magnitudes=True)
    value = grams.sum(dim=(1, 2)) / (len(maps) * grams.diagonal(dim1=1, dim2=2).sum(dim=1))
    unknown = constant(maps, magnitudes=True).any(dim=0)
    return value.clamp(0.0, 1.0).masked_fill(unknown, float("nan")).to(maps.dtype)
