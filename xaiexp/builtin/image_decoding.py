"""Decoded images as the data of samples: greyscale or RGB of 8 bits, or floats in 0..1 where an image has more bits."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from xaiexp.errors import ResourceError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from torch import Tensor

__all__ = ["WHITE", "image_data"]

WHITE = (1.0, 1.0, 1.0)

_UINT16_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
_DEEP_MODES = ("I", "F", *_UINT16_MODES)
_PHOTOMETRIC_INTERPRETATION, _WHITE_IS_ZERO = 262, 0  # a tag of TIFF and a value of it


def image_data(
    where: str,
    name: str,
    image: Image,
    background: tuple[float, float, float] = WHITE,
    scale: float | None = None,
    hint: str = "",
) -> Image | Tensor:
    """An image as a viewer shows it: rotated by its EXIF orientation, transparent parts over a background.

    Args:
        where: the parameter that names the image, for messages.
        name: the image, for messages.
        image: of any mode that PIL can convert to RGB. PIL decodes colours with 8 bits per channel.
        background: RGB in 0..1, seen through transparent pixels.
        scale: the value that is mapped to 1; None takes the largest of the image's type, 1 for floats.
        hint: hint of the error for values that are out of range.

    Returns:
        Of 8 bits per channel and without ``scale``: a PIL image in mode ``L`` or ``RGB``. Otherwise a float32 tensor
        ``[1, H, W]`` or ``[3, H, W]`` in 0..1.

    Raises:
        ResourceError: the image cannot be decoded or converted, or its values are out of range.
    """
    import numpy as np
    from PIL import ImageOps

    stretched = image.format == "PPM"  # PIL stretches the values of PGM files to 16 bits
    try:
        _check_supported(image)
        upright = ImageOps.exif_transpose(image)
        if upright.mode not in _DEEP_MODES:
            upright = _without_transparency(upright, background)
            if scale is None:
                return upright
        values = np.asarray(upright)
    except (OSError, ValueError, SyntaxError, EOFError, struct.error) as broken:
        raise ResourceError(where, f"{name} cannot be read as an image: {broken}") from None
    if upright.mode == "F":
        largest: float | None = 1.0
    elif upright.mode == "I":
        largest = 65535.0 if stretched else None
    else:
        largest = 65535.0 if upright.mode in _UINT16_MODES else 255.0
    if largest == 255.0 and scale is not None and scale > largest:
        raise ResourceError(
            where, f"{name} is decoded with 8 bits per channel, 0 to 255", hint="scale must not be more"
        )
    return _scaled(where, name, values if values.ndim == 3 else values[..., None], scale or largest, hint)


def _check_supported(image: Any) -> None:
    """Raise ValueError for a file whose values PIL would not decode as they are meant."""
    tags = image.tag_v2 if image.format == "TIFF" else {}
    if image.mode in _DEEP_MODES and tags.get(_PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO:
        raise ValueError("its values are inverted (TIFF, white is zero); save it with black as zero")
    is_deep = image.mode in _DEEP_MODES or ";16" in str(getattr(image, "tile", ""))
    if is_deep and "transparency" in image.info:
        raise ValueError("one of its 16-bit colours is transparent; save it with a channel for opacity")


def _without_transparency(image: Image, background: tuple[float, float, float]) -> Image:
    """The image in ``L`` or ``RGB``, composed over the background where it is transparent."""
    from PIL import Image as Images

    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Images.new("RGB", image.size, tuple(round(255 * channel) for channel in background))
        canvas.paste(image, mask=image.getchannel("A"))
        return canvas
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _scaled(where: str, name: str, values: np.ndarray[Any, Any], scale: float | None, hint: str) -> Tensor:
    """Values ``[H, W, C]`` divided by the scale, as a float32 tensor ``[C, H, W]`` in 0..1."""
    import numpy as np
    import torch

    low, high = float(values.min()), float(values.max())
    if scale is None:
        raise ResourceError(where, f"{name} has integers of no fixed range, {low:g} to {high:g}", hint=hint)
    if not (low >= 0 and high <= scale):  # NaN fails too
        raise ResourceError(
            where, f"{name} must have values between 0 and {scale:g}", got=f"{low:g} to {high:g}", hint=hint
        )
    return torch.from_numpy(np.ascontiguousarray((values / scale).astype(np.float32).transpose(2, 0, 1)))
