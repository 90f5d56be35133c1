"""Verdicts of the report: per metric, and over removals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xaiexp.core.ids import MetricId
from xaiexp.report.studies import StudyFolder
from xaiexp.report.wording import number
from xaiexp.results import removals as removal_axis
from xaiexp.results import verdict

__all__ = [
    "Removal",
    "comparisons_of",
    "controls",
    "directions",
    "draws",
    "removal_groups",
    "removals",
    "rules",
    "shift_sentence",
    "verdicts_of",
]


@dataclass(frozen=True)
class Removal:
    """One metric with several removals: the distance to the data of each, and whether the order changes."""

    metric: str
    rows: tuple[tuple[str, str], ...]
    sentence: str


def directions(studies: Sequence[StudyFolder]) -> dict[str, bool | None]:
    """Metric to whether higher is better, from the records; None where it ranks nothing."""
    higher_is_better: dict[str, bool | None] = {}
    for study in studies:
        for label, facts in study.record.metrics.items():
            higher_is_better.setdefault(label, facts.higher_is_better)
    return higher_is_better


def controls(studies: Sequence[StudyFolder]) -> set[str]:
    """Labels of the control methods, which every explanation should beat."""
    return {label for study in studies for label, facts in study.record.methods.items() if facts.control}


def rules(study: StudyFolder) -> verdict.Rules:
    """What the study asks of the tests of its verdicts; without a null study, whose samples are made once."""
    return verdict.Rules(study.record.study.margin, study.record.study.families)


def draws(studies: Sequence[StudyFolder]) -> dict[str, Mapping[str, int]]:
    """Method and metric to the number of draws of a map over which scores are averaged."""
    return {label: facts.draws for study in studies for label, facts in study.record.methods.items()}


def removal_groups(studies: Sequence[StudyFolder]) -> dict[str, dict[str, str]]:
    """Metrics that differ only in their removal: name to removal to label."""
    metrics: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for study in studies:
        for label, facts in study.record.metrics.items():
            metrics.setdefault(label, (facts.name or label, facts.parameters))
    return removal_axis.removal_groups(metrics)


def verdicts_of(study: StudyFolder) -> pd.DataFrame:
    """The verdicts of the study; computed from its scores where their file is missing."""
    if len(study.verdicts) or not len(study.scores):
        return study.verdicts
    return verdict.verdict_table(
        study.units,
        directions([study]),
        controls([study]),
        removal_groups([study]),
        study.seed,
        unit=study.unit,
        draws=draws([study]),
        rules=rules(study),
    )


def comparisons_of(study: StudyFolder) -> pd.DataFrame:
    """The paired tests of the study; computed from its scores where their file is missing."""
    if len(study.comparisons) or not len(study.scores):
        return study.comparisons
    return verdict.comparison_table(study.units, directions([study]), study.seed, rules(study))


def _mean_shift(study: StudyFolder, metric: str) -> float:
    """The mean distance to the data of inputs with features removed; NaN where it was not measured."""
    label = str(MetricId(metric, "shift"))
    values = study.scores.loc[study.scores["metric"] == label, "value"].to_numpy(dtype=np.float64)
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else math.nan


def shift_sentence(study: StudyFolder, metric: str) -> str:
    """How far inputs with features removed are from the data; empty where it was not measured."""
    shift = _mean_shift(study, metric)
    if math.isnan(shift):
        return ""
    return (
        f"Inputs with features removed are {number(shift, 2)} times as far from the data as examples of the data are "
        "from each other (penultimate layer, mean over examples and cells)."
    )


def removals(study: StudyFolder) -> list[Removal]:
    """Every metric that was computed with several removals."""
    sentences = {str(row["metric"]): str(row["verdict"]) for row in verdicts_of(study).to_dict("records")}
    entries = []
    for name, labels in removal_groups([study]).items():
        sentence = sentences.get(f"{name} (removal)")
        if sentence is not None:
            rows = tuple((removal, number(_mean_shift(study, label), 2)) for removal, label in labels.items())
            entries.append(Removal(name, rows, sentence))
    return entries
