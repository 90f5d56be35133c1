"""Generated images of shapes, of which it is known which pixels decide the class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["CLASSES", "Ground", "draw"]

CLASSES = ("disk", "square", "triangle", "cross")

Ground = Literal["either", "dark", "light"]


def _figure(label: int, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a figure of radius 1 around the origin lies, at coordinates ``u, v``; all have about the same area."""
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


def draw(
    seed: int, index: int, size: int, noise: float, distractors: int, ground: Ground, part: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.bool_], int]:
    """One picture, a pure function of the arguments.

    A figure of random place, size, angle and light colour on a dark ground; its class is its form alone.
    Distractors are thin strokes in such colours that tell nothing about the class and do not touch the figure.
    A picture on a light ground is the negative of the same one on a dark ground.

    Args:
        seed, part, index: which picture; the parts 0 (explained) and 1 (trained on) share none.
        size: side in pixels.
        noise: standard deviation of the noise on every pixel and channel.
        distractors: how many strokes.
        ground: ``dark`` or ``light``; ``either`` is one of them, drawn for each picture whatever its class.

    Returns:
        picture ``[3, size, size]`` in 0..1, the pixels of the figure (bool ``[size, size]``), class index.
    """
    import numpy as np

    random = np.random.Generator(np.random.PCG64([seed, part, index]))
    label = index % len(CLASSES)
    y, x = np.mgrid[0:size, 0:size] + 0.5
    picture = np.broadcast_to(random.uniform(0, 0.4, 3), (size, size, 3)).copy()

    radius = size * random.uniform(0.19, 0.30)
    centre_x, centre_y = random.uniform(1.2 * radius, size - 1.2 * radius, 2)  # a triangle reaches that far
    angle = random.uniform(0, 2 * math.pi)
    u = ((x - centre_x) * math.cos(angle) + (y - centre_y) * math.sin(angle)) / radius
    v = ((y - centre_y) * math.cos(angle) - (x - centre_x) * math.sin(angle)) / radius
    mask = _figure(label, u, v)

    for _ in range(distractors):
        start, end = random.uniform(0, size, (2, 2))
        along = end - start
        length = max(float(along @ along), 1e-9)
        t = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length, 0, 1)
        distance = np.hypot(x - start[0] - t * along[0], y - start[1] - t * along[1])
        stroke = (distance <= size / 40) & (u**2 + v**2 > 1.3**2)
        picture[stroke] = _light(random)
    picture[mask] = _light(random)
    picture += random.normal(0, 1, picture.shape) * noise
    # Drawn last, so that all the other numbers are the same on every ground.
    if ground == "light" or (ground == "either" and random.random() < 0.5):
        picture = 1 - picture
    return picture.clip(0, 1).astype(np.float32).transpose(2, 0, 1), mask, label


def _light(random: np.random.Generator) -> NDArray[np.float64]:
    """A random colour that stands out from a dark ground in at least one channel."""
    colour = random.uniform(0.2, 1, 3)
    colour[random.integers(3)] = random.uniform(0.8, 1)
    return colour
