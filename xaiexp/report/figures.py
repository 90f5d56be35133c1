"""Drawings as SVG: agreement matrices and time series."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from xaiexp.core.ids import CellId
from xaiexp.report.drawing import coordinate, draw, svg, svg_text
from xaiexp.report.images import colour, heatmap, png_uri, text_colour
from xaiexp.report.wording import DASH, number

__all__ = [
    "Matrix",
    "agreement_matrix",
    "agreement_svg",
    "series_svg",
]

_FONT = "system-ui, sans-serif"
_INTERVAL_WIDTH, _INTERVAL_HEIGHT, _MARGIN = 240, 22, 18
_CURVE_WIDTH, _CURVE_HEIGHT, _CURVE_POINTS = 360, 120, 600
_NAME_LENGTH = 36


# -- agreement


@dataclass(frozen=True)
class Matrix:
    """How far the cells agree, by one measure.

    Args:
        names: of the cells, ``k`` of them.
        means: float ``[k, k]``, symmetric; NaN where undefined, and on the diagonal.
        defined, undefined: int ``[k, k]``, how many examples went into each mean, and how many could not.
    """

    names: tuple[str, ...]
    means: NDArray[np.float64]
    defined: NDArray[np.int64]
    undefined: NDArray[np.int64]


def agreement_matrix(frame: pd.DataFrame, measure: str) -> Matrix:
    """The agreement of every pair of cells, averaged over all examples for which it is defined.

    Args:
        frame: the rows of ``agreement.parquet``; each pair occurs once, in either order.
        measure: which measure.
    """
    rows = frame[frame["measure"] == measure]
    first = [str(CellId(*pair)) for pair in zip(rows["method_a"], rows["baseline_a"], strict=True)]
    second = [str(CellId(*pair)) for pair in zip(rows["method_b"], rows["baseline_b"], strict=True)]
    names = tuple(dict.fromkeys(name for pair in zip(first, second, strict=True) for name in pair))
    place = {name: i for i, name in enumerate(names)}
    values = rows["value"].to_numpy(dtype=np.float64)
    known = np.isfinite(values)
    a, b = (np.array([place[name] for name in side], dtype=np.int64) for side in (first, second))
    sums = np.zeros((len(names), len(names)))
    defined, undefined = (np.zeros(sums.shape, dtype=np.int64) for _ in range(2))
    for i, j in ((a, b), (b, a)):
        np.add.at(sums, (i[known], j[known]), values[known])
        np.add.at(defined, (i[known], j[known]), 1)
        np.add.at(undefined, (i[~known], j[~known]), 1)
    means = np.divide(sums, defined, out=np.full_like(sums, np.nan), where=defined > 0)
    np.fill_diagonal(means, np.nan)
    return Matrix(names, means, defined, undefined)


def agreement_svg(frame: pd.DataFrame, measure: str, bounds: Sequence[float | None] | None = None) -> str:
    """A matrix of mean agreement, coloured by value; the diagonal is blank, NaN is a dash.

    Args:
        frame: the rows of ``agreement.parquet``.
        measure: which measure.
        bounds: its range. The scale is blue to red where it starts below zero, otherwise white to purple. Without
            bounds, the range is -1 to 1 where a mean is negative, otherwise 0 to 1.

    Returns:
        An SVG file.
    """
    matrix = agreement_matrix(frame, measure)
    finite = matrix.means[np.isfinite(matrix.means)]
    ends = [abs(end) for end in bounds or (1,) if end is not None and math.isfinite(end)]
    scale = max([*ends, *([] if ends else np.abs(finite))], default=1.0)
    signed = any(end is None or end < 0 for end in bounds[:1]) if bounds else bool((finite < 0).any())
    side, line, left = 46.0, 28.0, 6.9 * min(_NAME_LENGTH, max((len(name) for name in matrix.names), default=0)) + 10
    top = left * 0.72 + 10
    count = len(matrix.names)
    pairs = [
        f"{matrix.names[i]} and {matrix.names[j]}: {number(matrix.means[i, j])}"
        for i in range(count)
        for j in range(i + 1, count)
    ]
    root = svg(left + side * count + top * 0.75, top + line * count + 4, f"{measure}: {'; '.join(pairs)}")
    root.set("font-family", _FONT)
    root.set("font-size", "12")
    for i, name in enumerate(matrix.names):
        label = name if len(name) <= _NAME_LENGTH else name[: _NAME_LENGTH - 1] + "…"
        y, x = top + line * i + line / 2 + 4, left + side * i + side / 2
        turned = f"rotate(-45 {coordinate(x)} {coordinate(top - 8)})"
        for text in (
            draw(root, "text", label, x=left - 8, y=y, text_anchor="end", fill="#222"),
            draw(root, "text", label, x=x, y=top - 8, transform=turned, fill="#222"),
        ):
            draw(text, "title", name)
    for i in range(count):
        for j in range(count):
            if i != j:
                _agreement_cell(root, matrix, (i, j), (left + side * j, top + line * i, side, line), signed, scale)
    return svg_text(root)


def _agreement_cell(
    root: ET.Element,
    matrix: Matrix,
    at: tuple[int, int],
    box: tuple[float, float, float, float],
    signed: bool,
    scale: float,
) -> None:
    mean, (x, y, width, height) = float(matrix.means[at]), box
    fill = colour(mean, signed, scale) if math.isfinite(mean) else "#f3f3f3"
    group = draw(root, "g")
    title = f"{matrix.names[at[0]]} and {matrix.names[at[1]]}: {number(mean)} (mean of {matrix.defined[at]} examples"
    draw(group, "title", title + (f", undefined for {matrix.undefined[at]})" if matrix.undefined[at] else ")"))
    draw(group, "rect", x=x + 0.5, y=y + 0.5, width=width - 1, height=height - 1, fill=fill, stroke="#ddd")
    text = f"{mean:z.2f}" if math.isfinite(mean) else DASH
    draw(group, "text", text, x=x + width / 2, y=y + height / 2 + 4, text_anchor="middle", fill=text_colour(fill))


# -- series


def _path(values: NDArray[np.float64], top: float, height: float) -> str:
    """The points of a polyline: all steps, or of long series the minimum and maximum of each range of steps."""
    steps = np.arange(len(values))
    if len(values) > _CURVE_POINTS:
        ranges = np.array_split(steps, _CURVE_POINTS // 2)
        extremes = [(s[np.argmin(values[s])], s[np.argmax(values[s])]) for s in ranges]
        steps = np.unique(np.array(extremes).ravel())
    low, high = float(values.min()), float(values.max())
    share = (values[steps] - low) / (high - low) if high > low else np.full(len(steps), 0.5)
    x = (steps + 0.5) / len(values) * _CURVE_WIDTH
    y = top + 3 + (1 - share) * (height - 6)
    return " ".join(f"{coordinate(a)},{coordinate(b)}" for a, b in zip(x, y, strict=True))


def series_svg(
    curves: NDArray[np.floating],
    values: NDArray[np.floating] | None,
    signed: bool,
    label: str,
    features: Sequence[int] | None = None,
) -> str:
    """A time series over spans coloured by attribution; channels are below each other, each on its own scale.

    Args:
        curves: ``[C, T]``.
        values: attribution of every step, ``[T]``; None draws the curve alone.
        signed: whether the sign has a meaning.
        label: for screen readers.
        features: the feature of each step, ``T`` of them. Features of several steps are separated by borders and
            show their steps and attribution as a tooltip.
    """
    channels = len(curves)
    strip = max(28.0, _CURVE_HEIGHT / max(channels, 1))
    root = svg(_CURVE_WIDTH, strip * channels, label)
    if values is not None:
        spans = heatmap(np.asarray(values)[None, :], signed, side=1024)
        if spans.height != 1:
            spans = spans.resize((spans.width, 1), Image.Resampling.NEAREST)
        image = draw(root, "image", x=0, y=0, width=_CURVE_WIDTH, height=strip * channels, href=png_uri(spans))
        image.set("preserveAspectRatio", "none")
        image.set("style", "image-rendering: pixelated")
    for channel, curve in enumerate(np.nan_to_num(np.asarray(curves, dtype=np.float64))):
        points = _path(curve, strip * channel, strip)
        for stroke, width in (("#fff", 3.0), ("#111", 1.3)):  # a white outline keeps the line visible on dark spans
            draw(root, "polyline", points=points, fill="none", stroke=stroke, stroke_width=width)
    if values is not None and features is not None and len(features) == len(values):
        _spans(root, values, features, strip * channels)
    return svg_text(root)


def _spans(root: ET.Element, values: NDArray[np.floating], features: Sequence[int], height: float) -> None:
    """Borders and tooltips of the features of a series; none where every step is a feature."""
    runs = [(feature, len(list(steps))) for feature, steps in itertools.groupby(features)]
    if len(runs) == len(features):
        return
    step, start = _CURVE_WIDTH / len(features), 0
    for feature, length in runs:
        at, stop = start * step, start + length
        if start:
            draw(root, "line", x1=at, x2=at, y1=0, y2=height, stroke="#999", stroke_width=0.7, stroke_dasharray="2 2")
        if feature >= 0:
            box = draw(root, "rect", x=at, y=0, width=length * step, height=height, fill="none", pointer_events="all")
            steps = f"steps {start} to {stop - 1}" if length > 1 else f"step {start}"
            draw(box, "title", f"{steps}: {number(float(values[start]))}")
        start = stop
