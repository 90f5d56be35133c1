"""The style that all charts share: colours as parameters, which the page sets by its theme, and the configuration."""

from __future__ import annotations

from typing import Any, Literal

import altair as alt
import pandas as pd

__all__ = [
    "CATEGORIES",
    "MATRIX_PADDING",
    "ROWS",
    "colour",
    "contrasting",
    "controls_rule",
    "finished",
    "line_styles",
    "ordered",
    "parameters",
    "rows_of",
    "scale_colour",
]

ROWS = "rows"
"""The name of the data of a chart that is given none."""

COLOURS = {
    "ink": "#1b1f24",
    "soft": "#5b6570",
    "line": "#d5dae0",
    "paper": "#ffffff",
    "accent": "#0072b2",
    "warn": "#b3470a",
    "good": "#00795a",
    "low": "#b3470a",
    "middle": "#f4f4f2",
    "high": "#0a5a9c",
}
"""Colours by what they are for, of the light theme; ``low``, ``middle`` and ``high`` are the ends of scales."""

CATEGORIES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"]
"""Okabe and Ito 2008, Color Universal Design, without black and yellow, which one theme each would swallow; grey."""

DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]
"""How lines continue where there are more than colours: 7 solid ones, 7 dashed ones, and so on."""

MATRIX_PADDING = {"left": 4, "top": 4, "right": 120, "bottom": 4}
"""Of a matrix: the slanted names above its last columns reach beyond them."""

_DARK_INK, _LIGHT_INK = "#000000", "#ffffff"
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def rows_of(data: pd.DataFrame | None) -> Any:
    """The data of a chart: the given rows, or the name of rows that come later."""
    if data is None:
        return alt.NamedData(ROWS)
    # Rows are written into the specification, however many; None where pandas has NaN.
    return alt.Data(values=data.astype(object).where(data.notna(), None).to_dict("records"))


def colour(name: str) -> Any:
    """A colour of :data:`COLOURS` by name, as an expression that follows the theme."""
    return {"expr": name}


def scale_colour(*names: str) -> list[Any]:
    """The range of a colour scale, of colours by name."""
    return [colour(name) for name in names]


def contrasting(field: str, scale: str = "color") -> Any:
    """Black or white, whichever is easier to read on the colour that ``scale`` gives to ``field``.

    The two have the same contrast of 4.6 to a colour with the relative luminance 0.179.
    """
    on = f"luminance(scale('{scale}', datum['{field}'])) > 0.179"
    return {"expr": f"!isValid(datum['{field}']) ? ink : {on} ? '{_DARK_INK}' : '{_LIGHT_INK}'"}


def ordered(place: str = "place") -> Any:
    """The order of the categories of an axis: by the column ``place``."""
    return alt.EncodingSortField(field=place, op="min", order="ascending")


def cell_axis(title: str | None = None) -> Any:
    """The axis with the names of the cells."""
    return alt.Axis(title=title, ticks=False, domain=False, grid=False)


def line_styles(field: str) -> tuple[Any, Any]:
    """Colour and dashes that tell up to 28 values of ``field`` apart."""
    legend = alt.Legend(title=None, orient="bottom", columns=2, labelLimit=260, symbolType="stroke", symbolSize=300)
    dashes = [dash for dash in DASHES for _ in CATEGORIES]
    return (
        alt.Color(f"{field}:N", sort=ordered(), scale=alt.Scale(range=CATEGORIES), legend=legend),
        alt.StrokeDash(f"{field}:N", sort=ordered(), scale=alt.Scale(range=dashes), legend=legend),
    )


def controls_rule(base: Any, channel: Literal["x", "y"]) -> Any:
    """A dashed rule at the mean of each control, which every explanation should be better than."""
    tooltip = [alt.Tooltip("cell:N", title="control"), alt.Tooltip("mean:Q", format=".3~g")]
    return (
        base.transform_filter("datum.control")
        .mark_rule(strokeDash=[4, 3], color=colour("warn"), strokeWidth=1.3)
        .encode(tooltip=tooltip, **{channel: "mean:Q"})
    )


def parameters(**more: Any) -> list[Any]:
    """The colours of the theme as parameters of a specification, and others of a chart."""
    return [alt.param(name=name, value=value) for name, value in (COLOURS | more).items()]


def finished(chart: Any, **more: Any) -> Any:
    """The chart with the parameters and the configuration of the house.

    Args:
        chart: a chart without either.
        more: further parameters, by name.
    """
    text = {"labelColor": colour("ink"), "titleColor": colour("soft"), "labelFontSize": 12, "titleFontSize": 12}
    return chart.add_params(*parameters(**more)).configure(
        font=_FONT,
        background=colour("paper"),
        padding=4,
        view=alt.ViewConfig(stroke=None, continuousWidth=420, continuousHeight=260),
        axis=alt.AxisConfig(
            **text,
            titleFontWeight="normal",
            gridColor=colour("line"),
            domainColor=colour("line"),
            tickColor=colour("line"),
        ),
        axisY=alt.AxisConfig(labelLimit=260),
        legend=alt.LegendConfig(**text, titleFontWeight="normal", gradientLength=160, titleLimit=360),
        header=alt.HeaderConfig(**text, titleFontWeight="normal", labelFontWeight="bold", labelLimit=300),
        title=alt.TitleConfig(color=colour("ink"), anchor="start", fontSize=13),
        range=alt.RangeConfig(category=CATEGORIES),
    )
