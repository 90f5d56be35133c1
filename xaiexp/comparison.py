"""Agreement over all pairs of maps, with examples grouped so that a measure never meets padding."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from xaiexp.contract import Agreement
from xaiexp.errors import CellError
from xaiexp.feature_map import FeatureMap

__all__ = ["agree_all", "agree_together"]


def agree_all(
    measure: Agreement, maps: Tensor, features: FeatureMap, signed: Sequence[bool]
) -> dict[tuple[int, int], Tensor]:
    """Agreement ``[N]`` (float64, on the CPU) of every pair of maps.

    Args:
        maps: ``[M, N, d]``, pooled.
        features: whose counts say how many of the d columns each example has.
        signed: for every map whether its signs mean anything: where a measure needs them, pairs without are NaN.

    Returns:
        Pairs ``(i, j)`` with ``i < j`` to values, NaN where a map is not finite; both orders where the measure is
        not symmetric.
    """
    count, n, _ = maps.shape
    pairs = [(i, j) for i in range(count) for j in range(count) if i < j or (i != j and not measure.symmetric)]
    usable = [(i, j) for i, j in pairs if not measure.needs_sign or (signed[i] and signed[j])]
    out = {pair: torch.full((n,), math.nan, dtype=torch.float64) for pair in pairs}
    if not usable:
        return out
    counts = features.counts.expand(n).to(maps.device)
    finite = maps.isfinite().all(dim=2)
    maps = maps.nan_to_num(0.0, 0.0, 0.0)
    if measure.natural and (len(features.shape) != 2 or features.ragged):
        return out
    for d in torch.unique(counts).tolist():
        rows = counts == d
        part = maps[:, rows, :d].contiguous()
        values = measure.compare_all(part.view(*part.shape[:2], *features.shape) if measure.natural else part, usable)
        if tuple(values.shape) != (len(usable), int(rows.sum())):
            raise CellError(f"gave agreement of shape {list(values.shape)}; must be {[len(usable), int(rows.sum())]}")
        where = rows.cpu()
        for (i, j), value in zip(usable, values.detach().double().cpu(), strict=True):
            known = (finite[i] & finite[j])[rows].cpu()
            out[i, j][where] = value.masked_fill(~known, math.nan)
    return out


def agree_together(measure: Agreement, maps: Tensor, features: FeatureMap, signed: Sequence[bool]) -> Tensor:
    """Agreement ``[N]`` (float64, on the CPU) of all maps at once, for a measure that compares them together.

    Args:
        maps, features, signed: as in :func:`agree_all`; a measure that reads signs takes the maps that have them.

    Returns:
        NaN where fewer than two maps are left, or one of them is not finite.
    """
    n = maps.shape[1]
    out = torch.full((n,), math.nan, dtype=torch.float64)
    if measure.needs_sign:
        maps = maps[torch.tensor(list(signed), device=maps.device)]
    if len(maps) < 2:
        return out
    counts = features.counts.expand(n).to(maps.device)
    finite = maps.isfinite().all(dim=2).all(dim=0)
    maps = maps.nan_to_num(0.0, 0.0, 0.0)
    for d in torch.unique(counts).tolist():
        rows = counts == d
        values = measure.compare_together(maps[:, rows, :d])
        if tuple(values.shape) != (int(rows.sum()),):
            raise CellError(f"gave agreement of shape {list(values.shape)}; must be {[int(rows.sum())]}")
        out[rows.cpu()] = values.detach().double().masked_fill(~finite[rows], math.nan).cpu()
    return out
