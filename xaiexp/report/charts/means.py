"""Charts of means: with their intervals by cell, of several metrics, of groups of examples and of studies."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from xaiexp.report.charts.style import (
    CATEGORIES,
    MATRIX_PADDING,
    cell_axis,
    colour,
    contrasting,
    controls_rule,
    finished,
    ordered,
    rows_of,
    scale_colour,
)

__all__ = ["across", "group_means", "groups", "intervals", "intervals_by_metric"]

_NUMBER = ".3~g"


def _intervals(base: Any) -> Any:
    """Whiskers, points and letters; dashed rules at the controls."""
    x = alt.X(
        "mean:Q",
        title="mean and marginal 95 % interval",
        scale=alt.Scale(zero=False, padding=8),
        axis=alt.Axis(tickCount=6),
    )
    y = alt.Y("cell:N", sort=ordered(), axis=cell_axis())
    tooltip = [
        alt.Tooltip("cell:N"),
        *(alt.Tooltip(f"{name}:Q", format=_NUMBER) for name in ("mean", "low", "high")),
        alt.Tooltip("n:Q"),
        alt.Tooltip("letters:N"),
    ]
    best = "datum.best"
    filled = alt.condition(best, alt.value(colour("accent")), alt.value(colour("soft")))
    rule = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", y=y, color=filled, tooltip=tooltip)
    point = base.mark_point(filled=True, size=75, opacity=1, strokeWidth=1.5).encode(
        x=x,
        y=y,
        color=filled,
        shape=alt.condition(best, alt.value("diamond"), alt.value("circle")),
        tooltip=tooltip,
    )
    letters = base.mark_text(align="left", dx=7, fontSize=12, color=colour("ink")).encode(
        x=alt.X("edge:Q"), y=y, text="letters:N"
    )
    return alt.layer(controls_rule(base, "x"), rule, point, letters)


def intervals(data: pd.DataFrame | None = None) -> Any:
    """The mean of every cell under one metric, with its marginal 95 % interval and letters.

    Args:
        data: columns ``cell``, ``place`` (order of the cells), ``mean``, ``low``, ``high``, ``edge`` (the largest of
            these, where the letters stand), ``n``, ``letters``, ``best`` (no cell is shown to be better) and
            ``control``.
    """
    return finished(_intervals(alt.Chart(rows_of(data))).properties(width=420, height=alt.Step(22)))


def intervals_by_metric(data: pd.DataFrame | None = None) -> Any:
    """As :func:`intervals`, a panel for each metric, each with its own scale and order.

    Args:
        data: as there, and ``metric``.
    """
    panels = _intervals(alt.Chart()).properties(width=300, height=alt.Step(20))
    faceted = panels.facet(alt.Facet("metric:N", title=None, sort=None), data=rows_of(data), columns=2)
    return finished(faceted.resolve_scale(x="independent", y="independent"))


def _grouped(data: pd.DataFrame | None, intervals: bool) -> Any:
    base = alt.Chart(rows_of(data))
    y = alt.Y("cell:N", sort=ordered(), axis=cell_axis(), scale=alt.Scale(paddingInner=0.35))
    offset = alt.YOffset("group:N", sort=ordered("group_place"))
    legend = alt.Legend(title=None, orient="top", columns=2, labelLimit=300)
    tone = alt.Color("group:N", sort=ordered("group_place"), scale=alt.Scale(range=CATEGORIES), legend=legend)
    shape = alt.Shape("group:N", sort=ordered("group_place"), legend=legend)  # one legend with the colour
    tooltip = [
        alt.Tooltip("cell:N"),
        alt.Tooltip("group:N"),
        *(alt.Tooltip(f"{name}:Q", format=_NUMBER) for name in ("mean", *(("low", "high") if intervals else ()))),
        alt.Tooltip("n:Q"),
    ]
    title = "mean and marginal 95 % interval" if intervals else "mean"
    x = alt.X("mean:Q", title=title, scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(tickCount=6))
    points = base.mark_point(filled=True, size=55, opacity=1).encode(
        x=x, y=y, yOffset=offset, color=tone, shape=shape, tooltip=tooltip
    )
    if not intervals:
        return points.properties(width=420, height=alt.Step(26, **{"for": "position"}))
    unnamed = alt.Color("group:N", sort=ordered("group_place"), scale=alt.Scale(range=CATEGORIES), legend=None)
    rules = base.mark_rule(strokeWidth=1.6).encode(x="low:Q", x2="high:Q", y=y, yOffset=offset, color=unnamed)
    # The points have scales of their own, so that their colour and shape have one legend.
    both = alt.layer(rules, points).resolve_scale(color="independent", shape="independent")
    return both.properties(width=420, height=alt.Step(11, **{"for": "offset"}))


def groups(data: pd.DataFrame | None = None) -> Any:
    """The mean of every cell in each of few groups of examples, such as rightly and wrongly predicted ones.

    Args:
        data: columns ``cell``, ``place``, ``group`` (with the number of examples in its name), ``group_place``,
            ``mean`` and ``n``.
    """
    return finished(_grouped(data, False))


def across(data: pd.DataFrame | None = None) -> Any:
    """The mean of every cell in each of several studies, with its marginal 95 % interval.

    Args:
        data: columns ``cell``, ``place``, ``group`` (the study), ``group_place``, ``mean``, ``low`` and ``high``.
    """
    return finished(_grouped(data, True))


def group_means(data: pd.DataFrame | None = None) -> Any:
    """The mean of every cell in each of many groups of examples, such as classes, as a matrix.

    Args:
        data: columns ``cell``, ``place``, ``group``, ``group_place``, ``mean``, ``label`` (the mean as text) and ``n``.
    """
    base = alt.Chart(rows_of(data)).encode(
        x=alt.X(
            "group:N",
            sort=ordered("group_place"),
            axis=alt.Axis(title=None, orient="top", labelAngle=-40, ticks=False, domain=False, labelLimit=190),
        ),
        y=alt.Y("cell:N", sort=ordered(), axis=cell_axis()),
    )
    tone = alt.Color(
        "mean:Q",
        scale=alt.Scale(range=scale_colour("middle", "high"), zero=False, interpolate="rgb"),
        legend=alt.Legend(title="mean", orient="bottom"),
    )
    tooltip = [
        alt.Tooltip("cell:N"), alt.Tooltip("group:N"), alt.Tooltip("mean:Q", format=_NUMBER), alt.Tooltip("n:Q"),
    ]  # fmt: skip
    squares = base.mark_rect(stroke=colour("paper")).encode(color=tone, tooltip=tooltip)
    texts = base.mark_text(fontSize=11, color=contrasting("mean")).encode(tooltip=tooltip, text="label:N")
    return finished(alt.layer(squares, texts).properties(width=420, height=alt.Step(24), padding=MATRIX_PADDING))
