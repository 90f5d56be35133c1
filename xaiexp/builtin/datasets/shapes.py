"""The dataset ``shapes``: generated images with a mask of the pixels that determine the class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from xaiexp.builtin.shape_images import (
    CLASSES,
    DEFAULT_DISTRACTORS,
    DEFAULT_GROUND,
    DEFAULT_NOISE,
    DEFAULT_SEED,
    Ground,
    draw_shape_image,
    shape_class,
)
from xaiexp.contract.kinds import Dataset
from xaiexp.core.parameters import Range
from xaiexp.core.samples import Outline, Sample, Source

__all__ = ["Shapes"]


@dataclass(frozen=True)
class Shapes(Dataset):
    """Generated images ``[3, size, size]``: a disk, square, triangle or cross among strokes and noise.

    The form alone determines the class, so the pixels of the shape are the ground truth of localisation metrics
    (``Sample.mask``). An image depends only on its index and the parameters: the first 10 of 1,000 images equal those
    of a dataset of 10. Index modulo 4 is the class.

    If all backgrounds were dark, the pixels far from the mean of the data would be those of shapes and strokes, and
    ``input_magnitude`` would find them without evaluating a network. By default half of the backgrounds are therefore
    light. The mean of the data is then no image of an empty background; use a reference that depends on the image, such
    as ``baseline=blur``.

    Args:
        count: number of images.
        size: side in pixels.
        noise: standard deviation of the noise on every pixel, in units of the full range 0..1.
        distractors: number of strokes per image; they are independent of the class.
        ground: ``dark`` background with light shapes and strokes, ``light`` background with dark ones, or ``either``,
            each for about half of the images of every class.
        seed: another seed gives other images.
    """

    summary = "generated images with a mask of the shape that determines the class"
    source = "in the manner of Kim et al. 2018 (TCAV) and Yang and Kim 2019 (BAM): ground truth by construction"
    modality = "image"

    count: Annotated[int, Range(1)] = 256
    size: Annotated[int, Range(16, 512)] = 32
    noise: Annotated[float, Range(0, 1)] = DEFAULT_NOISE
    distractors: Annotated[int, Range(0, 50)] = DEFAULT_DISTRACTORS
    ground: Ground = DEFAULT_GROUND
    seed: Annotated[int, Range(0)] = DEFAULT_SEED

    def open(self) -> Source:
        """The samples, generated when they are read."""
        import torch

        def read(start: int, stop: int) -> Sequence[Sample]:
            samples = []
            for index in range(self.count)[start:stop]:
                image, mask, label = draw_shape_image(
                    self.seed, index, self.size, self.noise, self.distractors, self.ground
                )
                data = torch.from_numpy(image).contiguous()
                name = f"{CLASSES[label]} {index}"
                samples.append(Sample(f"shapes/{self.seed}/{index}", data, label, torch.from_numpy(mask), name))
            return samples

        return Source(self.count, read, CLASSES, labels=lambda: [shape_class(i) for i in range(self.count)])

    def outline(self) -> Outline:
        """``count`` images ``[3, size, size]``."""
        return Outline(self.count, (3, self.size, self.size))
