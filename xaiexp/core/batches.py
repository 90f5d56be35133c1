"""Batches of examples in model space, and the background that baselines draw from. Importing this file imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.vocabulary import Modality

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Background", "Batch"]


@dataclass(frozen=True)
class Background:
    """What inputs of this data set look like, in model space: where baselines take their references from.

    Every tensor broadcasts over one input ``[*shape]``.

    Args:
        pool: float ``[P, *shape]``, examples of the data set, the same for every batch; None where there are
            none (in ``xaiexp.attribute`` without ``background``).
        mean: average input: per channel for pictures and series, per column for tables, per embedding
            dimension for texts; None without a pool.
        low, high: the range of values, per the same axes; None where unknown.
        shift, scale: the model's normalisation, ``model = (data - shift) / scale``.
        special: embeddings ``[D]`` of special tokens by name.
        embed: as :attr:`Network.embed`.
        labels: int64 ``[P]``, the classes of the pool, -1 where unknown; None where the data set has none.
        context: tensors ``[P, ...]`` that ride along with the pool into the module.
    """

    modality: Modality
    pool: Tensor | None = None
    mean: Tensor | None = None
    low: Tensor | None = None
    high: Tensor | None = None
    shift: Tensor | float = 0.0
    scale: Tensor | float = 1.0
    special: Mapping[str, Tensor] = field(default_factory=dict)
    labels: Tensor | None = None
    embed: Callable[[str], Tensor] | None = None
    context: Mapping[str, Tensor] = field(default_factory=dict)

    def encode(self, value: Tensor | float) -> Tensor | float:
        """Data space to model space."""
        return (value - self.shift) / self.scale

    def decode(self, value: Tensor) -> Tensor:
        """Model space to data space."""
        return value * self.scale + self.shift


@dataclass(frozen=True)
class Batch:
    """Examples on their way through the study, on the study's device.

    Args:
        ids: one per example; may repeat where one example stands in several perturbed versions.
        inputs: float ``[N, *shape]`` in model space. Never changed in place.
        targets: int64 ``[N]``, the class that is explained.
        features: the map from elements to features.
        background: what the data look like.
        context: tensors ``[N, ...]`` that ride along into the module.
        labels: int64 ``[N]``, -1 where unknown; None where the data set has none.
        masks: bool ``[N, *spatial]``, ground truth; None where the data set has none.
    """

    ids: tuple[str, ...]
    inputs: Tensor
    targets: Tensor
    features: FeatureMap
    background: Background
    context: Mapping[str, Tensor] = field(default_factory=dict)
    labels: Tensor | None = None
    masks: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def device(self) -> torch.device:
        """Where the tensors lie."""
        return self.inputs.device

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return tuple(self.inputs.shape[1:])

    def rows(self, rows: Tensor) -> Batch:
        """The batch of the examples ``rows`` (int64 ``[M]``)."""
        return replace(
            self,
            ids=tuple(self.ids[i] for i in rows.tolist()),
            inputs=self.inputs[rows],
            targets=self.targets[rows],
            features=self.features.rows(rows),
            context={k: v[rows] for k, v in self.context.items()},
            labels=None if self.labels is None else self.labels[rows],
            masks=None if self.masks is None else self.masks[rows],
        )

    def repeated(self, inputs: Tensor) -> Batch:
        """The batch of ``inputs [N, S, *shape]``: S versions of every example, example by example.

        Returns:
            A batch of ``N * S`` examples; ids, targets, context, features, labels and masks repeat.
        """
        n, s = inputs.shape[:2]
        rows = self.targets.new_tensor(range(n)).repeat_interleave(s)
        return replace(self.rows(rows), inputs=inputs.flatten(0, 1))
