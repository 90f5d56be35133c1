"""The features mine for xaiexp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from xaiexp.plugin import Component, Encoded, FeatureMap, Features, Modality, Range, hookimpl

XAIEXP_API = 1  # the version of the plugin contract that this plugin requires


@dataclass(frozen=True)
class Mine(Features):
    """Horizontal stripes of an image ``[C, H, W]``, numbered from the top.

    Args:
        stripes: how many, at most the rows of the image.
    """

    summary = "horizontal stripes of an image"
    source = "made up"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    stripes: Annotated[int, Range(1)] = 4

    def build(self, encoded: Encoded) -> FeatureMap:
        """One map ``[1, C, H, W]`` for all images."""
        import torch

        (count,) = self.shape(tuple(encoded.inputs.shape[1:]))
        height = encoded.inputs.shape[-2]
        stripe = (torch.arange(height) * count // height).view(1, 1, height, 1)
        return FeatureMap.from_index(stripe.expand(1, *encoded.inputs.shape[1:]), (count,))

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(stripes,)``."""
        return (min(self.stripes, inputs[-2]),)


@hookimpl
def xaiexp_components() -> Sequence[type[Component]]:
    """The components of this plugin."""
    return [Mine]
