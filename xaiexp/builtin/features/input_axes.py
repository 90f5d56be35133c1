"""Features along the axes of an input: elements, pixels, table columns, time steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xaiexp.contract.kinds import Features
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.samples import Encoded
from xaiexp.errors import MismatchError

__all__ = ["Column", "Element", "Pixel", "Step"]


@dataclass(frozen=True)
class Element(Features):
    """Every element of an input ``[*shape]`` is a feature, in row-major order; features ``(*shape,)``."""

    summary = "every element of the input"
    source = "the convention of gradient methods; Simonyan et al. 2014"
    modalities = ("image", "table", "series")

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [1, *shape]`` for ``inputs [N, *shape]``."""
        import torch

        shape = self.shape(tuple(encoded.inputs.shape[1:]))
        return FeatureMap.from_index(torch.arange(math.prod(shape)).view(1, *shape), shape)

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(*shape,)``."""
        return inputs


@dataclass(frozen=True)
class Pixel(Features):
    """Every pixel of an image ``[C, H, W]`` is a feature, summed over channels; features ``(H, W)``."""

    summary = "every pixel, summed over channels"
    source = "Samek et al. 2017, section II (pixel-wise heatmaps)"
    modalities = ("image",)

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [1, C, H, W]`` for ``inputs [N, C, H, W]``."""
        import torch

        channels, height, width = encoded.inputs.shape[1:]
        index = torch.arange(height * width).view(1, 1, height, width)
        return FeatureMap.from_index(index.expand(1, channels, height, width), (height, width))

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(H, W)`` of ``(C, H, W)``."""
        return inputs[1:]


@dataclass(frozen=True)
class Column(Features):
    """Every column of a table is a feature, with a one-hot group as one column; features ``(columns,)``.

    The dataset defines which elements belong to one column (:attr:`xaiexp.core.samples.Source.columns`); without such a
    definition every element of a row ``[F]`` is a column.
    """

    summary = "every column of a table, with a one-hot group as one column"
    source = "Lundberg and Lee 2017 (tabular features)"
    modalities = ("table",)

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [1, F]`` for ``inputs [N, F]``, with the column names in order of first appearance.

        Raises:
            MismatchError: the dataset names the columns of another number of elements.
        """
        import torch

        elements = encoded.inputs.shape[1]
        if not encoded.columns:
            return FeatureMap.from_index(torch.arange(elements).view(1, elements), (elements,))
        if len(encoded.columns) != elements:
            raise MismatchError(
                "features.column",
                f"the dataset names the columns of {len(encoded.columns)} elements, but a row has {elements}",
            )
        names = tuple(dict.fromkeys(encoded.columns))
        number = {name: i for i, name in enumerate(names)}
        index = torch.tensor([[number[name] for name in encoded.columns]])
        return FeatureMap.from_index(index, (len(names),), names)

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(F,)``: an upper bound, because one-hot groups are known only when the dataset is open."""
        return inputs


@dataclass(frozen=True)
class Step(Features):
    """Every time step of a series ``[C, T]`` is a feature, summed over channels; features ``(T,)``."""

    summary = "every time step of a series, summed over channels"
    source = "Ismail et al. 2020, section 3 (time-step relevance)"
    modalities = ("series",)

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [1, C, T]`` for ``inputs [N, C, T]``."""
        import torch

        channels, steps = encoded.inputs.shape[1:]
        return FeatureMap.from_index(torch.arange(steps).view(1, 1, steps).expand(1, channels, steps), (steps,))

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(T,)`` of ``(C, T)``."""
        return inputs[1:]
