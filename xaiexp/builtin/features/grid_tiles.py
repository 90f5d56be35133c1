"""Tiles of a regular grid over an image as features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from xaiexp.contract.kinds import Features
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.parameters import Range
from xaiexp.core.samples import Encoded

__all__ = ["Grid"]


@dataclass(frozen=True)
class Grid(Features):
    """Tiles of an image ``[C, H, W]`` whose sizes differ by at most one pixel; features ``(rows, columns)``.

    Pixel row y belongs to tile row ``y * rows // H``.

    Args:
        rows, columns: numbers of tile rows and columns, at most those of the pixels.
    """

    summary = "the tiles of a grid over the image"
    source = "Ribeiro et al. 2016 and Petsiuk et al. 2018, with a regular grid in place of superpixels"
    modalities = ("image",)

    rows: Annotated[int, Range(1)] = 7
    columns: Annotated[int, Range(1)] = 7

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [1, C, H, W]`` for ``inputs [N, C, H, W]``."""
        import torch

        shape = tuple(encoded.inputs.shape[1:])
        rows, columns = self.shape(shape)
        channels, height, width = shape
        row = torch.arange(height) * rows // height
        column = torch.arange(width) * columns // width
        index = (row.unsqueeze(1) * columns + column).view(1, 1, height, width)
        return FeatureMap.from_index(index.expand(1, channels, height, width), (rows, columns))

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(rows, columns)``, at most ``(H, W)``."""
        return min(self.rows, inputs[-2]), min(self.columns, inputs[-1])
