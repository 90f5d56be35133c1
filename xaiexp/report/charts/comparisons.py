"""Charts of comparisons of pairs of cells: win rates, letters, intervals of differences, and Nemenyi's diagram."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from xaiexp.report.charts.style import (
    MATRIX_PADDING,
    cell_axis,
    colour,
    contrasting,
    finished,
    ordered,
    rows_of,
    scale_colour,
)

__all__ = ["critical_difference", "differences", "letters", "win_rates"]

_NUMBER = ".3~g"

MANY = 1000
"""More cells than a diagram of ranks has; the parameter ``cells`` says how many there are."""


def win_rates(data: pd.DataFrame | None = None) -> Any:
    """The share of the examples on which the cell of the row is better than that of the column.

    Args:
        data: columns ``row``, ``row_place``, ``column``, ``column_place``, ``share``, ``wins``, ``ties``, ``n``
            (examples on which both are compared) and ``p`` (of the test of their means, adjusted for all pairs).
    """
    base = alt.Chart(rows_of(data)).encode(
        x=alt.X(
            "column:N",
            sort=ordered("column_place"),
            axis=alt.Axis(title=None, orient="top", labelAngle=-40, ticks=False, domain=False, labelLimit=190),
        ),
        y=alt.Y("row:N", sort=ordered("row_place"), axis=cell_axis()),
    )
    tone = alt.Color(
        "share:Q",
        scale=alt.Scale(domain=[0, 0.5, 1], range=scale_colour("low", "middle", "high"), interpolate="rgb"),
        legend=alt.Legend(title="row better, share of examples", orient="bottom", format=".0%"),
    )
    tooltip = [
        alt.Tooltip("row:N"),
        alt.Tooltip("column:N", title="compared with"),
        alt.Tooltip("share:Q", title="row better", format=".0%"),
        alt.Tooltip("wins:Q", title="examples, row better"),
        alt.Tooltip("ties:Q", title="examples, equal"),
        alt.Tooltip("n:Q", title="examples"),
        alt.Tooltip("p:Q", title="p of the means, adjusted", format=".2~g"),
    ]
    squares = base.mark_rect(stroke=colour("paper")).encode(color=tone, tooltip=tooltip)
    texts = base.mark_text(fontSize=11, color=contrasting("share")).encode(
        tooltip=tooltip, text=alt.Text("share:Q", format=".0%")
    )
    return finished(alt.layer(squares, texts).properties(width=420, height=alt.Step(24), padding=MATRIX_PADDING))


def letters(data: pd.DataFrame | None = None) -> Any:
    """A bar for each letter over the cells that carry it; cells that share no letter differ significantly.

    Args:
        data: a row for each letter of each cell: columns ``cell``, ``place`` (order of the means) and ``letter``.
    """
    base = alt.Chart(rows_of(data)).encode(
        x=alt.X(
            "letter:N", sort=None, axis=alt.Axis(title=None, orient="top", ticks=False, domain=False, labelAngle=0)
        ),
        y=alt.Y("cell:N", sort=ordered(), axis=cell_axis(), scale=alt.Scale(paddingInner=0, paddingOuter=0.1)),
    )
    tooltip = [alt.Tooltip("cell:N"), alt.Tooltip("letter:N")]
    bars = base.mark_rect(width={"band": 0.55}, color=colour("accent")).encode(tooltip=tooltip)
    texts = base.mark_text(fontSize=12, fontWeight="bold", color=colour("paper")).encode(
        tooltip=tooltip, text="letter:N"
    )
    return finished(alt.layer(bars, texts).properties(width=alt.Step(46), height=alt.Step(22)))


def differences(data: pd.DataFrame | None = None) -> Any:
    """The difference of the means of pairs of cells with its interval, simultaneous for all pairs of the metric.

    Args:
        data: columns ``pair``, ``place``, ``difference``, ``low``, ``high``, ``p`` (adjusted), ``shown`` (different,
            equal or unknown) and ``margin`` (the smallest difference that matters, or 0).
    """
    base = alt.Chart(rows_of(data))
    y = alt.Y("pair:N", sort=ordered(), axis=alt.Axis(title=None, ticks=False, domain=False))
    states = ["different", "equal", "unknown"]
    tone = alt.Color(
        "shown:N",
        scale=alt.Scale(domain=states, range=scale_colour("accent", "good", "soft")),
        legend=alt.Legend(title=None, orient="top", symbolSize=80),
    )
    shape = alt.Shape("shown:N", scale=alt.Scale(domain=states, range=["circle", "square", "triangle-up"]))
    tooltip = [
        alt.Tooltip("pair:N"),
        *(alt.Tooltip(f"{name}:Q", format=_NUMBER) for name in ("difference", "low", "high")),
        alt.Tooltip("p:Q", title="p, adjusted", format=".2~g"),
        alt.Tooltip("shown:N"),
    ]
    x = alt.X(
        "difference:Q",
        title="difference of the means, simultaneous 95 % interval",
        scale=alt.Scale(zero=True),
        axis=alt.Axis(tickCount=6),
    )
    margin = base.transform_aggregate(margin="max(margin)")  # of 0, the band has no width
    band = margin.transform_calculate(below="-datum.margin").mark_rect(color=colour("good"), opacity=0.15)
    zero = base.transform_aggregate(pairs="count()").mark_rule(color=colour("ink"), strokeWidth=1)
    return finished(
        alt.layer(
            band.encode(x="below:Q", x2="margin:Q"),
            zero.encode(x=alt.datum(0)),
            base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", y=y, color=tone, tooltip=tooltip),
            base.mark_point(filled=True, size=60, opacity=1).encode(x=x, y=y, color=tone, shape=shape, tooltip=tooltip),
        ).properties(width=420, height=alt.Step(20))
    )


def critical_difference(data: pd.DataFrame | None = None) -> Any:
    """Mean ranks with the critical difference of Nemenyi's test: Demsar 2006, section 3.2.2, figure 1.

    It is another test than that of the letters. Cells that a bar joins do not differ by it.

    Args:
        data: rows of three kinds. ``kind`` cell: ``cell``, ``rank`` (mean over the examples, 1 is best), ``level``
            (line of its name, from 1) and ``side`` (left or right); ``kind`` group: ``start`` and ``end``, the first
            and last rank of a bar, and ``level`` (between 0 and 1); ``kind`` critical: ``start``, ``end`` and
            ``level`` (below the cells), the length of the critical difference.
    """
    base = alt.Chart(rows_of(data))
    cells = MANY if data is None else int((data["kind"] == "cell").sum())
    x = alt.X(
        "rank:Q",
        title="mean rank, 1 is best",
        scale=alt.Scale(zero=False, nice=False, padding=190),
        axis=alt.Axis(
            orient="top",
            tickMinStep=1,
            format="d",
            grid=False,
            labelExpr="datum.value < 1 || datum.value > cells ? '' : datum.label",
            domainColor=colour("ink"),
        ),
    )
    y = alt.Y("level:Q", axis=None, scale=alt.Scale(reverse=True, domainMin=0, nice=False))
    of_cells = base.transform_filter("datum.kind == 'cell'")
    tooltip = [alt.Tooltip("cell:N"), alt.Tooltip("rank:Q", format=".3f", title="mean rank")]
    layers = [
        of_cells.transform_calculate(axis="0")
        .mark_rule(color=colour("soft"))
        .encode(x=x, y=alt.Y("axis:Q", axis=None), y2="level:Q")
    ]
    for side, edge, align in (("left", 0, "left"), ("right", "width", "right")):
        on = of_cells.transform_filter(f"datum.side == '{side}'")
        name = "datum.cell + '  ' + format(datum.rank, '.2f')"
        name = name if side == "left" else "format(datum.rank, '.2f') + '  ' + datum.cell"
        layers += [
            on.mark_rule(color=colour("soft")).encode(x=x, x2=alt.value(edge), y=y),
            on.transform_calculate(name=name)
            .mark_text(align=align, baseline="bottom", dy=-2, color=colour("ink"), fontSize=12, limit=240)
            .encode(x=alt.value(edge), y=y, text="name:N", tooltip=tooltip),
        ]
    spans = [("group", "ink", 4), ("critical", "warn", 2.5)]
    layers += [
        base.transform_filter(f"datum.kind == '{kind}'")
        .mark_rule(color=colour(tone), strokeWidth=width, strokeCap="butt")
        .encode(x="start:Q", x2="end:Q", y=y)
        for kind, tone, width in spans
    ]
    label = "'critical difference ' + format(datum.end - datum.start, '.2f')"
    layers.append(
        base.transform_filter("datum.kind == 'critical'")
        .transform_calculate(name=label)
        .mark_text(align="left", baseline="bottom", dy=-5, color=colour("warn"), fontSize=11)
        .encode(x="start:Q", y=y, text="name:N")
    )
    return finished(alt.layer(*layers).properties(width=640, height=220), cells=cells)
