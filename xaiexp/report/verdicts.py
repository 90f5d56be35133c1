"""What may be said about the methods: verdicts, removals, and where the differences come from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xaiexp.report.diagrams import critical_difference_svg
from xaiexp.report.studies import StudyFolder
from xaiexp.report.wording import cell, number
from xaiexp.results import verdict
from xaiexp.statistics import summary as statistics
from xaiexp.statistics import variance
from xaiexp.statistics.significance import friedman

__all__ = [
    "Judgement",
    "Removal",
    "Source",
    "directions",
    "floors",
    "groups",
    "judgements",
    "removals",
    "sources",
]

_FACTORS = ("model", "dataset", "seed", "method", "baseline", "removal")
_WORDS = {"dataset": "data set"}


@dataclass(frozen=True)
class Judgement:
    """What may be said about the order of the cells under one metric.

    Args:
        sentence: the verdict.
        refused: whether there is no ranking.
        diagram: mean ranks with the critical difference, as SVG; empty where there is none.
        shift: how far masked inputs leave the data, in words; empty where the metric removes nothing.
    """

    metric: str
    sentence: str
    refused: bool
    diagram: str
    shift: str


@dataclass(frozen=True)
class Removal:
    """One metric under several removals: how far each leaves the data, and whether the order changes."""

    metric: str
    rows: tuple[tuple[str, str], ...]
    sentence: str


@dataclass(frozen=True)
class Source:
    """What the differences between mean scores come from: factor and share in percent, largest first."""

    metric: str
    sentence: str


def directions(studies: Sequence[StudyFolder]) -> dict[str, bool | None]:
    """Metric to whether higher is better, from the records; None where it ranks nothing or nobody knows."""
    out: dict[str, bool | None] = {}
    for study in studies:
        for label, about in study.facts("metrics").items():
            higher = about.get("higher_is_better") if isinstance(about, Mapping) else None
            out.setdefault(str(label), higher if isinstance(higher, bool) else None)
    return out


def floors(studies: Sequence[StudyFolder]) -> set[str]:
    """Labels of the methods that any method must beat."""
    return {
        str(label)
        for study in studies
        for label, about in study.facts("methods").items()
        if isinstance(about, Mapping) and about.get("control")
    }


def groups(studies: Sequence[StudyFolder]) -> dict[str, dict[str, str]]:
    """Metrics that differ in their removal alone: name to removal to label."""
    told: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for study in studies:
        for label, about in study.facts("metrics").items():
            if isinstance(about, Mapping) and isinstance(about.get("parameters"), Mapping):
                told.setdefault(str(label), (str(about.get("name", label)), about["parameters"]))
    return verdict.removal_groups(told)


def judgements(study: StudyFolder) -> dict[str, Judgement]:
    """A judgement for every metric that ranks, by its label."""
    said = {str(row["metric"]): row for row in _verdicts(study).to_dict("records")}
    ranking = directions([study])
    out = {}
    for table in statistics.tables(study.scores):
        higher = ranking.get(table.metric)
        if table.metric not in said or higher is None:
            continue
        told = said[table.metric]
        refused = bool(told.get("refused"))
        defined = np.isfinite(table.values).any(axis=1)
        test = friedman(table.values[defined], higher)
        names = [cell(*pair) for pair in table.cells[defined].itertuples(index=False, name=None)]
        diagram = ""
        if not refused and math.isfinite(test.critical_difference):
            diagram = critical_difference_svg(names, test.mean_ranks.tolist(), test.critical_difference)
        out[table.metric] = Judgement(
            table.metric, str(told["verdict"]), refused, diagram, _shift(study, f"{table.metric}.shift")
        )
    return out


def _verdicts(study: StudyFolder) -> pd.DataFrame:
    """The study's verdicts; where it left none, those of the scores that there are."""
    if len(study.verdicts) or not len(study.scores):
        return study.verdicts
    seed = int(study.named("seed") or 0) if (study.named("seed") or "0").isdecimal() else 0
    return verdict.judged(study.scores, directions([study]), floors([study]), groups([study]), seed)


def _shift(study: StudyFolder, metric: str) -> str:
    values = study.scores.loc[study.scores["metric"] == metric, "value"].to_numpy(dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return ""
    return (
        f"Inputs with features removed lie {number(float(values.mean()), 2)} times as far from the data as examples of "
        "the data lie from each other (penultimate layer, mean over examples and cells)."
    )


def removals(study: StudyFolder) -> list[Removal]:
    """Every metric that was measured with several removals."""
    said = {str(row["metric"]): str(row["verdict"]) for row in _verdicts(study).to_dict("records")}
    out = []
    for name, labels in groups([study]).items():
        sentence = said.get(f"{name} (removal)")
        if sentence is None:
            continue
        rows = []
        for removal, label in labels.items():
            values = study.scores.loc[study.scores["metric"] == f"{label}.shift", "value"].to_numpy(dtype=np.float64)
            values = values[np.isfinite(values)]
            rows.append((removal, number(float(values.mean()), 2) if len(values) else number(math.nan)))
        out.append(Removal(name, tuple(rows), sentence))
    return out


def sources(studies: Sequence[StudyFolder]) -> list[Source]:
    """For every metric what its differences come from, over all studies and removals that there are."""
    label_of = {label: (name, removal) for name, kinds in groups(studies).items() for removal, label in kinds.items()}
    ranking = directions(studies)
    frames = []
    for study in studies:
        ranks = [ranking.get(metric) is not None for metric in study.summary["metric"]]
        rows = study.summary[np.array(ranks, dtype=bool)]
        frames.append(
            rows.assign(
                metric=[label_of.get(m, (m, ""))[0] for m in rows["metric"]],
                removal=[label_of.get(m, (m, ""))[1] for m in rows["metric"]],
                mean=rows["mean"].astype(float),
            )
        )
    if not frames:
        return []
    out = []
    for metric, rows in pd.concat(frames, ignore_index=True).groupby("metric", sort=False):
        found = variance.shares(rows, _FACTORS)
        if len([f for f in found if f != "rest"]) < 2:
            continue  # one factor explains everything that there is
        told = sorted(((f, s) for f, s in found.items() if f != "rest"), key=lambda pair: -pair[1])
        words = [f"{_WORDS.get(f, f)} explains {100 * s:.0f} %" for f, s in told]
        # Two means under the same levels differ in something that is no factor: a parameter, or the seed of a model.
        repeated = rows.duplicated([f for f in _FACTORS if f in rows]).any()
        rest = "combinations of these, and what else differs" if repeated else "only combinations of these"
        words.append(f"{rest} {100 * found['rest']:.0f} %")
        out.append(Source(str(metric), ", ".join(words)))
    return out
