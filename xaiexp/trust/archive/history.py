"""What an archive shows over time: importance of features, and agreement with the first version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from xaiexp.api.functions import agree
from xaiexp.errors import MismatchError
from xaiexp.statistics.intervals import bootstrap_interval
from xaiexp.trust.archive.entries import Entry, Value
from xaiexp.trust.archive.objects import read_json, read_maps
from xaiexp.trust.archive.places import Place
from xaiexp.trust.drift.importance import grouped_maps

__all__ = ["History", "history_of"]

FloatArray = NDArray[np.float64]

MEASURE = "rank_correlation"


@dataclass(frozen=True)
class History:
    """An archive over time.

    Args:
        entries: by date.
        features: by cell, the names of its features.
        importance: by cell, float64 ``[versions, F]``: mean magnitudes; NaN for a version without the cell.
        agreement: by cell, the agreement of each version's maps with those of the first that has the cell.
        skipped: cells whose features have no names to follow over time, with the reason.
    """

    entries: Sequence[Entry]
    features: Mapping[str, Sequence[str]]
    importance: Mapping[str, FloatArray]
    agreement: Mapping[str, Sequence[Value]]
    skipped: Mapping[str, str]


def history_of(place: Place, entries: Sequence[Entry]) -> History:
    """Read the maps of all versions.

    Raises:
        ResourceError: an object is missing or damaged.
    """
    features: dict[str, Sequence[str]] = {}
    importance: dict[str, FloatArray] = {}
    agreement: dict[str, list[Value]] = {}
    skipped: dict[str, str] = {}
    probe = read_json(place, entries[0].probe)
    for cell in dict.fromkeys(cell for entry in entries for cell in entry.maps):
        having = [i for i, entry in enumerate(entries) if cell in entry.maps]
        maps = [read_maps(place, entries[i].maps[cell]) for i in having]
        agreement[cell] = _agreement(maps, having, len(entries), cell)
        try:
            tokens = [probe["tokens"]] * len(maps)
            flat = [each.reshape(len(each), -1).astype(np.float64) for each in maps]
            shape = maps[0].shape[1:]
            names, summed = grouped_maps(flat, entries[0].modality, shape, probe["columns"], tokens)
        except MismatchError as error:
            skipped[cell] = str(error).splitlines()[0]
            continue
        features[cell] = names
        importance[cell] = np.full((len(entries), len(names)), np.nan)
        for i, each in zip(having, summed, strict=True):
            importance[cell][i] = np.nanmean(each, axis=0)
    return History(entries, features, importance, agreement, skipped)


def _agreement(maps: Sequence[NDArray[np.float32]], having: Sequence[int], count: int, cell: str) -> list[Value]:
    """The agreement of each version with the first, with its 95 % interval."""
    found = [Value(MEASURE, cell) for _ in range(count)]
    first = torch.from_numpy(maps[0]).flatten(1)
    for i, each in zip(having, maps, strict=True):
        other = torch.from_numpy(each).flatten(1)
        if other.shape != first.shape:
            continue
        values = _by_length(first, other)
        known = values[np.isfinite(values)]
        if len(known) > 1:
            mean, low, high = bootstrap_interval(known, seed=0)
            found[i] = Value(MEASURE, cell, mean, low, high, len(known))
    return found


def _by_length(left: torch.Tensor, right: torch.Tensor) -> FloatArray:
    """As maps of texts differ in length, each example is compared over its own features."""
    lengths = (~left.isnan()).sum(dim=1)
    values = np.full(len(left), np.nan)
    for length in sorted(set(lengths.tolist())):
        rows = (lengths == length).nonzero()[:, 0]
        if length > 1:
            values[rows.numpy()] = agree(left[rows, :length], right[rows, :length], MEASURE).double().numpy()
    return values
