"""Verdicts of the report: per metric, over removals, and the sources of variance."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xaiexp.core.ids import NO_BASELINE, CellId, MetricId
from xaiexp.report.diagrams import critical_difference_svg
from xaiexp.report.studies import StudyFolder
from xaiexp.report.wording import number, plural
from xaiexp.results import removals as removal_axis
from xaiexp.results import verdict
from xaiexp.statistics import summary as statistics
from xaiexp.statistics import variance
from xaiexp.statistics.comparison import Comparison, compare
from xaiexp.statistics.equivalence import shown
from xaiexp.statistics.significance import friedman

__all__ = [
    "MetricVerdict",
    "Removal",
    "Source",
    "controls",
    "directions",
    "metric_verdicts",
    "removal_groups",
    "removals",
    "sources",
]

_FACTORS = ("model", "dataset", "seed", "method", "baseline", "removal")


@dataclass(frozen=True)
class MetricVerdict:
    """The verdict of one metric.

    Args:
        sentence: the verdict.
        refused: whether there is no ranking.
        differences: of all pairs of ranked cells: the cell with the better mean, the other one, the difference of the
            means, its simultaneous interval, the corrected p value and what is shown.
        margin: the smallest difference that matters; empty where none was given.
        diagram: mean ranks with the critical difference, as SVG, or empty.
        shift: how far inputs with features removed are from the data, as a sentence; empty where the metric removes
            no features.
    """

    metric: str
    sentence: str
    refused: bool
    differences: tuple[tuple[str, str, str, str, str, str], ...]
    margin: str
    diagram: str
    shift: str


@dataclass(frozen=True)
class Removal:
    """One metric with several removals: the distance to the data of each, and whether the order changes."""

    metric: str
    rows: tuple[tuple[str, str], ...]
    sentence: str


@dataclass(frozen=True)
class Source:
    """Where the variance of the mean scores of a metric comes from, in one sentence."""

    metric: str
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


def removal_groups(studies: Sequence[StudyFolder]) -> dict[str, dict[str, str]]:
    """Metrics that differ only in their removal: name to removal to label."""
    metrics: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for study in studies:
        for label, facts in study.record.metrics.items():
            metrics.setdefault(label, (facts.name or label, facts.parameters))
    return removal_axis.removal_groups(metrics)


def metric_verdicts(study: StudyFolder) -> dict[str, MetricVerdict]:
    """The verdict of every metric that ranks, by its label."""
    rows = {str(row["metric"]): row for row in _verdicts(study).to_dict("records")}
    higher_is_better = directions([study])
    tables = list(statistics.tables(study.scores))
    metrics = statistics.family_count(tables, higher_is_better, study.record.study.families)
    verdicts = {}
    for table in tables:
        higher, row = higher_is_better.get(table.metric), rows.get(table.metric)
        if row is None or higher is None:
            continue
        refused = bool(row.get("refused"))
        compared = compare(table.values, higher, seed=study.seed, metrics=metrics)
        margin = study.record.study.margin.get(table.metric, 0.0)
        names = [str(CellId(*pair)) for pair in table.cells.itertuples(index=False, name=None)]
        ranked = sorted(compared.ranked)
        test = friedman(table.values[ranked][:, compared.common], higher)
        diagram = ""
        if not refused and math.isfinite(test.critical_difference):
            diagram = critical_difference_svg(
                [names[i] for i in ranked], test.mean_ranks.tolist(), test.critical_difference
            )
        verdicts[table.metric] = MetricVerdict(
            table.metric,
            str(row["verdict"]),
            refused,
            () if refused else tuple(_differences(compared, names, margin)),
            number(margin) if margin else "",
            diagram,
            _shift_sentence(study, table.metric),
        )
    return verdicts


def _differences(
    compared: Comparison, names: Sequence[str], margin: float
) -> Iterator[tuple[str, str, str, str, str, str]]:
    pairs, found = compared.pairs, shown(compared.pairs.low, compared.pairs.high, margin)
    for i, j in itertools.combinations(compared.order, 2):
        pair, sign = compared.pair(i, j), 1 if i < j else -1
        low, high = sorted((sign * float(pairs.low[pair]), sign * float(pairs.high[pair])))
        mean, p = sign * float(pairs.difference[pair]), float(pairs.p_adjusted[pair])
        interval = f"{number(low)} to {number(high)}"
        yield names[i], names[j], number(mean), interval, number(p, 2), found[pair]


def _verdicts(study: StudyFolder) -> pd.DataFrame:
    """The verdicts of the study; computed from its scores where their file is missing."""
    if len(study.verdicts) or not len(study.scores):
        return study.verdicts
    return verdict.verdict_table(
        study.scores,
        directions([study]),
        controls([study]),
        removal_groups([study]),
        study.seed,
        rules=verdict.Rules(study.record.study.margin, study.record.study.families),
    )


def _mean_shift(study: StudyFolder, metric: str) -> float:
    """The mean distance to the data of inputs with features removed; NaN where it was not measured."""
    label = str(MetricId(metric, "shift"))
    values = study.scores.loc[study.scores["metric"] == label, "value"].to_numpy(dtype=np.float64)
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else math.nan


def _shift_sentence(study: StudyFolder, metric: str) -> str:
    shift = _mean_shift(study, metric)
    if math.isnan(shift):
        return ""
    return (
        f"Inputs with features removed are {number(shift, 2)} times as far from the data as examples of the data are "
        "from each other (penultimate layer, mean over examples and cells)."
    )


def removals(study: StudyFolder) -> list[Removal]:
    """Every metric that was computed with several removals."""
    sentences = {str(row["metric"]): str(row["verdict"]) for row in _verdicts(study).to_dict("records")}
    entries = []
    for name, labels in removal_groups([study]).items():
        sentence = sentences.get(f"{name} (removal)")
        if sentence is not None:
            rows = tuple((removal, number(_mean_shift(study, label), 2)) for removal, label in labels.items())
            entries.append(Removal(name, rows, sentence))
    return entries


def sources(studies: Sequence[StudyFolder]) -> list[Source]:
    """For every metric the sources of its variance, without controls.

    Of one study with several baselines: among the cells that read one, on the examples where all of these are defined,
    without sampling noise. Of several studies: of the mean scores of all cells.
    """
    label_of = {
        label: (name, removal) for name, kinds in removal_groups(studies).items() for removal, label in kinds.items()
    }
    ranked = {metric for metric, higher in directions(studies).items() if higher is not None}
    of_all = controls(studies)
    frames = []
    for study in studies:
        summary = study.summary
        rows = summary[summary["metric"].isin(ranked) & ~summary["method"].isin(of_all)]
        frames.append(
            rows.assign(
                metric=[label_of.get(m, (m, ""))[0] for m in rows["metric"]],
                removal=[label_of.get(m, (m, ""))[1] for m in rows["metric"]],
                mean=rows["mean"].astype(float),
            )
        )
    if not frames:
        return []
    entries = []
    for metric, rows in pd.concat(frames, ignore_index=True).groupby("metric", sort=False):
        sentence = _nested(studies[0], str(metric), label_of, of_all) if len(studies) == 1 else ""
        sentence = sentence or _shares_of_means(rows)
        if sentence:
            entries.append(Source(str(metric), sentence))
    return entries


def _nested(study: StudyFolder, metric: str, label_of: Mapping[str, tuple[str, str]], of_all: Collection[str]) -> str:
    """The shares among the cells of one study that read a baseline; empty where fewer than two factors vary there."""
    parts = []
    for table in statistics.tables(study.scores):
        name, removal = label_of.get(table.metric, (table.metric, ""))
        if name == metric:
            chosen = (table.cells["baseline"] != NO_BASELINE) & ~table.cells["method"].isin(of_all)
            parts.append((table.cells[chosen].assign(removal=removal), table.values[chosen.to_numpy()]))
    if len({values.shape[1] for _, values in parts}) != 1:  # no scores, or tables of different examples
        return ""
    cells = pd.concat([part for part, _ in parts], ignore_index=True)
    values = np.concatenate([part for _, part in parts])
    defined = np.isfinite(values).any(axis=1)
    cells, values = cells[defined].reset_index(drop=True), values[defined]
    found = variance.corrected_shares(values, cells, ("method", "baseline", "removal"), seed=study.seed)
    factors = sorted((f for f in found if f != "rest"), key=lambda factor: -found[factor].share)
    if not factors:
        return ""
    words = [f"{factor} explains {_percent(found[factor])}" for factor in factors]
    interaction = " x ".join(factors) if len(factors) == 2 else "their interactions"
    words.append(f"{interaction} {_percent(found['rest'])}")
    return f"among the {plural(len(cells), 'cell')} that read a baseline, without sampling noise: {', '.join(words)}"


def _percent(share: variance.Share) -> str:
    return f"{100 * share.share:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}]"


def _shares_of_means(rows: pd.DataFrame) -> str:
    """The shares of mean scores; empty where a single factor varies."""
    shares = variance.shares(rows, _FACTORS)
    factors = sorted((f for f in shares if f != "rest"), key=lambda factor: -shares[factor])
    if len(factors) < 2:
        return ""  # a single factor explains all differences
    words = [f"{factor} explains {100 * shares[factor]:.0f} %" for factor in factors]
    # Two means with the same factors differ in something else: a parameter, or the seed of a model.
    repeated = rows.duplicated([f for f in _FACTORS if f in rows]).any()
    rest = "interactions and other differences explain" if repeated else "their interactions explain"
    return ", ".join([*words, f"{rest} {100 * shares['rest']:.0f} %"])
