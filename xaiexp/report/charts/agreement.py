"""The chart of agreement: a matrix of all pairs of cells, neighbours by clustering."""

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

__all__ = ["agreement", "signed_agreement"]


def _matrix(data: pd.DataFrame | None, scale: Any, limit: float) -> Any:
    base = alt.Chart(rows_of(data)).encode(
        x=alt.X(
            "column:N",
            sort=ordered("column_place"),
            axis=alt.Axis(title=None, orient="top", labelAngle=-40, ticks=False, domain=False, labelLimit=190),
        ),
        y=alt.Y("row:N", sort=ordered("row_place"), axis=cell_axis()),
    )
    tooltip = [
        alt.Tooltip("row:N", title="cell"),
        alt.Tooltip("column:N", title="and"),
        alt.Tooltip("value:Q", title="mean agreement", format=".3~g"),
        alt.Tooltip("n:Q", title="examples"),
    ]
    legend = alt.Legend(title="mean agreement", orient="bottom")
    squares = base.mark_rect(stroke=colour("paper"), cursor="pointer").encode(
        color=alt.Color("value:Q", scale=scale, legend=legend), tooltip=tooltip
    )
    texts = base.mark_text(fontSize=11, color=contrasting("value"), cursor="pointer").encode(
        tooltip=tooltip, text="label:N"
    )
    chart = alt.layer(squares, texts).properties(width=420, height=alt.Step(24), padding=MATRIX_PADDING)
    return finished(chart, limit=limit)


def agreement(data: pd.DataFrame | None = None, limit: float = 1) -> Any:
    """The mean agreement of pairs of cells by a measure from 0 to ``limit``.

    Args:
        data: columns ``row``, ``row_place``, ``column``, ``column_place``, ``value``, ``label`` (the value as text, a
            dash where it is undefined) and ``n`` (examples); without the diagonal.
        limit: the end of the colour scale; a parameter of the specification.
    """
    return _matrix(
        data,
        alt.Scale(domainMin=0, domainMax={"expr": "limit"}, range=scale_colour("middle", "high"), interpolate="rgb"),
        limit,
    )


def signed_agreement(data: pd.DataFrame | None = None, limit: float = 1) -> Any:
    """As :func:`agreement`, by a measure from ``-limit`` to ``limit``.

    Args:
        data, limit: as there.
    """
    ends = {"domainMin": {"expr": "-limit"}, "domainMid": 0, "domainMax": {"expr": "limit"}}
    return _matrix(data, alt.Scale(**ends, range=scale_colour("low", "middle", "high"), interpolate="rgb"), limit)
