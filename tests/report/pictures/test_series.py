"""Pictures of time series: colours of the steps, curves on their own scales, borders of features."""

from __future__ import annotations

import numpy as np
import pytest

from xaiexp.report.pictures.images import colour
from xaiexp.report.pictures.series import HEIGHT, WIDTH, series_image


def rgb(value: str) -> tuple[int, ...]:
    return tuple(int(value[i : i + 2], 16) for i in (1, 3, 5))


def dark(image) -> np.ndarray:
    """Where the pixels of a picture on white are dark: ``[H, W]``."""
    return np.asarray(image.convert("L")) < 110


def test_spans_have_the_colours_of_their_steps():
    values = np.array([1.0, -1.0, 0.0])
    image = series_image(np.zeros((1, 3)), values, True)
    assert image.size == (WIDTH, HEIGHT)
    for step, value in enumerate(values):
        assert image.getpixel((step * WIDTH // 3 + 60, 5)) == rgb(colour(value, True, 1.0))


def test_the_curve_is_higher_where_it_is_larger():
    line = dark(series_image(np.array([[0.0, 1.0, 0.5]]), None, True))
    low, high, middle = (line[:, x].nonzero()[0].mean() for x in (61, 180, 298))
    assert high < middle < low
    assert middle == pytest.approx((low + high) / 2, abs=1.5)


def test_a_long_series_keeps_its_peaks():
    curve = np.zeros((1, 50_000))
    curve[0, 31_234] = 1.0
    line = dark(series_image(curve, None, True))
    (columns,) = line[: HEIGHT // 2].any(axis=0).nonzero()
    assert columns.mean() == pytest.approx(31_234 / 50_000 * WIDTH, abs=2)


def test_channels_are_below_each_other_on_their_own_scales():
    curves = np.stack([np.linspace(0, 1, 50), 1000 * np.linspace(0, 1, 50), np.zeros(50)])
    line = dark(series_image(curves, None, True))
    strips = np.split(line, 3)
    assert (strips[0] == strips[1]).all()
    assert strips[2].any(axis=1).nonzero()[0].mean() == pytest.approx(HEIGHT / 6, abs=1)


@pytest.mark.parametrize(
    ("features", "borders"),
    [([0, 0, 0, 1, 1, 1, 2], [3 / 7, 6 / 7]), ([0, 1, 2, 3, 4, 5, 6], []), (None, []), ([0, 0], [])],
)
def test_features_of_several_steps_have_borders(features, borders):
    values = np.zeros(7)
    image = np.asarray(series_image(np.zeros((1, 7)), values, True, features).convert("L"))
    (grey,) = (image[2] < 250).nonzero()
    assert sorted({round(x / WIDTH * 7) / 7 for x in grey}) == pytest.approx(borders)


def test_values_that_are_not_finite_are_drawn_as_zero():
    image = series_image(np.array([[np.nan, np.inf, 1.0]]), np.array([np.nan, 1.0, 0.0]), True)
    assert image.size == (WIDTH, HEIGHT)
