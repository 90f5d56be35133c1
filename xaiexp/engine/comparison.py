"""Agreement of pairs of maps; examples are grouped by their number of features, so that no measure sees padding."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xaiexp.contract.kinds import Agreement
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import CellError

__all__ = ["Maps", "agree_all", "agree_jointly", "group_maps"]


@dataclass(frozen=True)
class Maps:
    """Maps of N examples, in groups of examples with equally many features.

    Every measure gets the same tensors, so that what several measures compute from a map can be cached.

    Args:
        count: M, the number of maps.
        examples: N.
        groups: for each group which examples are in it (int64 ``[n]``, on the CPU), their maps, finite ``[M, n, d]``,
            and which of these were finite before (bool ``[M, n]``, on the CPU).
        shape: of the features, where it is the same for all examples.
    """

    count: int
    examples: int
    groups: tuple[tuple[Tensor, Tensor, Tensor], ...]
    shape: tuple[int, ...] | None


def group_maps(maps: Tensor, features: FeatureMap) -> Maps:
    """Group pooled maps for comparison; the groups share the memory of ``maps`` where they can.

    Args:
        maps: ``[M, N, d]``.
        features: their counts say how many columns each example has.
    """
    count, n, _ = maps.shape
    counts = features.counts.expand(n).to(maps.device)
    low, high = (maps.amin(dim=2), maps.amax(dim=2)) if maps.numel() else (maps.new_zeros(count, n),) * 2
    finite = (low.isfinite() & high.isfinite()).cpu()
    if not bool(finite.all()):
        maps = maps.nan_to_num(0.0, 0.0, 0.0)
    groups = []
    for d in torch.unique(counts).tolist():
        rows = (counts == d).nonzero().squeeze(1)
        members = rows.cpu()
        part = maps[..., :d] if len(rows) == n else maps[:, rows, :d]
        groups.append((members, part.contiguous(), finite[:, members]))
    return Maps(count, n, tuple(groups), None if features.ragged else features.shape)


def agree_all(measure: Agreement, maps: Maps, signed: Sequence[bool]) -> dict[tuple[int, int], Tensor]:
    """Agreement ``[N]`` (float64, on the CPU) of every pair of maps.

    Args:
        signed: for every map whether its signs mean anything: where a measure needs them, pairs without are NaN.

    Returns:
        Pairs ``(i, j)`` with ``i < j`` to values, NaN where a map is not finite; both orders where the measure is
        not symmetric.

    Raises:
        CellError: values of another shape, or a measure that changed the maps: the others need fresh maps.
    """
    everyone = range(maps.count)
    pairs = [(i, j) for i in everyone for j in everyone if i < j or (i != j and not measure.symmetric)]
    usable = [(i, j) for i, j in pairs if not measure.needs_sign or (signed[i] and signed[j])]
    table = torch.full((len(usable), maps.examples), math.nan, dtype=torch.float64)
    without = torch.full((maps.examples,), math.nan, dtype=torch.float64)
    if not usable or (measure.needs_grid and (maps.shape is None or len(maps.shape) != 2)):
        return dict.fromkeys(pairs, without)
    first, second = torch.tensor(usable).unbind(1)
    for rows, part, finite in maps.groups:
        given = part.view(*part.shape[:2], *maps.shape) if measure.needs_grid and maps.shape else part
        with _unchanged(part):
            values = measure.compare_all(given, usable)
        if tuple(values.shape) != (len(usable), len(rows)):
            raise CellError(f"returned agreement of shape {list(values.shape)}; must be {[len(usable), len(rows)]}")
        table[:, rows] = values.detach().double().cpu().masked_fill(~(finite[first] & finite[second]), math.nan)
    return dict.fromkeys(pairs, without) | dict(zip(usable, table.unbind(), strict=True))


def agree_jointly(measure: Agreement, maps: Maps, signed: Sequence[bool]) -> Tensor:
    """Agreement ``[N]`` (float64, on the CPU) of all maps jointly.

    Args:
        signed: as in :func:`agree_all`; a measure that reads signs takes the maps that have them.

    Returns:
        NaN where fewer than two maps are left, or one of them is not finite.

    Raises:
        CellError: as :func:`agree_all`.
    """
    out = torch.full((maps.examples,), math.nan, dtype=torch.float64)
    chosen = [i for i in range(maps.count) if signed[i] or not measure.needs_sign]
    if len(chosen) < 2:
        return out
    for rows, part, finite in maps.groups:
        with _unchanged(part):
            values = measure.compare_jointly(part if len(chosen) == maps.count else part[chosen])
        if tuple(values.shape) != (len(rows),):
            raise CellError(f"returned agreement of shape {list(values.shape)}; must be {[len(rows)]}")
        out[rows] = values.detach().double().cpu().masked_fill(~finite[chosen].all(dim=0), math.nan)
    return out


@contextlib.contextmanager
def _unchanged(maps: Tensor) -> Iterator[None]:
    """Refuse a measure that writes into the tensor that all measures share."""
    before = maps._version  # noqa: SLF001  # the version counter of torch has no public name
    yield
    if maps._version != before:  # noqa: SLF001
        raise CellError("changed the maps that it was given")
