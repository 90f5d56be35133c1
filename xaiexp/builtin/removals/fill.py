"""What removed features become: the same for every explanation of a study, never the cell's own baseline.

A removal is a way to fill: which features of an example are present decides what stands in place of the others. Most
fill from one reference; noisy linear imputation looks at what is left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from xaiexp.builtin.baselines import COMPONENTS
from xaiexp.builtin.data_range import data_range
from xaiexp.builtin.removals.imputation import imputed, pictures_at_once
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported

__all__ = ["AUTO", "Fill", "filling", "removed"]

AUTO = {"image": "blur", "table": "mean", "series": "mean", "text": "zero"}

_NOISE = 0.01
_TOLERANCE = 0.001


class Fill(Protocol):
    """Fills in what is removed from the examples of one batch.

    Attributes:
        reference: ``[N, *shape]``, what stands in place of what is removed, where that is the same for every mask.
    """

    @property
    def reference(self) -> Tensor | None: ...  # noqa: D102 -- an attribute, told above

    def __call__(self, owners: Tensor, present: Tensor) -> Tensor:
        """The inputs ``[B, *shape]`` of the examples ``owners`` (int64 ``[B]``) of which ``present`` (bool ``[B, d]``)
        stays. Elements of no feature stay as they are; a row depends on its own example and mask alone.
        """

    def at_once(self, budget: int) -> int:
        """How many rows should be filled at once where ``budget`` of them go through the model at once."""


def filling(removal: str, batch: Batch, rng: Draws) -> Fill:
    """The way to fill that a removal means for this batch.

    Args:
        removal: ``noisy_linear``, or as in :func:`removed`.

    Raises:
        Unsupported: this removal is not for these inputs, or the background lacks what it reads.
    """
    if removal == "noisy_linear":
        return _imputing(batch, rng)
    return _FromReference(batch, removed(removal, batch, rng))


def removed(removal: str, batch: Batch, rng: Draws) -> Tensor:
    """The inputs with all their features removed, ``[N, *shape]``; elements of no feature stay.

    Args:
        removal: the name of a built-in baseline with one reference, or ``auto``: by modality, as in :data:`AUTO`,
            and zero instead of the mean where there are no data to average (``xaiexp.score`` without background).

    Raises:
        Unsupported: this removal is not for these inputs, or the background lacks what it reads.
    """
    if removal == "noisy_linear":
        fill = filling(removal, batch, rng)
        everyone = torch.arange(len(batch), device=batch.device)
        return fill(everyone, torch.zeros(len(batch), batch.features.d, dtype=torch.bool, device=batch.device))
    name = AUTO[batch.background.modality] if removal == "auto" else removal
    if removal == "auto" and name == "mean" and batch.background.mean is None:
        name = "zero"
    (baseline,) = (cls() for cls in COMPONENTS if cls.name == name)
    modality = batch.background.modality
    if modality not in baseline.modalities:  # type: ignore[attr-defined]  # all are baselines
        raise Unsupported(f"removal {name!r} is not for inputs of the modality {modality}")
    reference = baseline.references(batch, rng.within("removal"))  # type: ignore[attr-defined]  # all are baselines
    return torch.where(batch.features.inside, reference.to(batch.inputs.dtype), batch.inputs)


@dataclass(frozen=True)
class _FromReference:
    batch: Batch
    reference: Tensor

    def __call__(self, owners: Tensor, present: Tensor) -> Tensor:
        inputs, reference = (x.index_select(0, owners) for x in (self.batch.inputs, self.reference))
        return self.batch.features.rows(owners).keep(inputs, reference, present)

    def at_once(self, budget: int) -> int:
        """As many as go through the model: nothing is gained by more."""
        return budget


def _imputing(batch: Batch, rng: Draws) -> _Imputing:
    """Noisy linear imputation of pictures and series.

    Raises:
        Unsupported: the inputs are neither, or the range of the data is unknown.
    """
    modality = batch.background.modality
    if modality not in ("image", "series") or batch.inputs.ndim not in (3, 4):
        raise Unsupported(
            f"removal 'noisy_linear' needs neighbours to impute from, and the inputs are {modality} of shape "
            f"{list(batch.shape)}: use removal 'mean' or 'zero'"
        )
    shift, scale = (torch.as_tensor(v).to(batch.inputs) for v in (batch.background.shift, batch.background.scale))
    mean = (0.0 - shift) / scale if batch.background.mean is None else batch.background.mean.to(batch.inputs)
    span = data_range(batch)
    noise = rng.within("removal").normal("noisy_linear", batch.shape).to(batch.inputs).mul_(_NOISE * span)
    channels = torch.broadcast_to(span, batch.shape).flatten(1).amin(dim=1)
    features = _of_one_channel(batch.features)
    return _Imputing(batch, features, noise, mean, _TOLERANCE * channels.view(-1, *[1] * (len(batch.shape) - 1)))


@dataclass(frozen=True)
class _Imputing:
    """A missing element is the weighted mean of its neighbours, plus noise of a hundredth of the data's range.

    The noise belongs to example and element, whatever else is missing, so that all explanations meet the same. A
    channel of which nothing is left becomes the mean of the data. The equations are solved to a thousandth of the
    range, a tenth of the noise.
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
        filled = imputed(inputs, known, self.mean, self.tolerance)
        return filled.addcmul_(self.noise.index_select(0, owners), (~known).to(filled.dtype))

    def at_once(self, budget: int) -> int:
        return max(budget, pictures_at_once(self.batch.shape))


def _of_one_channel(features: FeatureMap) -> FeatureMap:
    """The map with one channel for all, where it is the same for all."""
    first = features.index[:, :1]
    if not bool((features.index == first).all()):
        return features
    return replace(features, index=first)
