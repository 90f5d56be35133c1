"""Agreement as a product of whole maps: Pearson, Spearman, cosine; all pairs of an example are one matrix product."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.builtin.agreements.blocks import in_blocks
from xaiexp.builtin.agreements.orders import average_ranks, once, ordered
from xaiexp.builtin.agreements.pairs import Pairs, sides, undefined

__all__ = ["concordance", "cosine", "pearson", "spearman"]


_STRETCH = 1024


def _grams(maps: Tensor) -> Tensor:
    """Products of the maps ``[n, M, d]`` of each example, float64 ``[n, M, M]``, in the precision of the maps.

    In stretches of features whose sums are added up in float64, so that no error grows with the number of features.
    """
    n, m, d = maps.shape
    whole = d - d % _STRETCH
    out = torch.zeros(n, m, m, dtype=torch.float64, device=maps.device)
    if whole:
        stretches = maps[..., :whole].reshape(n, m, -1, _STRETCH).transpose(1, 2).reshape(-1, m, _STRETCH)
        out += torch.bmm(stretches, stretches.transpose(1, 2)).view(n, -1, m, m).sum(1, dtype=torch.float64)
    if whole < d:
        rest = maps[..., whole:]
        out += torch.bmm(rest, rest.transpose(1, 2))
    return out


def _of_values(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Products of the centred maps, ``[N, M, M]``, and of their means, times d; which maps are constant, ``[M, N]``.

    Each map is first divided by a power of two, so that no square vanishes or overflows, and nothing is rounded.
    """
    m, n, d = maps.shape
    centred, means = torch.empty(2, n, m, m, dtype=torch.float64, device=maps.device)
    constant = torch.empty(m, n, dtype=torch.bool, device=maps.device)

    def multiply(rows: slice) -> None:
        part = maps[:, rows].transpose(0, 1).to(torch.promote_types(maps.dtype, torch.float32))
        low, high = part.amin(-1, keepdim=True), part.amax(-1, keepdim=True)
        part = part / torch.ldexp(torch.ones_like(low), torch.frexp(torch.maximum(-low, high)).exponent - 1)
        first = part.mean(-1, keepdim=True)
        part -= first
        second = part.mean(-1, keepdim=True)  # what rounding left of it, where the mean is large
        part -= second
        mean = first.double() + second
        centred[rows], means[rows] = _grams(part), d * mean * mean.transpose(1, 2)
        constant[:, rows] = (low == high).squeeze(-1).T

    in_blocks(multiply, maps)
    return centred, means, constant


def _of_ranks(maps: Tensor, magnitudes: bool) -> tuple[Tensor, Tensor]:
    """Products ``[N, M, M]`` of the centred ranks; which maps rank nothing, ``[M, N]``."""
    constant = ordered(maps).constant
    m, n, d = maps.shape
    out = torch.empty(n, m, m, dtype=torch.float64, device=maps.device)

    def multiply(rows: slice) -> None:
        out[rows] = _grams(average_ranks(maps, rows, magnitudes).sub_((d - 1) / 2))

    in_blocks(multiply, maps)
    # Values that are all the same have magnitudes that are; the other way round, there may be two signs.
    return out, constant if magnitudes else out.diagonal(dim1=1, dim2=2).T == 0


def _ranked(maps: Tensor, magnitudes: bool) -> tuple[Tensor, Tensor]:
    return once(maps, f"products of ranks, {magnitudes}", lambda: _of_ranks(maps, magnitudes))


def _cosines(grams: Tensor, unknown: Tensor, pairs: Pairs, dtype: torch.dtype) -> Tensor:
    """Cosines of P pairs, ``[P, N]``, from products ``[N, M, M]``; NaN for the unknown maps, bool ``[M, N]``."""
    left, right = sides(pairs, grams.device)
    lengths = grams.diagonal(dim1=1, dim2=2).sqrt()
    value = grams[:, left, right] / (lengths[:, left] * lengths[:, right])
    return value.T.clamp(-1.0, 1.0).masked_fill(unknown[left] | unknown[right], float("nan")).to(dtype)


def pearson(maps: Tensor, pairs: Pairs) -> Tensor:
    """Pearson's correlation of P pairs of the maps ``[M, N, d]``: ``[P, N]``."""
    if not maps.numel():
        return undefined(maps, pairs)
    centred, _, constant = once(maps, "products of values", lambda: _of_values(maps))
    return _cosines(centred, constant, pairs, maps.dtype)


def cosine(maps: Tensor, pairs: Pairs) -> Tensor:
    """The cosine of the angle between P pairs of the maps ``[M, N, d]``: ``[P, N]``."""
    if not maps.numel():
        return undefined(maps, pairs)
    centred, means, constant = once(maps, "products of values", lambda: _of_values(maps))
    return _cosines(centred + means, constant, pairs, maps.dtype)


def spearman(maps: Tensor, pairs: Pairs, magnitudes: bool) -> Tensor:
    """Pearson's correlation of the ranks, ties at their average: ``maps [M, N, d]`` to ``[P, N]``.

    Args:
        magnitudes: whether magnitudes are ranked, or values.
    """
    if not maps.numel():
        return undefined(maps, pairs)
    return _cosines(*_ranked(maps, magnitudes), pairs, maps.dtype)


def concordance(maps: Tensor) -> Tensor:
    """Kendall's W of the magnitudes of M maps ``[M, N, d]``, corrected for ties: ``[N]``.

    ``(12 sum_j R_j^2 - 3 m^2 d (d + 1)^2) / (m^2 d (d^2 - 1) - m sum_i T_i)`` with R_j the sum of the ranks of
    feature j, and ``T_i = sum (t^3 - t)`` over the groups of t features that tie in map i (Siegel and Castellan 1988,
    equation 9.19). With x the centred ranks, that is ``sum_j (sum_i x_ij)^2 / (m sum_i sum_j x_ij^2)``: the sum of
    all products of two maps over m times that of each with itself.
    """
    if not maps.numel():
        return maps.new_full((maps.shape[1],), float("nan"))
    grams, constant = _ranked(maps, magnitudes=True)
    value = grams.sum(dim=(1, 2)) / (len(maps) * grams.diagonal(dim1=1, dim2=2).sum(dim=1))
    return value.clamp(0.0, 1.0).masked_fill(constant.any(dim=0), float("nan")).to(maps.dtype)
