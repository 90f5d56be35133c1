"""The fill of noisy linear imputation: absent elements from the features that are present."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from xaiexp.builtin.data_range import data_range
from xaiexp.builtin.removals.imputation import images_per_block, impute
from xaiexp.contract.removal import Fill
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported

__all__ = ["imputation_fill"]

# Relative to the range of the data.
_NOISE = 0.01
_TOLERANCE = 0.001


def imputation_fill(batch: Batch, rng: Draws) -> Fill:
    """Noisy linear imputation of images and time series.

    Raises:
        Unsupported: the inputs are neither, or the range of the data is unknown.
    """
    modality = batch.background.modality
    if modality not in ("image", "series") or batch.inputs.ndim not in (3, 4):
        raise Unsupported(
            f"removal 'noisy_linear' needs neighbours to impute from; the inputs are {modality} of shape "
            f"{list(batch.shape)}: use removal 'mean' or 'zero'"
        )
    shift, scale = (torch.as_tensor(v).to(batch.inputs) for v in (batch.background.shift, batch.background.scale))
    mean = (0.0 - shift) / scale if batch.background.mean is None else batch.background.mean.to(batch.inputs)
    span = data_range(batch)
    noise = rng.normal("noisy_linear", batch.shape).to(batch.inputs).mul_(_NOISE * span)
    channels = torch.broadcast_to(span, batch.shape).flatten(1).amin(dim=1)
    features = _with_one_channel(batch.features)
    return _ImputationFill(batch, features, noise, mean, _TOLERANCE * channels.view(-1, *[1] * (len(batch.shape) - 1)))


@dataclass(frozen=True)
class _ImputationFill(Fill):
    """Replaces a missing element by the weighted mean of its neighbours, plus noise of a hundredth of the data's range.

    The noise depends on the example and the element only, so it is the same for all masks and explanations. A channel
    without known elements becomes the mean of the data. The equations are solved to a thousandth of the range, a tenth
    of the noise.
    """

    batch: Batch
    features: FeatureMap
    noise: Tensor
    mean: Tensor
    tolerance: Tensor

    def __call__(self, owners: Tensor, present: Tensor) -> Tensor:
        inputs = self.batch.inputs.index_select(0, owners)
        known = self.features.rows(owners).expand(present, outside=1.0).bool()
        filled = impute(inputs, known, self.mean, self.tolerance)
        return filled.addcmul_(self.noise.index_select(0, owners), (~known).to(filled.dtype))

    def block_size(self, budget: int) -> int:
        """One pass of the model, or more rows if the solver is faster with larger blocks."""
        return max(budget, images_per_block(self.batch.shape))


def _with_one_channel(features: FeatureMap) -> FeatureMap:
    """The map reduced to one channel if all channels share the same features; otherwise unchanged."""
    first = features.index[:, :1]
    if not bool((features.index == first).all()):
        return features
    return replace(features, index=first)
