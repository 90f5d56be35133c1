"""Superpixels of an image as features."""

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


def superpixels(image: NDArray[np.floating], n_segments: int, compactness: float, sigma: float) -> NDArray[np.int64]:
    """Labels ``[H, W]`` of at most ``n_segments`` superpixels, counted from 0 without gaps.

    SLIC starts from a grid with steps of whole pixels and may return more segments than requested. In this case the
    requested number is reduced until at most ``n_segments`` are returned.

    Args:
        image: ``[H, W, C]`` with any range of values, which SLIC maps to 0..1.
        n_segments, compactness, sigma: see :class:`Slic`.
    """
    import numpy as np
    from skimage.segmentation import slic

    requested = n_segments
    while True:
        segments = slic(image, requested, compactness, sigma=sigma, start_label=0, channel_axis=-1)
        numbers, labels = np.unique(segments, return_inverse=True)
        if len(numbers) <= n_segments:
            return labels.reshape(segments.shape).astype(np.int64)
        requested -= max(1, min(len(numbers) - n_segments, requested // 10))


@dataclass(frozen=True)
class Slic(Features):
    """Superpixels of each image ``[C, H, W]``, over all channels; features ``(n_segments,)``.

    Superpixels are regions of similar colour, computed from the image alone by clustering colours and positions. Their
    number differs between images; an image with fewer leaves the last features empty. Colours are those of the model's
    normalised input, scaled to 0..1 over the image (three channels are converted to Lab). Boundaries may therefore
    differ by about a pixel from those in the image file. An image of one colour is divided into a grid.

    Args:
        n_segments: maximum number of superpixels; most images have slightly fewer.
        compactness: weight of positions relative to colours: high values give square regions, low values follow edges.
        sigma: standard deviation in pixels of the Gaussian that smooths the image first; 0 for no smoothing.
    """

    summary = "superpixels: regions of similar colour in each image (SLIC)"
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
            torch.from_numpy(superpixels(image, shape[0], self.compactness, self.sigma))
            for image in inputs.detach().permute(0, 2, 3, 1).double().cpu().numpy()
        ]
        index = torch.stack(labels)
        counts = index.flatten(1).amax(dim=1) + 1
        return FeatureMap(index.unsqueeze(1).expand(inputs.shape), counts, shape)

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(n_segments,)``, at most ``(H * W,)``: an upper bound, because the number depends on the image."""
        return (min(self.n_segments, math.prod(inputs[-2:])),)
