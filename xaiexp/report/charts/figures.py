"""Which figures a study or several of them have: the chart of each, its rows and its parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from xaiexp.core.record import AgreementFacts
from xaiexp.report.charts import frames
from xaiexp.report.charts.matrices import agreement_matrix
from xaiexp.report.results import is_joint
from xaiexp.report.studies import StudyFolder
from xaiexp.statistics.clustering import clustered

__all__ = ["MOST_CELLS", "Figure", "agreement_figures", "main_figures", "metric_figures", "sweep_figures"]

MOST_CELLS = 40
"""Most cells of a matrix or a diagram: those with the best means."""


@dataclass(frozen=True)
class Figure:
    """A chart with its data.

    Args:
        name: of its file, without ending.
        chart: name of the chart.
        rows: its data.
        parameters: of the chart.
        height: of the plot in pixels; None for that of the chart.
    """

    name: str
    chart: str
    rows: pd.DataFrame
    parameters: Mapping[str, float] = field(default_factory=dict)
    height: int | None = None


def main_figures(study: StudyFolder) -> Iterator[Figure]:
    """The means of all metrics in one figure, the curves of those that have any, and agreement."""
    rankings = [_limited(each) for each in frames.rankings(study)]
    if means := [frames.intervals(each) for each in rankings if each.means]:
        chart = "intervals_by_metric" if len(means) > 1 else "intervals"
        yield Figure("intervals", chart, pd.concat(means, ignore_index=True))
    for ranking in rankings:
        if len(curves := frames.curves_of(study, ranking)):
            yield Figure(f"{ranking.metric}_curves", "curves", curves)
    yield from agreement_figures(study)


def metric_figures(study: StudyFolder) -> Iterator[Figure]:
    """The figures of every metric: means, letters, win rates, differences, cost, curves, Nemenyi's diagram."""
    rankings = [_limited(each) for each in frames.rankings(study)]
    means = [frames.intervals(each) for each in rankings if each.means]
    if len(means) > 1:
        yield Figure("intervals", "intervals_by_metric", pd.concat(means, ignore_index=True))
    for ranking in rankings:
        ranks = frames.critical_difference(ranking)
        count = int((ranks["kind"] == "cell").sum()) if len(ranks) else 0
        cost = frames.cost(ranking, study.cells)
        found = [
            Figure("intervals", "intervals", frames.intervals(ranking)),
            Figure("letters", "letters", frames.letters(ranking)),
            Figure("win_rates", "win_rates", frames.win_rates(ranking)),
            Figure("differences", "differences", frames.differences(ranking)),
            Figure("cost", "cost", cost if len(cost) > 1 else pd.DataFrame()),
            Figure("curves", "curves", frames.curves_of(study, ranking)),
            Figure("nemenyi", "critical_difference", ranks, {"cells": count}, 46 + 24 * (math.ceil(count / 2) + 1)),
        ]
        for each in found:
            if len(each.rows):
                yield replace(each, name=f"{ranking.metric}_{each.name}")


def _limited(ranking: frames.Ranking) -> frames.Ranking:
    """With the best :data:`MOST_CELLS` cells alone."""
    if len(ranking.means) <= MOST_CELLS:
        return ranking
    kept = {(row["method"], row["baseline"]) for row in ranking.means[:MOST_CELLS]}
    pairs = tuple(
        row for row in ranking.pairs if all((row[f"method_{side}"], row[f"baseline_{side}"]) in kept for side in "ab")
    )
    return replace(ranking, means=ranking.means[:MOST_CELLS], pairs=pairs)


def agreement_figures(study: StudyFolder) -> Iterator[Figure]:
    """The matrix of every measure of pairs."""
    for name, rows in study.agreement.groupby("measure", sort=False, observed=True):
        measure = str(name)
        if is_joint(rows):
            continue
        matrix = agreement_matrix(rows, measure)
        bounds = study.record.agreements.get(measure, AgreementFacts()).bounds or (None, None)
        signed, limit = _scale(bounds, matrix.means)
        order = clustered(matrix.means, bounds)[:MOST_CELLS]
        frame = frames.agreement(matrix.names, matrix.means, matrix.defined, order)
        yield Figure(f"agreement_{measure}", "signed_agreement" if signed else "agreement", frame, {"limit": limit})


def _scale(
    bounds: tuple[float | None, float | None], means: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> tuple[bool, float]:
    """Whether a measure may be negative, and the end of its scale."""
    known = means[np.isfinite(means)]
    ends = [abs(end) for end in bounds if end is not None and np.isfinite(end)]
    limit = max(ends or np.abs(known).tolist() or [1.0]) or 1.0
    low, high = bounds
    signed = bool((known < 0).any()) if low is None and high is None else low is None or low < 0
    return signed, float(limit)


def sweep_figures(studies: Sequence[tuple[str, StudyFolder]]) -> Iterator[Figure]:
    """Every metric across studies, by their names."""
    by_metric: dict[str, dict[str, frames.Ranking]] = {}
    for name, study in studies:
        for ranking in frames.rankings(study):
            if ranking.means:
                by_metric.setdefault(ranking.metric, {})[name] = ranking
    for metric, of_studies in by_metric.items():
        if len(of_studies) > 1:
            yield Figure(f"{metric}_across", "across", frames.across(of_studies))
