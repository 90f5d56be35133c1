"""Agreement of explanations of the same examples across studies: other seeds, other models, other baselines.

The maps come from the store; what is no longer there is left out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xaiexp.errors import XaiexpError
from xaiexp.report.studies import StudyFolder
from xaiexp.report.wording import cell, number
from xaiexp.statistics import bootstrap_interval

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Across", "across"]

MEASURE = "rank_correlation"
_MOST = 12  # studies that are compared with each other


@dataclass(frozen=True)
class Across:
    """Agreement of one cell with itself in other studies.

    Args:
        what: in what the two studies of each pair differ.
        rows: cell, mean agreement with its interval, number of examples and of pairs of studies.
    """

    what: str
    rows: tuple[tuple[str, str, str, str], ...]


def across(studies: Sequence[StudyFolder]) -> list[Across]:
    """For every cell how far its maps agree between studies that differ in one thing: the seed, or the model."""
    found: dict[str, dict[str, list[np.ndarray[Any, Any]]]] = {}
    kept: dict[int, dict[tuple[str, str], dict[tuple[str, int], Tensor]]] = {}
    for (i, a), (j, b) in itertools.combinations(list(enumerate(studies[:_MOST])), 2):
        what = _difference(a, b)
        if what is None:
            continue
        for place, study in ((i, a), (j, b)):
            if place not in kept:
                kept[place] = _maps(study)
        for key, left in kept[i].items():
            right = kept[j].get(key)
            values = None if right is None else _agreement(left, right)
            if values is not None:
                found.setdefault(what, {}).setdefault(cell(*key), []).append(values)
    return [Across(what, tuple(_row(name, parts) for name, parts in cells.items())) for what, cells in found.items()]


def _row(name: str, parts: Sequence[np.ndarray[Any, Any]]) -> tuple[str, str, str, str]:
    values = np.concatenate(parts)
    mean, low, high = bootstrap_interval(values, seed=0)
    interval = "" if math.isnan(low) else f"{number(low)} to {number(high)}"
    return name, number(mean), interval, f"{int(np.isfinite(values).sum())} ({len(parts)})"


def _difference(a: StudyFolder, b: StudyFolder) -> str | None:
    """What two studies of one data set differ in, where it is one thing."""
    if a.named("dataset") != b.named("dataset"):
        return None
    differs = [key for key in ("model", "seed") if a.named(key) != b.named(key)]
    return {"model": "models", "seed": "seeds"}[differs[0]] if len(differs) == 1 else None


def _maps(study: StudyFolder) -> dict[tuple[str, str], dict[tuple[str, int], Tensor]]:
    """Cell to (example, target) to its pooled map ``[d]``, as far as the store still has them."""
    from xaiexp.store import Store

    place = study.record.get("store")
    objects = study.facts("objects")
    if not isinstance(place, str) or not Path(place).is_dir():
        return {}
    store, out = Store(Path(place)), {}
    for (method, baseline), rows in study.scores.groupby(["method", "baseline"], sort=False):
        first = rows[rows["metric"] == rows["metric"].iloc[0]]
        keys = objects.get(f"{method}|{baseline}")
        parts = [store.get(str(key), "features") for key in keys] if isinstance(keys, list) else []
        maps = [row.flatten() for part in parts if part is not None for row in part["features"]]
        if len(maps) == len(first) and all(part is not None for part in parts):
            names = zip(first["example"].astype(str), first["target"].astype(int), strict=True)
            out[str(method), str(baseline)] = dict(zip(names, maps, strict=True))
    return out


def _agreement(
    left: Mapping[tuple[str, int], Tensor], right: Mapping[tuple[str, int], Tensor]
) -> np.ndarray[Any, Any] | None:
    import torch

    from xaiexp.registry import installed

    both = [name for name in left if name in right and left[name].shape == right[name].shape]
    try:
        measure = installed().build("agreement", MEASURE, {})
    except XaiexpError:
        return None
    alike: dict[int, list[tuple[Tensor, Tensor]]] = {}
    for name in both:
        a, b = (maps[name][~maps[name].isnan()] for maps in (left, right))
        if a.shape == b.shape:
            alike.setdefault(len(a), []).append((a, b))
    values = [measure.compare(*map(torch.stack, zip(*pairs, strict=True))).double().numpy() for pairs in alike.values()]
    return np.concatenate(values) if values else None
