"""Heatmaps and input images as PNG: red is evidence for the target, blue against it, white is zero."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

__all__ = [
    "PERCENTILE",
    "colour",
    "full_colour",
    "gradient",
    "heatmap",
    "heatmap_png",
    "input_image",
    "png",
    "png_uri",
    "text_colour",
]

PERCENTILE = 99
"""The percentile of magnitudes that gets full colour."""

LEVELS = 50
"""Shades on either side of zero; finer ones cannot be distinguished and make larger files."""

_UNDEFINED = (0x9A, 0x9A, 0x9A)

# ColorBrewer's RdBu with a pure white middle, and Purples. Both are safe for colour blindness, and their lightness
# falls evenly with the distance from zero.
_BLUE_TO_RED = "#053061 #2166ac #4393c3 #92c5de #d1e5f0 #ffffff #fddbc7 #f4a582 #d6604d #b2182b #67001f"
_WHITE_TO_PURPLE = "#ffffff #efedf5 #dadaeb #bcbddc #9e9ac8 #807dba #6a51a3 #54278f #3f007d"


def _shades(anchors: str, count: int) -> NDArray[np.uint8]:
    points = np.array([[int(anchor[i : i + 2], 16) for i in (1, 3, 5)] for anchor in anchors.split()])
    at = np.linspace(0, len(points) - 1, count)
    columns = [np.interp(at, np.arange(len(points)), points[:, channel]) for channel in range(3)]
    return np.vstack([np.round(np.stack(columns, axis=1)), _UNDEFINED]).astype(np.uint8)


_PALETTES = {True: _shades(_BLUE_TO_RED, 2 * LEVELS + 1), False: _shades(_WHITE_TO_PURPLE, LEVELS * 2 + 1)}
_LAST = 2 * LEVELS


def full_colour(values: ArrayLike) -> float:
    """The magnitude that gets full colour: the 99th percentile of ``|values|``, which is robust to outliers.

    Args:
        values: of any shape; values that are not finite are ignored.

    Returns:
        The percentile; the largest magnitude where the percentile is 0; 0.0 where everything is 0 or undefined.

    >>> full_colour([0.0, -2.0])
    1.98
    """
    magnitudes = np.abs(np.asarray(values, dtype=np.float64))
    magnitudes = magnitudes[np.isfinite(magnitudes)]
    if magnitudes.size == 0:
        return 0.0
    return float(np.percentile(magnitudes, PERCENTILE)) or float(magnitudes.max())


def _indices(values: NDArray[np.float64], signed: bool, scale: float) -> NDArray[np.uint8]:
    share = values / scale if scale > 0 else np.where(np.isfinite(values), 0.0, np.nan)
    with np.errstate(invalid="ignore"):  # NaN gets the colour for undefined values below
        index = LEVELS + np.round(LEVELS * share.clip(-1, 1)) if signed else np.round(_LAST * share.clip(0, 1))
    return np.where(np.isfinite(values), np.nan_to_num(index), _LAST + 1).astype(np.uint8)


def colour(value: float, signed: bool, scale: float) -> str:
    """The colour of one value, as ``#rrggbb``; grey where it is not finite.

    Args:
        value: the value.
        signed: blue to white to red; otherwise white to purple, with negative values drawn as 0.
        scale: the magnitude that gets full colour.

    >>> colour(0.0, True, 1.0), colour(1.0, True, 1.0), colour(-1.0, True, 1.0)
    ('#ffffff', '#67001f', '#053061')
    """
    rgb = _PALETTES[signed][_indices(np.array([value], dtype=np.float64), signed, scale)[0]]
    return "#" + "".join(f"{part:02x}" for part in rgb)


def text_colour(background: str) -> str:
    """Black or white, whichever has the larger WCAG contrast to ``#rrggbb``.

    >>> text_colour("#ffffff"), text_colour("#67001f")
    ('#000000', '#ffffff')
    """
    parts = np.array([int(background[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#ffffff"


def gradient(signed: bool) -> str:
    """The colour scale as a CSS gradient, from left (lowest) to right (highest)."""
    return f"linear-gradient(to right, {', '.join((_BLUE_TO_RED if signed else _WHITE_TO_PURPLE).split())})"


def _fit(height: int, width: int, side: int) -> tuple[int, int]:
    factor = min(1.0, side / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def heatmap(values: ArrayLike, signed: bool, side: int = 224, enlarge: bool = False) -> Image.Image:
    """An attribution map as a palette image, scaled by its own `full_colour`.

    Args:
        values: ``[H, W]``.
        signed: whether the sign has a meaning; decides the colour scale.
        side: the longer side at most, in pixels; larger maps are averaged down.
        enlarge: repeat the pixels of a small map, up to ``side``, for viewers that would blur it.
    """
    numbers = np.asarray(values, dtype=np.float64)
    scale = full_colour(numbers)
    height, width = _fit(numbers.shape[0], numbers.shape[1], side)
    if (height, width) != numbers.shape:
        shrunk = Image.fromarray(numbers.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
        numbers = np.asarray(shrunk, dtype=np.float64)
    image = Image.fromarray(_indices(numbers, signed, scale))
    image.putpalette(_PALETTES[signed].tobytes())
    return _enlarged(image, side) if enlarge else image


def heatmap_png(values: ArrayLike, signed: bool, side: int = 224, enlarge: bool = False) -> bytes:
    """A `heatmap` as the bytes of a PNG file."""
    return png(heatmap(values, signed, side, enlarge))


def _enlarged(image: Image.Image, side: int) -> Image.Image:
    times = max(1, side // max(image.size))
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def input_image(pixels: ArrayLike, side: int = 224, enlarge: bool = False) -> Image.Image:
    """An input image with at most 256 colours.

    Args:
        pixels: uint8 ``[H, W, 3]`` or ``[H, W]``.
        side: the longer side at most, in pixels.
        enlarge: as in `heatmap`.
    """
    image = Image.fromarray(np.ascontiguousarray(np.asarray(pixels, dtype=np.uint8)))
    height, width = _fit(image.height, image.width, side)
    if (height, width) != (image.height, image.width):
        image = image.resize((width, height), Image.Resampling.BOX)
    if enlarge:
        image = _enlarged(image, side)
    return image if image.mode == "L" else image.quantize(256)


def png(image: Image.Image) -> bytes:
    """An image as the bytes of a PNG file; equal images give equal bytes."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def png_uri(image: Image.Image) -> str:
    """An image as a ``data:`` address, for self-contained pages."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode("ascii")
