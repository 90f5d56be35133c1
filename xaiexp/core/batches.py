"""Batches of examples in model space, and the background data of baselines. Importing this module imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.vocabulary import Modality

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from xaiexp.core.prompts import Lexicon

__all__ = ["Background", "Batch"]


@dataclass(frozen=True)
class Background:
    """Statistics and examples of the dataset, in model space, from which baselines build references.

    ``mean``, ``low``, ``high``, ``shift`` and ``scale`` broadcast over one input ``[*shape]``.

    Args:
        modality: the kind of input.
        pool: float ``[P, *shape]``, examples of the dataset, the same for every batch. None where there are none
            (:func:`xaiexp.attribute` without ``background``).
        mean: the mean input: per channel for images and time series, per column for tables, per embedding dimension
            for texts. None without a pool.
        low, high: the smallest and largest value along the same axes as ``mean``; the model's legal range where it
            declares one. None where unknown.
        shift, scale: the normalisation of the model, ``model = (data - shift) / scale``.
        special: texts only: embeddings ``[D]`` of special tokens by name.
        labels: int64 ``[P]``, the classes of the pool, -1 where unknown; None where the dataset has no labels.
        embed: texts only: see :attr:`xaiexp.core.samples.Network.embed`.
        context: tensors ``[P, ...]`` of the pool that are passed to the module as keyword arguments.
        lexicon: language models only: see :attr:`xaiexp.core.samples.Network.lexicon`.
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
    lexicon: Callable[[], Lexicon] | None = None

    def encode(self, value: Tensor | float) -> Tensor | float:
        """Map values from data space to model space."""
        return (value - self.shift) / self.scale

    def decode(self, value: Tensor) -> Tensor:
        """Map values from model space to data space."""
        return value * self.scale + self.shift


@dataclass(frozen=True)
class Batch:
    """Encoded examples with their targets and feature map, on the device of the study.

    Args:
        ids: identifiers of the examples, ``N`` of them; an id repeats where a batch contains several perturbed
            versions of one example.
        inputs: float ``[N, *shape]`` in model space. Must not be modified in place.
        targets: int64 ``[N]``, the index of the class that is explained.
        features: the map from elements to features.
        background: statistics and examples of the dataset.
        context: tensors ``[N, ...]`` that are passed to the module as keyword arguments.
        labels: int64 ``[N]``, the true classes, -1 where unknown; None where the dataset has no labels, or others than
            one class an example.
        label_sets: bool ``[N, K]``, the true labels of a multi-label dataset; None otherwise. No label of an example is
            True where they are unknown.
        true_values: float ``[N]``, the true values of a regression dataset, NaN where unknown; None otherwise.
        masks: bool ``[N, *spatial]``, ground truth of the relevant part of each input; None where the dataset has none.
    """

    ids: tuple[str, ...]
    inputs: Tensor
    targets: Tensor
    features: FeatureMap
    background: Background
    context: Mapping[str, Tensor] = field(default_factory=dict)
    labels: Tensor | None = None
    masks: Tensor | None = None
    label_sets: Tensor | None = None
    true_values: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def device(self) -> torch.device:
        """The device of the tensors."""
        return self.inputs.device

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return tuple(self.inputs.shape[1:])

    def rows(self, rows: Tensor) -> Batch:
        """A batch of the examples with the indices ``rows`` (int64 ``[M]``), which may repeat."""
        return self._chosen(rows, tuple(self.ids[i] for i in rows.tolist()))

    def _chosen(self, rows: Tensor, ids: tuple[str, ...]) -> Batch:
        """:meth:`rows`, whose ids are known already, so that nothing waits for ``rows``."""
        return replace(
            self,
            ids=ids,
            inputs=self.inputs[rows],
            targets=self.targets[rows],
            features=self.features.rows(rows),
            context={k: v[rows] for k, v in self.context.items()},
            labels=None if self.labels is None else self.labels[rows],
            masks=None if self.masks is None else self.masks[rows],
            label_sets=None if self.label_sets is None else self.label_sets[rows],
            true_values=None if self.true_values is None else self.true_values[rows],
        )

    def repeated(self, inputs: Tensor) -> Batch:
        """A batch of S perturbed versions of every example.

        Args:
            inputs: float ``[N, S, *shape]``, the perturbed inputs.

        Returns:
            A batch of ``N * S`` examples, the S versions of an example next to each other. Ids, targets, context,
            features, labels and masks are repeated.
        """
        n, s = inputs.shape[:2]
        rows = self.targets.new_tensor([i for i in range(n) for _ in range(s)])
        ids = tuple(each for each in self.ids for _ in range(s))
        return replace(self._chosen(rows, ids), inputs=inputs.flatten(0, 1))
