"""Heatmaps, agreement matrices, intervals and series of the report."""

from __future__ import annotations

import io
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from xaiexp.report import heatmap, heatmap_png
from xaiexp.report.charts.matrices import agreement_matrix
from xaiexp.report.pictures.images import LEVELS, colour, full_colour, gradient, input_image, png, text_colour

SVG = "{http://www.w3.org/2000/svg}"
GREY = "#9a9a9a"


def rgb(text: str) -> tuple[int, int, int]:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def contrast(a: str, b: str) -> float:
    def luminance(text: str) -> float:
        parts = [part / 255 for part in rgb(text)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.8, 1.0, 7.0])
def test_positive_is_red_negative_is_blue_and_zero_is_white(share):
    red, _, blue = rgb(colour(2 * share, True, 2.0))
    assert red > blue
    red, _, blue = rgb(colour(-2 * share, True, 2.0))
    assert blue > red
    assert colour(0.0, True, 2.0) == colour(0.0, False, 2.0) == "#ffffff"


@pytest.mark.parametrize(("signed", "direction"), [(True, 1), (True, -1), (False, 1)])
def test_colours_get_darker_with_magnitude(signed, direction):
    shades = [contrast(colour(direction * k / LEVELS, signed, 1.0), "#ffffff") for k in range(LEVELS + 1)]
    assert all(a < b for a, b in itertools.pairwise(shades))


def test_values_beyond_full_colour_have_full_colour():
    assert colour(5.0, True, 1.0) == colour(1.0, True, 1.0)
    assert colour(-5.0, True, 1.0) == colour(-1.0, True, 1.0)


def test_negative_value_is_white_on_the_unsigned_scale():
    assert colour(-1.0, False, 1.0) == "#ffffff"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("signed", [True, False])
def test_only_undefined_values_are_grey(value, signed):
    assert colour(value, signed, 1.0) == GREY
    assert colour(value, signed, 0.0) == GREY
    assert GREY not in {colour(v, signed, 1.0) for v in np.linspace(-1, 1, 999)}


def test_text_has_enough_contrast_on_every_colour():
    for signed in (True, False):
        for value in np.linspace(-1, 1, 401):
            background = colour(float(value), signed, 1.0)
            assert contrast(background, text_colour(background)) >= 4.5


def test_full_colour_is_the_99th_percentile_of_magnitudes():
    values = np.random.default_rng(0).standard_normal((40, 50))
    assert full_colour(values) == np.percentile(np.abs(values), 99)
    values[0, 0] = np.nan
    assert full_colour(values) == np.percentile(np.abs(values[np.isfinite(values)]), 99)


def test_full_colour_of_a_single_spike_is_its_magnitude_and_of_zeros_is_zero():
    spike = np.zeros((20, 20))
    spike[3, 4] = -7.0
    assert full_colour(spike) == 7.0
    assert full_colour(np.zeros(3)) == full_colour(np.full(3, np.nan)) == full_colour([]) == 0.0


@pytest.mark.parametrize("signed", [True, False])
def test_a_heatmap_shows_the_colour_of_every_number(signed):
    values = np.random.default_rng(1).standard_normal((8, 9))
    values[2, 3] = np.nan
    image = Image.open(io.BytesIO(heatmap_png(values, signed))).convert("RGB")
    assert image.size == (9, 8)
    for y, x in np.ndindex(8, 9):
        assert image.getpixel((x, y)) == rgb(colour(values[y, x], signed, full_colour(values)))


def test_all_heatmaps_have_the_colour_scale_of_the_legend():
    palettes = {tuple(heatmap(np.full((2, 2), v), True).getpalette() or ()) for v in (0.0, 1e-9, -5.0, 1e9)}
    assert len(palettes) == 1
    anchors = re.findall("#[0-9a-f]{6}", gradient(signed=True))
    assert anchors == [colour(v, True, 1.0) for v in np.linspace(-1, 1, 11)]


def test_a_map_of_zeros_is_white():
    assert heatmap(np.zeros((4, 4)), True).convert("RGB").getcolors() == [(16, (255, 255, 255))]


def test_a_large_map_is_averaged_down_and_keeps_its_proportions():
    blocks = np.kron(np.array([[1.0, -1.0, 0.0]]), np.ones((200, 200)))
    small = heatmap(blocks, True, side=30).convert("RGB")
    assert small.size == (30, 10)
    assert [small.getpixel((x, 5)) for x in (5, 15, 25)] == [rgb(colour(v, True, 1.0)) for v in (1.0, -1.0, 0.0)]


def test_enlarging_repeats_pixels():
    values = np.random.default_rng(2).standard_normal((8, 6))
    small, large = (np.asarray(heatmap(values, True, 224, enlarge=big).convert("RGB")) for big in (False, True))
    assert large.shape == (224, 168, 3)
    assert (large == np.kron(small, np.ones((28, 28, 1), dtype=np.uint8))).all()


def test_grey_image_is_unchanged_and_coloured_image_nearly():
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    assert (np.asarray(input_image(grey)) == grey).all()
    y, x = np.mgrid[:224, :224]
    colours = np.stack([y, x, (x + y) // 2], axis=2).astype(np.uint8)
    shown = np.asarray(input_image(colours).convert("RGB"))
    assert np.abs(shown.astype(int) - colours).mean() < 8


def test_equal_images_give_equal_bytes():
    values = np.random.default_rng(3).standard_normal((30, 30))
    assert heatmap_png(values, True) == heatmap_png(values.copy(), True)
    pixels = np.random.default_rng(3).integers(0, 256, (30, 30, 3)).astype(np.uint8)
    assert png(input_image(pixels)) == png(input_image(pixels.copy()))


# -- agreement


def pairs(values: dict[tuple[str, str], list[float]], measure: str = "rho") -> pd.DataFrame:
    return pd.DataFrame(
        {"method_a": a, "baseline_a": "none", "method_b": b, "baseline_b": "zero" if b == "c" else "none"}
        | {"measure": measure, "example": str(i), "value": value}
        for (a, b), row in values.items()
        for i, value in enumerate(row)
    )


def test_the_matrix_is_the_mean_over_examples_in_both_triangles():
    nan = float("nan")
    frame = pairs({("a", "b"): [0.5, nan, -0.1], ("a", "c"): [nan, nan, nan], ("b", "c"): [0.0, 0.0, 0.6]})
    matrix = agreement_matrix(pd.concat([frame, pairs({("a", "b"): [1.0]}, "other")]), "rho")
    assert matrix.names == ("a", "b", "c / zero")
    expected = np.array([[nan, 0.2, nan], [0.2, nan, 0.2], [nan, 0.2, nan]])
    np.testing.assert_allclose(matrix.means, expected)
    assert matrix.defined[0].tolist() == [0, 2, 0]
    assert matrix.undefined[0].tolist() == [0, 1, 3]
