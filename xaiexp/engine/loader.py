"""Loads the samples of a dataset as the batches of a study, chunk by chunk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from xaiexp.contract.kinds import Dataset, Features
from xaiexp.core.batches import Background, Batch
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.samples import Encoded, Network, Sample
from xaiexp.core.vocabulary import Modality
from xaiexp.engine import targets
from xaiexp.errors import ResourceError
from xaiexp.store.fingerprints import fingerprint

__all__ = ["Examples", "Loader", "background_of", "statistics"]

# Upper bounds of a chunk: elements of input, and examples. They bound the memory of a study.
_CHUNK_ELEMENTS = 1 << 22
_CHUNK_EXAMPLES = 64
# Samples that are read first to see how large an input is.
_PROBES = 16


@dataclass(frozen=True)
class Examples:
    """Samples with their encoding and feature map, on the CPU."""

    samples: tuple[Sample, ...]
    encoded: Encoded
    features: FeatureMap

    def rows(self, rows: Tensor) -> Examples:
        """The examples ``rows`` (int64 ``[M]``)."""
        encoded = self.encoded

        def selected(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[rows]

        return Examples(
            tuple(self.samples[i] for i in rows.tolist()),
            replace(
                encoded,
                inputs=encoded.inputs[rows],
                context={k: v[rows] for k, v in encoded.context.items()},
                masks=selected(encoded.masks),
                removable=selected(encoded.removable),
                words=selected(encoded.words),
                tokens=tuple(encoded.tokens[i] for i in rows.tolist()) if encoded.tokens else (),
            ),
            self.features.rows(rows),
        )


class Loader:
    """Reads the samples of a dataset and encodes them for a network.

    Args:
        dataset: what is explained.
        network: encodes the samples.
        features: groups the elements of an input.
        limit: the number of examples of the study, from the first; None for all.
        device: of the batches.

    Attributes:
        count: examples of the study.
        chunk: examples of a chunk. It depends on the data alone, so that another study finds the chunks in the store.
        class_names, feature_names: of the dataset, or empty.
        task: of the dataset; see :attr:`xaiexp.core.samples.Source.task`.
        background: what baselines draw from.
        fingerprint: of the background.
    """

    def __init__(
        self, dataset: Dataset, network: Network, features: Features, limit: int | None, device: torch.device
    ) -> None:
        self._dataset, self._network, self._features, self._device = dataset, network, features, device
        self._source = dataset.open()
        where = f"dataset.{dataset.name}"
        if self._source.count < 1:
            raise ResourceError(where, "contains no examples")
        self.count = self._source.count if limit is None else min(limit, self._source.count)
        self.class_names = self._source.class_names or network.class_names
        self.feature_names, self.task = self._source.feature_names, self._source.task
        probe = self.read(0, min(_PROBES, self._source.count))
        elements = max(1, math.prod(probe.encoded.inputs.shape[1:]))
        self.chunk = max(1, min(_CHUNK_EXAMPLES, _CHUNK_ELEMENTS // elements))
        rows = _evenly_spaced(self._source.count, self.chunk)
        samples = [sample for row in rows for sample in self._source.read(row, row + 1)]
        pool = background_of(self._encoded(samples).encoded, network)
        self.background = _moved(replace(pool, labels=_labels(samples)), device)
        self.fingerprint = fingerprint(
            {k: v for k, v in vars(self.background).items() if isinstance(v, Tensor)}
            | dict(self.background.special)
            | {f"context {k}": v for k, v in self.background.context.items()}
        )

    def has_labels(self) -> bool:
        """Whether some example of the study has a label; reads examples until one is found."""
        for start in range(0, self.count, self.chunk):
            samples = self._source.read(start, min(self.count, start + self.chunk))
            if any(sample.label is not None for sample in samples):
                return True
        return False

    def read(self, start: int, stop: int) -> Examples:
        """The examples ``start`` to ``stop - 1``, encoded for the network."""
        return self._encoded(self._source.read(start, stop))

    def batch(self, examples: Examples) -> Batch:
        """The batch on the study's device; its targets are still 0."""
        samples, encoded, device = examples.samples, examples.encoded, self._device
        labels = _labels(samples)
        return Batch(
            ids=tuple(s.id for s in samples),
            inputs=encoded.inputs.to(device),
            targets=torch.zeros(len(samples), dtype=torch.int64, device=device),
            features=examples.features.to(device),
            background=self.background,
            context={k: v.to(device) for k, v in encoded.context.items()},
            labels=None if labels is None else labels.to(device),
            masks=None if encoded.masks is None else encoded.masks.to(device),
        )

    def _encoded(self, samples: Sequence[Sample]) -> Examples:
        labels = torch.tensor([-1 if s.label is None else s.label for s in samples])
        ids = [s.id for s in samples]
        targets.check_labels(self._dataset.name, self._source.class_names, ids, labels, self._network.classes)
        encoded = self._network.encode(samples)
        if not bool(encoded.inputs.isfinite().all()):
            bad = int((~encoded.inputs.isfinite().flatten(1).all(dim=1)).int().argmax())
            raise ResourceError(f"dataset.{self._dataset.name}", "contains NaN or infinite values", got=samples[bad].id)
        columns = self._source.columns or self._source.feature_names
        if columns and not encoded.columns:
            encoded = replace(encoded, columns=columns)
        return Examples(tuple(samples), encoded, self._features.build(encoded))


