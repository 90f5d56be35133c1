"""Generated images of shapes with a mask of the pixels that determine the class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "CLASSES",
    "DEFAULT_DISTRACTORS",
    "DEFAULT_GROUND",
    "DEFAULT_NOISE",
    "DEFAULT_SEED",
    "Ground",
    "draw_shape_image",
    "shape_class",
]

CLASSES = ("disk", "square", "triangle", "cross")

Ground = Literal["either", "dark", "light"]
"""The brightness of the background."""

# Defaults of ``dataset=shapes``, with which the images to train on are drawn too.
DEFAULT_SEED = 0
DEFAULT_NOISE = 0.05
DEFAULT_DISTRACTORS = 2
DEFAULT_GROUND: Ground = "either"


def _shape_mask(label: int, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the points ``(u, v)`` lie in the shape of class ``label`` with radius 1 around the origin.

    All shapes have about the same area.
    """
    import numpy as np

    if label == 0:
        return u**2 + v**2 <= 0.8**2
    if label == 1:
        return (np.abs(u) <= 0.707) & (np.abs(v) <= 0.707)
    if label == 2:
        corners = [math.pi / 2 + k * 2 * math.pi / 3 for k in range(3)]
        inside = np.ones_like(u, dtype=bool)
        for angle in corners:  # the side opposite to each corner
            inside &= -(u * math.cos(angle) + v * math.sin(angle)) <= 0.6
        return inside
    return (np.maximum(np.abs(u), np.abs(v)) <= 1.0) & (np.minimum(np.abs(u), np.abs(v)) <= 0.3)


def shape_class(index: int) -> int:
    """The class of an image, by its index."""
    return index % len(CLASSES)


def draw_shape_image(
    seed: int, index: int, size: int, noise: float, distractors: int, ground: Ground, part: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.bool_], int]:
    """Draw one image; the result depends on the arguments only.

    A shape of random position, size, angle and light colour lies on a dark background; the form alone determines the
    class. Distractors are thin strokes with colours from the same distribution; they are independent of the class and
    do not touch the shape. An image on a light background is the negative of the same image on a dark background.

    Args:
        seed, part, index: identify the image; parts 0 (explained) and 1 (training) have no image in common.
        size: side in pixels.
        noise: standard deviation of the noise on every pixel and channel.
        distractors: number of strokes.
        ground: ``dark`` or ``light`` background; ``either`` draws one of them per image, independently of the class.

    Returns:
        image float32 ``[3, size, size]`` in 0..1, mask of the shape (bool ``[size, size]``), class index.
    """
    import numpy as np

    random = np.random.Generator(np.random.PCG64([seed, part, index]))
    label = shape_class(index)
    y, x = np.mgrid[0:size, 0:size] + 0.5
    image = np.broadcast_to(random.uniform(0, 0.4, 3), (size, size, 3)).copy()

    radius = size * random.uniform(0.19, 0.30)
    centre_x, centre_y = random.uniform(
        1.2 * radius, size - 1.2 * radius, 2
    )  # the largest extent is that of a triangle
    angle = random.uniform(0, 2 * math.pi)
    u = ((x - centre_x) * math.cos(angle) + (y - centre_y) * math.sin(angle)) / radius
    v = ((y - centre_y) * math.cos(angle) - (x - centre_x) * math.sin(angle)) / radius
    mask = _shape_mask(label, u, v)

    for _ in range(distractors):
        start, end = random.uniform(0, size, (2, 2))
        along = end - start
        length = max(float(along @ along), 1e-9)
        t = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length, 0, 1)
        distance = np.hypot(x - start[0] - t * along[0], y - start[1] - t * along[1])
        stroke = (distance <= size / 40) & (u**2 + v**2 > 1.3**2)
        image[stroke] = _light_colour(random)
    image[mask] = _light_colour(random)
    image += random.normal(0, 1, image.shape) * noise
    # Drawn last: all other random numbers are then the same for every value of `ground`.
    if ground == "light" or (ground == "either" and random.random() < 0.5):
        image = 1 - image
    return image.clip(0, 1).astype(np.float32).transpose(2, 0, 1), mask, label


def _light_colour(random: np.random.Generator) -> NDArray[np.float64]:
    """A random RGB colour that contrasts with a dark background in at least one channel."""
    colour = random.uniform(0.2, 1, 3)
    colour[random.integers(3)] = random.uniform(0.8, 1)
    return colour
