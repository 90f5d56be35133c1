"""Superpixels of a picture as features."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.contract.kinds import Features
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.parameters import Range
from xaiexp.core.samples import Encoded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Slic", "superpixels"]


def superpixels(picture: NDArray[np.floating], n_segments: int, compactness: float, sigma: float) -> NDArray[np.int64]:
    """Labels ``[H, W]`` of at most ``n_segments`` superpixels, counted from 0 without gaps.

    SLIC starts from a regular grid, whose steps are whole pixels: now and then it gives more segments than it was
    asked for. It is asked for fewer then, until it gives no more than ``n_segments``.

    Args:
        picture: ``[H, W, C]`` on any scale; SLIC maps its lowest value to 0 and its highest to 1.
        n_segments, compactness, sigma: see :class:`Slic`.
    """
    import numpy as np
    from skimage.segmentation import slic

    asked = n_segments
    while True:
        found = slic(picture, asked, compactness, sigma=sigma, start_label=0, channel_axis=-1)
        seen, labels = np.unique(found, return_inverse=True)
        if len(seen) <= n_segments:
            return labels.reshape(found.shape).astype(np.int64)
        asked -= max(1, min(len(seen) - n_segments, asked // 10))


@dataclass(frozen=True)
class Slic(Features):
    """The superpixels of each picture ``[C, H, W]``, its channels together; features ``(n_segments,)``.

    Superpixels are regions of similar colour, found in the picture alone by clustering colours and places. Pictures
    differ in how many they have: a picture has its own first and nothing after them. Colours are those that the model
    sees, after its normalisation, stretched to 0..1 over the picture (of three channels in Lab): a border may lie
    elsewhere than in the file by a pixel or so, and a picture of one colour is cut into a grid.

    Args:
        n_segments: how many superpixels at most; most pictures have a few less.
        compactness: what places weigh against colours: high values make squares, low ones follow edges.
        sigma: standard deviation in pixels of the Gaussian that smooths the picture first; 0 leaves it.
    """

    summary = "superpixels: regions of similar colour, found in each picture (SLIC)"
    source = "Achanta et al. 2012 (SLIC), by scikit-image; as features: Ribeiro et al. 2016, section 3.1"
    modalities = ("image",)

    n_segments: Annotated[int, Range(1)] = 50
    compactness: Annotated[float, Range(0, exclusive=True)] = 10.0
    sigma: Annotated[float, Range(0)] = 1.0

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [N, C, H, W]`` for ``inputs [N, C, H, W]``."""
        import torch

        inputs = encoded.inputs
        shape = self.shape(tuple(inputs.shape[1:]))
        labels = [
            torch.from_numpy(superpixels(picture, shape[0], self.compactness, self.sigma))
            for picture in inputs.detach().permute(0, 2, 3, 1).double().cpu().numpy()
        ]
        index = torch.stack(labels)
        counts = index.flatten(1).amax(dim=1) + 1
        return FeatureMap(index.unsqueeze(1).expand(inputs.shape), counts, shape)

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(n_segments,)``, at most ``(H * W,)``: an upper bound, for the picture decides."""
        return (min(self.n_segments, math.prod(inputs[-2:])),)
