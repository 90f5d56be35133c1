"""Agreement of explanations of the same examples across studies: other seeds, other models, other baselines.

The maps come from the store; what is no longer there is left out.
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

from xaiexp.errors import XaiexpError
from xaiexp.report.seeds import Setting, setting
from xaiexp.report.studies import StudyFolder
from xaiexp.report.wording import cell, number
from xaiexp.statistics.intervals import bootstrap_interval
from xaiexp.statistics.summary import example_means

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
        rows: cell, mean agreement with its interval over examples (of each the mean over its targets and the pairs of
            studies), number of examples and of pairs of studies.
    """

    what: str
    rows: tuple[tuple[str, str, str, str], ...]


def across(studies: Sequence[StudyFolder]) -> list[Across]:
    """For every cell how far its maps agree between studies that differ in one thing: the seed, or the model."""
    found: dict[str, dict[str, list[pd.DataFrame]]] = {}
    kept: dict[int, dict[tuple[str, str], dict[tuple[str, int], Tensor]]] = {}
    settings = [setting(study) for study in studies[:_MOST]]
    for i, j in itertools.combinations(range(len(settings)), 2):
        what = _difference(settings[i], settings[j])
        if what is None:
            continue
        for place in (i, j):
            if place not in kept:
                kept[place] = _maps(studies[place])
        for key, left in kept[i].items():
            right = kept[j].get(key)
            values = None if right is None else _agreement(left, right)
            if values is not None:
                found.setdefault(what, {}).setdefault(cell(*key), []).append(values)
    return [Across(what, tuple(_row(name, parts) for name, parts in cells.items())) for what, cells in found.items()]


def _row(name: str, parts: Sequence[pd.DataFrame]) -> tuple[str, str, str, str]:
    values = example_means(pd.concat(parts))
    mean, low, high = bootstrap_interval(values, seed=0)
    interval = "" if math.isnan(low) else f"{number(low)} to {number(high)}"
    return name, number(mean), interval, f"{int(np.isfinite(values).sum())} ({len(parts)})"


def _difference(a: Setting, b: Setting) -> str | None:
    """What two studies differ in, where it is one thing."""
    if a.rest != b.rest:
        return None
    if a.model == b.model:
        return "seeds" if a.seeds != b.seeds else None
    apart = [{k: v for k, v in of.seeds.items() if not k.startswith("model.")} for of in (a, b)]
    return "models" if apart[0] == apart[1] else None


def _maps(study: StudyFolder) -> dict[tuple[str, str], dict[tuple[str, int], Tensor]]:
    """Cell to (example, target) to its pooled map ``[d]``, as far as the store still has them."""
    from xaiexp.store.objects import Store

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


def _agreement(left: Mapping[tuple[str, int], Tensor], right: Mapping[tuple[str, int], Tensor]) -> pd.DataFrame | None:
    """Columns ``example`` and ``value``, a row for every example and target that both have."""
    import torch

    from xaiexp.contract.registry import installed

    both = [name for name in left if name in right and left[name].shape == right[name].shape]
    try:
        measure = installed().build("agreement", MEASURE, {})
    except XaiexpError:
        return None
    alike: dict[int, list[tuple[str, Tensor, Tensor]]] = {}
    for name in both:
        a, b = (maps[name][~maps[name].isnan()] for maps in (left, right))
        if a.shape == b.shape:
            alike.setdefault(len(a), []).append((name[0], a, b))
    frames = []
    for rows in alike.values():
        examples, a_maps, b_maps = zip(*rows, strict=True)
        values = measure.compare(torch.stack(a_maps), torch.stack(b_maps)).double().numpy()
        frames.append(pd.DataFrame({"example": examples, "value": values}))
    return pd.concat(frames, ignore_index=True) if frames else None
