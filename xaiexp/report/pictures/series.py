"""Pictures of time series: the curves over spans coloured by attribution."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from xaiexp.report.pictures.images import heatmap

__all__ = ["series_image"]

WIDTH, HEIGHT, STRIP = 360, 120, 28
"""Size of a picture in pixels, and the height that a channel has at least."""

_TIMES = 3  # drawn larger and averaged down, since Pillow draws hard edges
_DARK, _LIGHT, _BORDER = (17, 17, 17), (255, 255, 255), (153, 153, 153)


def series_image(
    curves: NDArray[np.floating],
    values: NDArray[np.floating] | None,
    signed: bool,
    features: Sequence[int] | None = None,
) -> Image.Image:
    """A time series; channels are below each other, each on its own scale.

    Args:
        curves: ``[C, T]``.
        values: attribution of every step, ``[T]``; None draws the curves on white.
        signed: whether the sign has a meaning.
        features: the feature of each step, ``T`` of them; features of several steps are separated by borders.
    """
    strip = max(STRIP, HEIGHT // max(len(curves), 1))
    size = WIDTH * _TIMES, strip * len(curves) * _TIMES
    image = Image.new("RGB", size, _LIGHT)
    if values is not None:
        image.paste(_spans(np.asarray(values, dtype=np.float64), signed).resize(size, Image.Resampling.NEAREST))
    draw = ImageDraw.Draw(image)
    if values is not None and features is not None and len(features) == len(values):
        for start in _borders(features):
            x = start / len(features) * size[0]
            draw.line([(x, 0), (x, size[1])], fill=_BORDER, width=_TIMES)
    for channel, curve in enumerate(np.nan_to_num(np.asarray(curves, dtype=np.float64))):
        points = _points(curve, strip * channel * _TIMES, strip * _TIMES, size[0])
        for colour, width in ((_LIGHT, 3 * _TIMES), (_DARK, _TIMES + 1)):  # a light outline shows it on dark spans
            draw.line(points, fill=colour, width=width, joint="curve")
    return image.resize((size[0] // _TIMES, size[1] // _TIMES), Image.Resampling.BOX)


def _spans(values: NDArray[np.float64], signed: bool) -> Image.Image:
    """One row of pixels with the colours of the steps."""
    row = heatmap(values[None, :], signed, side=max(WIDTH, len(values)))
    return row.convert("RGB")


def _borders(features: Sequence[int]) -> list[int]:
    """The first step of every feature but the first; none where every step is a feature."""
    lengths = [len(list(steps)) for _, steps in itertools.groupby(features)]
    return [] if len(lengths) == len(features) else list(itertools.accumulate(lengths))[:-1]


def _points(curve: NDArray[np.float64], top: int, height: int, width: int) -> list[tuple[float, float]]:
    """A point for every step, or of long series the smallest and the largest value of every column of pixels."""
    steps = np.arange(len(curve))
    if len(curve) > 2 * WIDTH:
        parts = np.array_split(steps, WIDTH)
        steps = np.unique([(part[np.argmin(curve[part])], part[np.argmax(curve[part])]) for part in parts])
    low, high = float(curve.min()), float(curve.max())
    share = (curve[steps] - low) / (high - low) if high > low else np.full(len(steps), 0.5)
    room = 3 * _TIMES
    x = (steps + 0.5) / len(curve) * width
    y = top + room + (1 - share) * (height - 2 * room)
    return list(zip(x.tolist(), y.tolist(), strict=True))
