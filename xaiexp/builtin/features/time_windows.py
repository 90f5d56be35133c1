"""Windows of time as features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from xaiexp.contract.kinds import Features
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.parameters import Range
from xaiexp.core.samples import Encoded

__all__ = ["Window"]


@dataclass(frozen=True)
class Window(Features):
    """Windows of equal length of a series ``[C, T]``, over all channels; features ``(ceil(T / size),)``.

    Args:
        size: number of steps of a window; the last window is shorter if this does not divide T.
    """

    summary = "windows of time, over all channels of a series"
    source = "Guilleme et al. 2019 (LEFTIST), uniform segments"
    modalities = ("series",)

    size: Annotated[int, Range(1)] = 8

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [1, C, T]`` for ``inputs [N, C, T]``; windows are named by their first and last step."""
        import torch

        channels, steps = encoded.inputs.shape[1:]
        index = (torch.arange(steps) // self.size).view(1, 1, steps).expand(1, channels, steps)
        names = [f"{start}..{min(start + self.size, steps) - 1}" for start in range(0, steps, self.size)]
        return FeatureMap.from_index(index, (len(names),), names if self.size > 1 else ())

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(ceil(T / size),)`` of ``(C, T)``."""
        return (-(-inputs[-1] // self.size),)
