"""Generated images of which it is known which pixels decide the class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.shape_images import CLASSES, Ground, draw
from xaiexp.contract.kinds import Dataset
from xaiexp.core.parameters import Range
from xaiexp.core.samples import Outline, Sample, Source

if TYPE_CHECKING:
    pass

__all__ = ["Shapes"]


@dataclass(frozen=True)
class Shapes(Dataset):
    """Generated pictures ``[3, size, size]``: a disk, square, triangle or cross among strokes and noise.

    The form alone decides the class, so the ground truth of what matters is the pixels of the figure
    (``Sample.mask``). A picture depends on its index and the parameters only: the first 10 of 1,000 are the
    same as all of 10. The classes take turns.

    Were all grounds dark, what is far from the mean of the data would be the figure or a stroke, and
    ``input_magnitude``, which never asks a network, would find it; so half of them are light. The mean of the data is
    then no empty picture: a reference that follows the picture (``baseline=blur``) is.

    Args:
        count: how many pictures.
        size: side in pixels.
        noise: standard deviation of the noise on every pixel, in units of the full range 0..1.
        distractors: strokes a picture that tell nothing about the class.
        ground: ``dark`` under light figures and strokes, ``light`` under dark ones, or ``either``, each for about half
            of the pictures of every class.
        seed: another seed makes other pictures.
    """

    summary = "generated pictures with the mask of the figure that decides the class"
    source = "in the manner of Kim et al. 2018 (TCAV) and Yang and Kim 2019 (BAM): ground truth by construction"
    modality = "image"

    count: Annotated[int, Range(1)] = 256
    size: Annotated[int, Range(16, 512)] = 32
    noise: Annotated[float, Range(0, 1)] = 0.05
    distractors: Annotated[int, Range(0, 50)] = 2
    ground: Ground = "either"
    seed: Annotated[int, Range(0)] = 0

    def open(self) -> Source:
        """The samples, drawn when they are read."""
        import torch

        def read(start: int, stop: int) -> Sequence[Sample]:
            samples = []
            for index in range(self.count)[start:stop]:
                picture, mask, label = draw(self.seed, index, self.size, self.noise, self.distractors, self.ground)
                data = torch.from_numpy(picture).contiguous()
                name = f"{CLASSES[label]} {index}"
                samples.append(Sample(f"shapes/{self.seed}/{index}", data, label, torch.from_numpy(mask), name))
            return samples

        return Source(self.count, read, CLASSES)

    def outline(self) -> Outline:
        """``count`` pictures ``[3, size, size]``."""
        return Outline(self.count, (3, self.size, self.size))
