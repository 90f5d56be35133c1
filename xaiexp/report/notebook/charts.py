"""The charts of a result for notebooks, as charts of Altair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xaiexp.errors import UnknownName, UserError, nearest
from xaiexp.report.charts.figures import Figure, agreement_figures, metric_figures, sweep_figures
from xaiexp.report.notebook.shown import shown_chart
from xaiexp.report.studies import StudyFolder

__all__ = ["KINDS", "across_chart", "agreement_chart", "curves_chart", "metric_chart"]

KINDS = {
    "means": "intervals",
    "letters": "letters",
    "win_rates": "win_rates",
    "differences": "differences",
    "cost": "cost",
    "curves": "curves",
    "nemenyi": "nemenyi",
}
"""What a chart of a metric may show, to the end of the name of its figure."""


def metric_chart(study: StudyFolder, metric: str | None, kind: str) -> Any:
    """A chart of one metric, or the means of all of them.

    Args:
        study: the study.
        metric: its label; None for the means of all metrics.
        kind: one of :data:`KINDS`.

    Raises:
        UnknownName: there is no such metric or kind.
        UserError: the metric has nothing to show of this kind, or a metric is to be named.
    """
    if kind not in KINDS:
        raise UnknownName("kind", "no chart of a metric has this name", got=kind, nearest=nearest(kind, KINDS))
    found = {figure.name: figure for figure in metric_figures(study)}
    metrics = [name.removesuffix("_intervals") for name in found if name.endswith("_intervals")]
    if not metrics:
        raise UserError("plot_metrics", "this study has no scores")
    if metric is None and kind == "means":
        return _chart(found.get("intervals") or found[f"{metrics[0]}_intervals"])
    if metric is None:
        raise UserError("plot_metrics", f"shows {kind} of one metric", hint=f"metric=: {', '.join(metrics)}")
    if metric not in metrics:
        raise UnknownName("metric", "has no scores in this study", got=metric, nearest=nearest(metric, metrics))
    figure = found.get(f"{metric}_{KINDS[kind]}")
    if figure is None:
        known = [each for each, end in KINDS.items() if f"{metric}_{end}" in found]
        raise UserError("plot_metrics", f"{metric} has no {kind} to show", hint=f"kind=: {', '.join(known)}")
    return _chart(figure)


def curves_chart(study: StudyFolder, metric: str | None) -> Any:
    """The curves of one metric, of the first that keeps them by default.

    Raises:
        UnknownName: no metric with curves has this name.
        UserError: the study has none.
    """
    found = {
        figure.name.removesuffix("_curves"): figure for figure in metric_figures(study) if figure.chart == "curves"
    }
    if not found:
        raise UserError(
            "plot_curves", "no metric of this study kept curves", hint="metric=[deletion,insertion] have them"
        )
    chosen = next(iter(found)) if metric is None else metric
    if chosen not in found:
        raise UnknownName("metric", "has no curves in this study", got=chosen, nearest=nearest(chosen, found))
    return _chart(found[chosen])


def agreement_chart(study: StudyFolder, measure: str | None) -> Any:
    """The matrix of one measure of agreement, the first one by default.

    Raises:
        UnknownName: no measure of pairs has this name.
        UserError: the study has no measure of pairs.
    """
    found = {figure.name.removeprefix("agreement_"): figure for figure in agreement_figures(study)}
    if not found:
        raise UserError("plot_agreement", "this study has no measure of agreement of pairs")
    chosen = next(iter(found)) if measure is None else measure
    if chosen not in found:
        raise UnknownName("measure", "of no pair in this study", got=chosen, nearest=nearest(chosen, found))
    return _chart(found[chosen])


def across_chart(studies: Sequence[tuple[str, StudyFolder]], metric: str | None) -> Any:
    """The means of one metric in several studies, of the first one by default.

    Args:
        studies: with their names.
        metric: its label.

    Raises:
        UnknownName: there is no such metric.
        UserError: no metric has scores in two studies.
    """
    found = {figure.name.removesuffix("_across"): figure for figure in sweep_figures(studies)}
    if not found:
        raise UserError("plot_metrics", "no metric has scores in two studies of this sweep")
    chosen = next(iter(found)) if metric is None else metric
    if chosen not in found:
        raise UnknownName("metric", "has no scores in two studies", got=chosen, nearest=nearest(chosen, found))
    return _chart(found[chosen])


def _chart(figure: Figure) -> Any:
    from xaiexp.report.charts.catalogue import CHARTS

    limit = {name: value for name, value in figure.parameters.items() if name == "limit"}
    chart = CHARTS[figure.chart](figure.rows, **limit)
    return shown_chart(chart if figure.height is None else chart.properties(height=figure.height))
