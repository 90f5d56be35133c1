"""Agreement of each cell with itself across studies that differ in their seeds or their model.

The maps are read from the store; cells whose maps it no longer holds are left out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from xaiexp.core.ids import CellId
from xaiexp.errors import XaiexpError
from xaiexp.report.seeds import Setting, setting
from xaiexp.report.studies import StudyFolder
from xaiexp.report.wording import number
from xaiexp.statistics.intervals import bootstrap_interval
from xaiexp.statistics.summary import by_cluster, example_means

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Across", "across"]

MEASURE = "rank_correlation"
"""The measure of agreement between two studies."""

_MAX_STUDIES = 12


_ExampleMaps = Mapping[tuple[str, int], "Tensor"]
"""(example, target) to its pooled map ``[d]``."""

_Maps = Mapping[CellId, _ExampleMaps]


@dataclass(frozen=True)
class Across:
    """Agreement of each cell with itself in other studies.

    Args:
        differ_in: ``seeds`` or ``models``: the difference between the two studies of each pair.
        rows: cell, mean agreement, its interval over examples, number of examples and of pairs of studies. The value
            of an example is the mean over its targets and the pairs of studies.
    """

    differ_in: str
    rows: tuple[tuple[str, str, str, str], ...]


def across(studies: Sequence[StudyFolder]) -> list[Across]:
    """For every cell the agreement of its maps between studies that differ in one thing: the seeds, or the model."""
    by_difference: dict[str, dict[CellId, list[pd.DataFrame]]] = {}
    maps: dict[int, _Maps] = {}
    settings = [setting(study) for study in studies[:_MAX_STUDIES]]
    for i, j in itertools.combinations(range(len(settings)), 2):
        difference = _difference(settings[i], settings[j])
        if difference is None:
            continue
        for place in (i, j):
            if place not in maps:
                maps[place] = _maps(studies[place])
        for cell, left in maps[i].items():
            right = maps[j].get(cell)
            values = None if right is None else _agreement(left, right)
            if values is not None:
                units = by_cluster(values, studies[i].clusters)
                by_difference.setdefault(difference, {}).setdefault(cell, []).append(units)
    return [
        Across(difference, tuple(_row(str(cell), parts) for cell, parts in cells.items()))
        for difference, cells in by_difference.items()
    ]


def _row(name: str, parts: Sequence[pd.DataFrame]) -> tuple[str, str, str, str]:
    values = example_means(pd.concat(parts))
    mean, low, high = bootstrap_interval(values, seed=0)
    interval = "" if math.isnan(low) else f"{number(low)} to {number(high)}"
    return name, number(mean), interval, f"{int(np.isfinite(values).sum())} ({len(parts)})"


def _difference(a: Setting, b: Setting) -> str | None:
    """What two studies differ in: ``seeds``, ``models``, or None where it is nothing or several things."""
    if a.rest != b.rest:
        return None
    if a.model == b.model:
        return "seeds" if a.seeds != b.seeds else None
    left, right = ({k: v for k, v in of.seeds.items() if not k.startswith("model.")} for of in (a, b))
    return "models" if left == right else None


def _maps(study: StudyFolder) -> _Maps:
    """The maps of every cell whose attributions the store still holds."""
    from xaiexp.store.objects import Store

    folder, objects = study.record.store, study.record.objects or {}
    if folder is None or not Path(folder).is_dir():
        return {}
    store, maps = Store(Path(folder)), {}
    for (method, baseline), rows in study.scores.groupby(["method", "baseline"], sort=False):
        cell = CellId(str(method), str(baseline))
        first = rows[rows["metric"] == rows["metric"].iloc[0]]
        parts = [store.get(key, "features") for key in objects.get(cell, ())]
        pooled = [row.flatten() for part in parts if part is not None for row in part["features"]]
        if len(pooled) == len(first) and all(part is not None for part in parts):
            names = zip(first["example"].astype(str), first["target"].astype(int), strict=True)
            maps[cell] = dict(zip(names, pooled, strict=True))
    return maps


def _agreement(left: _ExampleMaps, right: _ExampleMaps) -> pd.DataFrame | None:
    """Columns ``example`` and ``value``, a row for every example and target that both studies have."""
    import torch

    from xaiexp.contract.registry import installed

    both = [name for name in left if name in right and left[name].shape == right[name].shape]
    try:
        measure = installed().build("agreement", MEASURE, {})
    except XaiexpError:
        return None
    by_length: dict[int, list[tuple[str, Tensor, Tensor]]] = {}
    for name in both:
        a, b = (maps[name][~maps[name].isnan()] for maps in (left, right))
        if a.shape == b.shape:
            by_length.setdefault(len(a), []).append((name[0], a, b))
    frames = []
    for rows in by_length.values():
        examples, a_maps, b_maps = zip(*rows, strict=True)
        values = measure.compare(torch.stack(a_maps), torch.stack(b_maps)).double().numpy()
        frames.append(pd.DataFrame({"example": examples, "value": values}))
    return pd.concat(frames, ignore_index=True) if frames else None