def background_of(encoded: Encoded, network: Network) -> Background:
    """The background of a set of examples; see :class:`xaiexp.core.batches.Background` for its values and axes."""
    pool, modality = encoded.inputs, network.modality
    shift, scale = network.mean, network.std
    mean, low, high = statistics(pool, modality, encoded.removable)
    if modality == "text":
        known = Background(modality, pool, mean, low, high, shift, scale, network.special, embed=network.embed)
        return replace(known, context=encoded.context)
    if network.low is not None:
        low = torch.full_like(low, network.low).sub(shift).div(scale)
    if network.high is not None:
        high = torch.full_like(high, network.high).sub(shift).div(scale)
    return Background(modality, pool, mean, low, high, shift, scale, network.special, context=encoded.context)


def statistics(pool: Tensor, modality: Modality, removable: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, lowest and highest value of examples, which broadcast over one input.

    The axis of channels, columns or embedding dimensions is kept; examples and positions are averaged over.

    Args:
        pool: float ``[P, *shape]``: ``[P, C, ...]``, ``[P, F]``, or ``[P, T, D]`` of texts.
        modality: of the examples.
        removable: texts only: bool ``[P, T]``, the tokens that count; all by default.
    """
    if modality == "text":
        tokens = pool.flatten(0, 1) if removable is None else pool[removable]
        return tokens.mean(0), tokens.amin(0), tokens.amax(0)
    axes = [0, *range(2, pool.ndim)]
    mean, low, high = (f(pool, dim=axes, keepdim=True)[0] for f in (torch.mean, torch.amin, torch.amax))
    return mean, low, high


def _labels(samples: Sequence[Sample]) -> Tensor | None:
    """int64 ``[N]``, -1 where unknown; None where no sample has a label."""
    if all(sample.label is None for sample in samples):
        return None
    return torch.tensor([-1 if sample.label is None else sample.label for sample in samples])


def _moved(background: Background, device: torch.device) -> Background:
    fields = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in vars(background).items()}
    for name in ("special", "context"):
        fields[name] = {k: v.to(device) for k, v in getattr(background, name).items()}
    return Background(**fields)  # type: ignore[arg-type]  # the same fields, moved


def _evenly_spaced(count: int, most: int) -> list[int]:
    """Up to ``most`` row numbers, evenly spaced over the dataset."""
    if count <= most:
        return list(range(count))
    return [i * count // most for i in range(most)]
