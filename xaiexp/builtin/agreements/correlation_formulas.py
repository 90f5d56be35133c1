"""Pearson's and Spearman's correlation, the cosine, and Kendall's W, from products of whole maps."""

from __future__ import annotations

from torch import Tensor

from xaiexp.builtin.agreements.paired_agreement import Pairs
from xaiexp.builtin.agreements.ranked_maps import RankedMaps

__all__ = ["concordance", "cosine", "pearson", "spearman"]


def pearson(maps: RankedMaps, pairs: Pairs) -> Tensor:
    """Pearson's correlation of P pairs of maps, float64 ``[P, N]``."""
    centred, _ = maps.value_products
    return _cosines(centred, maps.constant(True), pairs)


def cosine(maps: RankedMaps, pairs: Pairs) -> Tensor:
    """The cosine of the angle between P pairs of maps, float64 ``[P, N]``."""
    centred, means = maps.value_products
    return _cosines(centred + means, maps.constant(True), pairs)


def spearman(maps: RankedMaps, pairs: Pairs, signed: bool) -> Tensor:
    """Pearson's correlation of the ranks of P pairs of maps, ties at their average, float64 ``[P, N]``.

    Args:
        signed: whether values are ranked, or magnitudes.
    """
    return _cosines(maps.rank_products(signed), maps.constant(signed), pairs)


def concordance(maps: RankedMaps) -> Tensor:
    """Kendall's W of the magnitudes of all M maps, corrected for ties, float64 ``[N]``.

    ``(12 sum_j R_j^2 - 3 m^2 d (d + 1)^2) / (m^2 d (d^2 - 1) - m sum_i T_i)`` with R_j the sum of the ranks of
    feature j, and ``T_i = sum (t^3 - t)`` over the groups of t features that tie in map i (Siegel and Castellan 1988,
    equation 9.19). With x the centred ranks, that is ``sum_j (sum_i x_ij)^2 / (m sum_i sum_j x_ij^2)``: the sum of
    all products of two maps over m times that of each with itself.
    """
    table = maps.rank_products(False)
    value = table.sum(dim=(1, 2)) / (maps.n_maps * table.diagonal(dim1=1, dim2=2).sum(dim=1))
    return value.masked_fill(maps.constant(False).any(dim=0), float("nan"))


def _cosines(table: Tensor, undefined: Tensor, pairs: Pairs) -> Tensor:
    """Cosines of P pairs, ``[P, N]``, from products ``[N, M, M]``; NaN for the undefined maps, bool ``[M, N]``."""
    left, right = (list(side) for side in zip(*pairs, strict=True))
    lengths = table.diagonal(dim1=1, dim2=2).sqrt()
    value = table[:, left, right] / (lengths[:, left] * lengths[:, right])
    return value.T.masked_fill(undefined[left] | undefined[right], float("nan"))
