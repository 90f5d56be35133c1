"""Sources of variance: which factors of one or several studies the mean scores of a metric depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.core.ids import NO_BASELINE
from xaiexp.report.studies import StudyFolder
from xaiexp.report.verdicts import controls, directions, removal_groups
from xaiexp.report.wording import plural
from xaiexp.statistics.multiple_comparisons.comparison import MIN_DEFINED
from xaiexp.statistics.variance import NOISE, Share, shares

__all__ = ["Source", "sources"]

_Cell = tuple[str, str, str]
"""Removal, method and baseline."""


@dataclass(frozen=True)
class Source:
    """Where the variance of the mean scores of a metric comes from, in one sentence."""

    metric: str
    sentence: str


@dataclass(frozen=True)
class _Design:
    """The cells of a complete crossed design: all combinations of these levels.

    Args:
        reading: whether the cells read baselines; otherwise a method is averaged over its baselines.
    """

    removals: tuple[str, ...]
    methods: tuple[str, ...]
    baselines: tuple[str, ...]
    reading: bool

    @property
    def count(self) -> int:
        """Methods times baselines."""
        return len(self.methods) * len(self.baselines)


def sources(studies: Sequence[StudyFolder]) -> list[Source]:
    """For every metric that ranks, the sources of its variance, without controls.

    They are computed on the cells that all studies have, and on the examples where all of these are defined. Where at
    least two methods read at least two baselines, these cells only are compared: the baseline of the others is no level
    of the factor. Otherwise the scores of a method are averaged over its baselines. Several targets of an example are
    averaged.
    """
    removal_of = {
        label: (name, removal) for name, kinds in removal_groups(studies).items() for removal, label in kinds.items()
    }
    left_out = controls(studies)
    scored = [study for study in studies if len(study.scores)]
    names = dict.fromkeys(
        removal_of.get(label, (label, ""))[0] for label, higher in directions(studies).items() if higher is not None
    )
    entries = []
    for name in names:
        labels = {label: removal_of.get(label, (label, ""))[1] for study in scored for label in study.record.metrics}
        chosen = {label: r for label, r in labels.items() if removal_of.get(label, (label, ""))[0] == name}
        tables = [_by_cell(study, chosen, left_out) for study in scored]
        sentence = _sentence(scored, tables) if tables and all(tables) else ""
        if sentence:
            entries.append(Source(name, sentence))
    return entries


def _by_cell(study: StudyFolder, labels: Mapping[str, str], left_out: set[str]) -> dict[_Cell, pd.Series[float]]:
    """The scores by example of every cell that is defined on enough examples, without controls."""
    scores = study.units
    rows = scores[scores["metric"].isin(labels) & ~scores["method"].isin(left_out)]
    rows = rows[np.isfinite(rows["value"].to_numpy(dtype=np.float64))]
    found = {
        (labels[str(metric)], str(method), str(baseline)): part.groupby("example")["value"].mean()
        for (metric, method, baseline), part in rows.groupby(["metric", "method", "baseline"], sort=False)
    }
    most = max(map(len, found.values()), default=0)
    return {cell: values for cell, values in found.items() if len(values) >= MIN_DEFINED * most}


def _sentence(studies: Sequence[StudyFolder], tables: Sequence[Mapping[_Cell, pd.Series[float]]]) -> str:
    """The shares in words; empty where fewer than two factors vary."""
    cells = [cell for cell in tables[0] if all(cell in table for table in tables)]
    design = _design(cells)
    places: dict[tuple[str, str], list[int]] = {}
    for i, study in enumerate(studies):
        places.setdefault((study.identity("model"), study.identity("dataset")), []).append(i)
    repeated = {len(each) for each in places.values()}
    blocks, datasets = [], [dataset for _, dataset in places]
    for (_, dataset), each in places.items():
        ordered = sorted(each, key=lambda i: studies[i].seed)
        of_dataset = [i for key, others in places.items() if key[1] == dataset for i in others]
        stacked = np.stack([_values(tables[i], design, _common(tables, of_dataset, design)) for i in ordered])
        blocks.append(stacked if len(repeated) == 1 else stacked.mean(axis=0, keepdims=True))
    if not blocks[0].size:
        return ""
    found = shares(blocks, datasets, seed=0)
    if not found:
        return ""
    names = {"block": _blocks(list(places)), "seed": _replicates(studies, places), "rest": "other interactions"}
    if all(share.low == 0 for name, share in found.items() if name != NOISE):
        words = "no factor is told from sampling noise"
    else:
        ranked = sorted((name for name in found if name != NOISE), key=lambda name: -found[name].share)
        words = ", ".join(f"{names.get(name, name)} {_percent(found[name])}" for name in [*ranked, NOISE])
    of = f"{plural(design.count, 'cell')} that read a baseline" if design.reading else plural(design.count, "method")
    scale = "" if len(places) == 1 else ", standardised within model and data set"
    over = f"over {len(studies)} studies, " if len(studies) > 1 else ""
    return f"{over}among the {of}{scale}: {words}"


def _design(cells: Sequence[_Cell]) -> _Design:
    """The complete design of some cells."""
    removals = tuple(dict.fromkeys(removal for removal, _, _ in cells))
    of: dict[str, set[str]] = {}
    for _, method, baseline in cells:
        of.setdefault(method, set()).add(baseline)
    whole = [m for m, found in of.items() if all((r, m, b) in cells for r in removals for b in found)]
    baselines = tuple(dict.fromkeys(b for _, m, b in cells if m in whole and b != NO_BASELINE))
    reading = tuple(m for m in whole if of[m] == set(baselines))
    if len(reading) > 1 and len(baselines) > 1:
        return _Design(removals, reading, baselines, True)
    return _Design(removals, tuple(whole), ("",), False)


def _common(
    tables: Sequence[Mapping[_Cell, pd.Series[float]]], places: Sequence[int], design: _Design
) -> pd.Index[str]:
    """The examples on which all cells of all studies of a dataset are defined."""
    indices = [
        values.index
        for i in places
        for (removal, method, _), values in tables[i].items()
        if removal in design.removals and method in design.methods
    ]
    common = indices[0] if indices else pd.Index([], dtype=str)
    for index in indices[1:]:
        common = common.intersection(index)
    return common.sort_values()


def _values(table: Mapping[_Cell, pd.Series[float]], design: _Design, examples: pd.Index[str]) -> NDArray[np.float64]:
    """float64 ``[removals, methods, baselines, N]``."""

    def of_cell(removal: str, method: str, baseline: str) -> NDArray[np.float64]:
        rows = [
            values.reindex(examples).to_numpy(dtype=np.float64)
            for (r, m, b), values in table.items()
            if (r, m) == (removal, method) and baseline in ("", b)
        ]
        return np.asarray(np.mean(rows, axis=0))

    out = np.array([[[of_cell(r, m, b) for b in design.baselines] for m in design.methods] for r in design.removals])
    return out.reshape(len(design.removals), len(design.methods), len(design.baselines), len(examples))


def _blocks(places: Sequence[tuple[str, str]]) -> str:
    models, datasets = (len({place[k] for place in places}) for k in (0, 1))
    names = [name for name, count in (("model", models), ("data set", datasets)) if count > 1]
    return f"differences between {' and '.join(f'{name}s' for name in names)} (interactions)"


def _replicates(studies: Sequence[StudyFolder], places: Mapping[tuple[str, str], Sequence[int]]) -> str:
    """What distinguishes the studies of one model and dataset."""
    distinct = all(len({studies[i].seed for i in each}) == len(each) for each in places.values())
    return "seed (alone and in interactions)" if distinct else "other settings (alone and in interactions)"


def _percent(share: Share) -> str:
    return f"{100 * share.share:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}]"
