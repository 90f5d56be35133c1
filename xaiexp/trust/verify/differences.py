"""Which numbers of two runs of one study differ by more than a tolerance."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.core.ids import CellId
from xaiexp.core.record import Record
from xaiexp.errors import UserError
from xaiexp.trust.finished import Finished

__all__ = ["TOLERANCE", "Moved", "moved"]

TOLERANCE = {"fp32": 1e-4, "bf16": 5e-2, "fp16": 5e-3}
"""Relative tolerance on another machine or with other libraries, by the precision of the passes."""

_MEASURED = ("s", "B")
"""Units of metrics that measure the machine, which no run repeats."""
_KEYS = {
    "cells": ["method", "baseline"],
    "scores": ["metric", "method", "baseline", "example", "target"],
    "agreement": ["measure", "method_a", "baseline_a", "method_b", "baseline_b", "example"],
    "summary": ["metric", "method", "baseline"],
    "verdicts": ["metric"],
}
_VALUES = {
    "cells": ["status", "examples"],
    "scores": ["value"],
    "agreement": ["value"],
    "summary": ["n", "mean", "low", "high", "letters", "rank", "rank_low", "rank_high"],
    "verdicts": ["verdict"],
}


@dataclass(frozen=True)
class Moved:
    """Numbers of one table and one of its groups that moved.

    Args:
        what: the table, and the metric, cell or pair.
        count, of: how many moved of how many.
        largest: the largest relative difference; infinite where one is undefined or missing.
        example: where it is, with both values.
    """

    what: str
    count: int
    of: int
    largest: float
    example: str

    def __str__(self) -> str:
        largest = "" if np.isinf(self.largest) else f", by at most {self.largest:.2g} of the value"
        return f"{self.what}: {self.count} of {self.of} moved{largest}; {self.example}"


def moved(before: Finished, after: Finished, tolerance: float) -> tuple[list[Moved], float]:
    """Compare maps and tables of two runs.

    Numbers a and b agree where |a - b| <= tolerance * max(|a|, |b|), or both are undefined; texts where they are equal.
    A map is compared as a whole: relative to its largest magnitude. Time and memory are not compared.

    Args:
        before, after: the study and its repetition.
        tolerance: relative; 0 asks for equality to the bit.

    Returns:
        What moved, and the largest relative difference of all that did not.
    """
    found, within = [], 0.0
    for cell in before.done:
        maps, largest = _maps(cell, before, after, tolerance)
        found += maps
        within = max(within, largest)
    for name, keys in _KEYS.items():
        tables = [_table(each, name) for each in (before, after)]
        changes, largest = _compared(name, tables, keys, tolerance)
        found += changes
        within = max(within, largest)
    return found, within


def _maps(cell: CellId, before: Finished, after: Finished, tolerance: float) -> tuple[list[Moved], float]:
    if cell not in after.done:
        return [], 0.0  # told by the table of cells
    try:
        old = before.maps(cell)
    except UserError:
        return [], 0.0  # the store has been emptied since: the scores are compared
    new = after.maps(cell)
    if old.shape != new.shape:
        what = f"shape {list(old.shape)} -> {list(new.shape)}"
        return [Moved(f"maps of {cell}", len(old), len(old), np.inf, what)], 0.0
    scale = np.fmax(np.nanmax(np.abs(old), axis=1, initial=0), np.nanmax(np.abs(new), axis=1, initial=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.where(old == new, 0.0, np.abs(old - new) / scale[:, None])
    difference = np.where(np.isnan(old) & np.isnan(new), 0.0, difference)
    worst = np.where(np.isnan(difference), np.inf, difference).max(axis=1, initial=0)
    beyond = worst > tolerance
    if not beyond.any():
        return [], float(worst.max(initial=0))
    row = int(worst.argmax())
    example = f"most at example {before.examples['example'].iloc[row]}"
    return [Moved(f"maps of {cell}", int(beyond.sum()), len(worst), float(worst.max()), example)], 0.0


def _table(study: Finished, name: str) -> pd.DataFrame:
    frame: pd.DataFrame = getattr(study.result, name)
    if name == "scores" or name == "summary" or name == "verdicts":
        frame = frame[~frame["metric"].isin(_measured(study.record))]
    if name == "cells":
        return frame.assign(status=frame["status"].astype(str))
    return frame


def _measured(record: Record) -> list[str]:
    """Metrics of time and memory."""
    return [label for label, facts in record.metrics.items() if facts.unit in _MEASURED]


def _compared(
    name: str, tables: Sequence[pd.DataFrame], keys: Sequence[str], tolerance: float
) -> tuple[list[Moved], float]:
    """The rows of two tables by their keys."""
    if name == "agreement" and all("target" in table for table in tables):
        keys = [*keys, "target"]
    old, new = (table.reset_index(drop=True) for table in tables)
    joint = old.merge(new, how="outer", on=list(keys), suffixes=("_was", "_now"), indicator=True, sort=False)
    if not len(joint):
        return [], 0.0
    worst = np.zeros(len(joint))
    for value in _VALUES[name]:
        if f"{value}_was" in joint and f"{value}_now" in joint:
            worst = np.fmax(worst, _differences(joint[f"{value}_was"], joint[f"{value}_now"]))
    worst[(joint["_merge"] != "both").to_numpy()] = np.inf
    group = [key for key in keys if key not in ("example", "target")]
    found, within = [], 0.0
    for names, rows in joint.groupby(group, sort=False, dropna=False).indices.items():
        own = worst[rows]
        if not (own > tolerance).any():
            within = max(within, float(own.max(initial=0)))
            continue
        place = rows[int(own.argmax())]
        what = f"{name}: {_named(group, names if isinstance(names, tuple) else (names,))}"
        found.append(
            Moved(
                what,
                int((own > tolerance).sum()),
                len(rows),
                float(own.max()),
                _said(name, keys, joint.iloc[place].to_dict()),
            )
        )
    return found, within


def _differences(was: pd.Series[float], now: pd.Series[float]) -> NDArray[np.float64]:
    """Relative differences; infinite for texts that differ and for numbers of which one is undefined."""
    if was.dtype.kind in "fiub" and now.dtype.kind in "fiub":
        a, b = was.to_numpy(dtype=np.float64), now.to_numpy(dtype=np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            relative = np.where(a == b, 0.0, np.abs(a - b) / np.fmax(np.abs(a), np.abs(b)))
        relative = np.where(np.isnan(a) & np.isnan(b), 0.0, relative)
        return np.where(np.isnan(relative), np.inf, relative)
    differs = (was.astype(str) != now.astype(str)).to_numpy()
    return np.where(differs, np.inf, 0.0)


def _named(keys: Sequence[str], names: Sequence[object]) -> str:
    values = dict(zip(keys, map(str, names), strict=True))
    if "method_a" in values:
        a, b = (CellId(values[f"method_{side}"], values[f"baseline_{side}"]) for side in "ab")
        return f"{values['measure']} of {a} and {b}"
    cell = str(CellId(values["method"], values["baseline"])) if "method" in values else ""
    return " of ".join(part for part in (values.get("metric", ""), cell) if part)


def _said(name: str, keys: Sequence[str], row: Mapping[Hashable, Any]) -> str:
    """The row that moved most, in words."""
    if row["_merge"] != "both":
        return "only the study has it" if row["_merge"] == "left_only" else "only the repetition has it"
    where = f"most at example {row['example']}: " if "example" in keys else ""
    values = [
        f"{value} {row[f'{value}_was']} -> {row[f'{value}_now']}"
        for value in _VALUES[name]
        if f"{value}_was" in row and str(row[f"{value}_was"]) != str(row[f"{value}_now"])
    ]
    return where + ", ".join(values)
