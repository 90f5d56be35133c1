"""The chart of quality against cost: mean scores over passes, with the Pareto front."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from xaiexp.report.charts.style import colour, controls_rule, finished, rows_of

__all__ = ["cost"]


def cost(data: pd.DataFrame | None = None) -> Any:
    """The mean of every cell over its passes, on a logarithmic axis; a line joins the cells of the Pareto front.

    Args:
        data: columns ``cell``, ``passes`` (forward and backward, for an example), ``at`` (the same, at
            least :data:`~.frames.FEWEST`), ``forward``, ``backward``, ``mean``, ``low``, ``high``, ``front`` (no cell
            has a better mean for as few passes), ``control`` and ``name_at`` (where its name
            stands, so that names keep apart).
    """
    base = alt.Chart(rows_of(data))
    x = alt.X(
        "at:Q",
        title="passes for an example, forward and backward",
        scale=alt.Scale(type="log", nice=False, padding=24),
        axis=alt.Axis(format="~s", tickCount=4, grid=False),
    )
    y = alt.Y("mean:Q", title="mean", scale=alt.Scale(zero=False, padding=16))
    tooltip = [
        alt.Tooltip("cell:N"),
        *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in ("mean", "low", "high")),
        alt.Tooltip("passes:Q", title="passes for an example", format=".4~g"),
        alt.Tooltip("forward:Q", format=".4~g"),
        alt.Tooltip("backward:Q", format=".4~g"),
    ]
    tone = alt.condition("datum.front", alt.value(colour("accent")), alt.value(colour("soft")))
    explained = base.transform_filter("!datum.control")
    front = base.transform_filter("datum.front")
    named = base.transform_joinaggregate(least="min(at)", most="max(at)").transform_calculate(
        right="datum.at > sqrt(datum.least * datum.most)"  # names stand inside: to the left of cells of the right half
    )
    return finished(
        alt.layer(
            controls_rule(base, "y"),
            front.mark_line(interpolate="step-after", color=colour("accent"), strokeWidth=1.5).encode(
                x=x, y=y, order="at:Q"
            ),
            explained.mark_rule(strokeWidth=1.5).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=tone),
            base.mark_point(filled=True, size=80, opacity=1).encode(
                x=x,
                y=y,
                color=tone,
                shape=alt.condition("datum.control", alt.value("cross"), alt.value("circle")),
                tooltip=tooltip,
            ),
            *(
                named.transform_filter(f"{'!' if side == 'left' else ''}datum.right")
                .mark_text(align=side, dx=8 if side == "left" else -8, dy=-8, fontSize=11, limit=190)
                .encode(x=x, y=alt.Y("name_at:Q"), text="cell:N", color=tone)
                for side in ("left", "right")
            ),
        ).properties(width=480, height=320)
    )
