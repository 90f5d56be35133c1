"""Fills of removed features, selected by the name of the removal.

The fill is the same for every explanation of a study and independent of the cell's baseline. Most fills take the values
of one reference; noisy linear imputation computes values from the features that are present.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from xaiexp.builtin.baselines import COMPONENTS
from xaiexp.builtin.data_range import data_range
from xaiexp.builtin.removals.imputation import images_per_block, impute
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported

__all__ = ["AUTO", "Fill", "fill_for", "removed_inputs"]

# What ``removal=auto`` selects by modality.
AUTO = {"image": "blur", "table": "mean", "series": "mean", "text": "zero"}

# Relative to the range of the data.
_NOISE = 0.01
_TOLERANCE = 0.001


class Fill(Protocol):
    """Replaces removed features of the examples of one batch.

    Attributes:
        reference: ``[N, *shape]``, the values of removed features where they are the same for every mask, else None.
    """

    @property
    def reference(self) -> Tensor | None: ...  # noqa: D102 -- documented as an attribute of the class

    def __call__(self, owners: Tensor, present: Tensor) -> Tensor:
        """Inputs ``[B, *shape]`` in which all but the features ``present`` (bool ``[B, d]``) are replaced.

        Row b is a version of the example ``owners[b]`` (int64 ``[B]``) and depends on that example and its own mask
        only. Elements of no feature keep their values.
        """

    def block_size(self, budget: int) -> int:
        """How many rows to fill in one call, where ``budget`` rows go through the model in one pass."""


def fill_for(removal: str, batch: Batch, rng: Draws) -> Fill:
    """The fill of a removal for this batch.

    Args:
        removal: ``noisy_linear``, or as in :func:`removed_inputs`.

    Raises:
        Unsupported: the removal does not support these inputs, or the background lacks data that it needs.
    """
    if removal == "noisy_linear":
        return _imputation_fill(batch, rng)
    return _ReferenceFill(batch, removed_inputs(removal, batch, rng))


def removed_inputs(removal: str, batch: Batch, rng: Draws) -> Tensor:
    """The inputs with all their features removed, ``[N, *shape]``; elements of no feature keep their values.

    Args:
        removal: ``noisy_linear``, the name of a built-in baseline with one reference, or ``auto``: by modality, as in
            :data:`AUTO`, with zero instead of the mean where the mean is unknown (``xaiexp.score`` without background).

    Raises:
        Unsupported: the removal does not support these inputs, or the background lacks data that it needs.
    """
    if removal == "noisy_linear":
        fill = fill_for(removal, batch, rng)
        examples = torch.arange(len(batch), device=batch.device)
        return fill(examples, torch.zeros(len(batch), batch.features.d, dtype=torch.bool, device=batch.device))
    name = AUTO[batch.background.modality] if removal == "auto" else removal
    if removal == "auto" and name == "mean" and batch.background.mean is None:
        name = "zero"
    (baseline,) = (cls() for cls in COMPONENTS if cls.name == name)
    modality = batch.background.modality
    if modality not in baseline.modalities:  # type: ignore[attr-defined]  # all are baselines
        raise Unsupported(f"removal {name!r} does not support inputs of the modality {modality}")
    reference = baseline.references(batch, rng.within("removal"))  # type: ignore[attr-defined]  # all are baselines
    return torch.where(batch.features.inside, reference.to(batch.inputs.dtype), batch.inputs)


@dataclass(frozen=True)
class _ReferenceFill:
    """Replaces removed features with the values of one reference."""

    batch: Batch
    reference: Tensor

    def __call__(self, owners: Tensor, present: Tensor) -> Tensor:
        inputs, reference = (x.index_select(0, owners) for x in (self.batch.inputs, self.reference))
        return self.batch.features.rows(owners).keep(inputs, reference, present)

    def block_size(self, budget: int) -> int:
        """One pass of the model; larger blocks are not faster."""
        return budget


def _imputation_fill(batch: Batch, rng: Draws) -> _ImputationFill:
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
    noise = rng.within("removal").normal("noisy_linear", batch.shape).to(batch.inputs).mul_(_NOISE * span)
    channels = torch.broadcast_to(span, batch.shape).flatten(1).amin(dim=1)
    features = _with_one_channel(batch.features)
    return _ImputationFill(batch, features, noise, mean, _TOLERANCE * channels.view(-1, *[1] * (len(batch.shape) - 1)))


@dataclass(frozen=True)
class _ImputationFill:
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
    reference: None = None

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
