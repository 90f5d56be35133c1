"""The chart of removal curves: the score while features are removed or inserted, with bands."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from xaiexp.report.charts.style import CATEGORIES, finished, line_styles, ordered, rows_of

__all__ = ["curves"]


def curves(data: pd.DataFrame | None = None) -> Any:
    """The mean score of every cell over the share of the features, with a pointwise 95 % band.

    Args:
        data: columns ``cell``, ``place``, ``share``, ``mean``, ``low``, ``high`` and ``n``.
    """
    base = alt.Chart(rows_of(data))
    tone, dash = line_styles("cell")
    x = alt.X(
        "share:Q", title="share of the features", axis=alt.Axis(format=".0%", tickCount=6), scale=alt.Scale(nice=False)
    )
    y = alt.Y("mean:Q", title="mean and pointwise 95 % band", scale=alt.Scale(zero=False))
    tooltip = [
        alt.Tooltip("cell:N"),
        alt.Tooltip("share:Q", format=".1%"),
        *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in ("mean", "low", "high")),
        alt.Tooltip("n:Q"),
    ]
    tint = alt.Fill("cell:N", sort=ordered(), scale=alt.Scale(range=CATEGORIES), legend=None)
    band = base.mark_area(opacity=0.14).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", fill=tint)
    line = base.mark_line(strokeWidth=2).encode(x=x, y=y, color=tone, strokeDash=dash)
    point = base.mark_point(filled=True, size=60, opacity=0).encode(x=x, y=y, tooltip=tooltip)
    chart = alt.layer(band, line, point).resolve_legend(
        fill="independent", color="independent", strokeDash="independent"
    )
    return finished(chart.properties(width=480, height=300))
