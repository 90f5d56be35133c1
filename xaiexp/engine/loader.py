"""Loads the samples of a dataset as the batches of a study, chunk by chunk."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from xaiexp.contract.kinds import Dataset, Features
from xaiexp.core.batches import Background, Batch
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.samples import Encoded, Network, Sample, Source
from xaiexp.core.vocabulary import Modality
from xaiexp.engine.examples.class_names import Alignment, align
from xaiexp.engine.examples.left_out import ALLOWED, LeftOutExamples
from xaiexp.engine.examples.reading import Errors, encode_samples, encoded_rows, read_samples
from xaiexp.engine.examples.selection import selected
from xaiexp.engine.examples.table_columns import with_columns
from xaiexp.engine.examples.truth import aligned, check_labels, class_labels, has_label, truth_of
from xaiexp.errors import MismatchError, ResourceError
from xaiexp.plan.settings import Settings
from xaiexp.store.fingerprints import fingerprint

__all__ = ["Examples", "Loader", "background_of", "statistics"]

# Upper bounds of a chunk: elements of input, and examples. They bound the memory of a study.
_CHUNK_ELEMENTS = 1 << 22
_CHUNK_EXAMPLES = 64
# The first chunk ends here at the latest.
_SMALLEST_BORDER = 16
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
        samples = tuple(self.samples[i] for i in rows.tolist())
        return Examples(samples, encoded_rows(self.encoded, rows), self.features.rows(rows))


class Loader:
    """Reads the samples of a dataset and encodes them for a network.

    Args:
        dataset: what is explained.
        network: encodes the samples.
        features: groups the elements of an input.
        settings: how many examples are explained, and which.
        device: of the batches.
        labelled: whether labels of the dataset are classes of the model, or its values. Those of whole images are not
            classes of a dense head, and are dropped.

    Attributes:
        count: examples of the study, with those that are left out.
        selection: which these are.
        clusters: id of each example that was read to its cluster; empty unless the study names a column of clusters.
        left_out: examples that cannot be read or encoded, so far.
        probe: the first examples of the dataset, encoded; their shape is typical.
        chunk: the most examples of a chunk, a power of two that depends on the data alone.
        class_names: of the model, from the dataset where the model has none; or empty.
        feature_names: of the dataset, or empty.
        task: what the labels of the dataset are, see :attr:`xaiexp.core.samples.Source.task`.
        notes: what the reader must know about classes and labels.
        background: what baselines draw from.
        fingerprint: of the background.
    """

    def __init__(
        self,
        dataset: Dataset,
        network: Network,
        features: Features,
        settings: Settings,
        device: torch.device,
        labelled: bool = True,
    ) -> None:
        self._dataset, self._network, self._features, self._device = dataset, network, features, device
        source = with_columns(dataset.name, dataset.open(), network.feature_names)
        self._source = source if labelled else _without_labels(source)
        self._where = f"dataset.{dataset.name}"
        if self._source.count < 1:
            raise ResourceError(self._where, "contains no examples")
        self.selection = selected(self._source, settings.examples, settings.draw_seed)
        self.count = len(self.selection.rows)
        self.clusters: dict[str, str] = {}
        self.left_out = LeftOutExamples(dataset.name, self.count)
        self.task = self._source.task
        self.notes: list[str] = [self.selection.warning] if self.selection.warning else []
        self._cluster_of = self._clusters(settings.cluster)
        self._check_task()
        self._alignment = self._aligned()
        self.class_names = self._alignment.names
        self.feature_names = self._source.feature_names
        self.probe = self._probed()
        elements = max(1, math.prod(self.probe.encoded.inputs.shape[1:]))
        most = max(1, min(_CHUNK_EXAMPLES, _CHUNK_ELEMENTS // elements))
        self.chunk = 1 << (most.bit_length() - 1)
        pool = self._pool(most)
        labels = class_labels(pool.samples, self.task)
        self.background = _moved(replace(background_of(pool.encoded, network), labels=labels), device)
        self.fingerprint = fingerprint(
            {k: v for k, v in vars(self.background).items() if isinstance(v, Tensor)}
            | dict(self.background.special)
            | {f"context {k}": v for k, v in self.background.context.items()}
        )

    def has_labels(self) -> bool:
        """Whether some example of the study has a label; reads examples until one is found."""
        for start, stop in self.ranges():
            rows = self.selection.rows[start:stop].tolist()
            if any(map(has_label, read_samples(self._where, self._source, rows, []).values())):
                return True
        return False

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Start and stop of every chunk.

        A chunk is what the store keeps. Chunks end at 16, 32, 64, 128, ... examples, or at every multiple of
        :attr:`chunk` where this is less, and at the last example: a study of 64 examples finds the chunks of one of 16.
        """
        start = 0
        while start < self.count:
            stop = min(self.count, start + min(self.chunk, max(_SMALLEST_BORDER, start)))
            yield start, stop
            start = stop

    def read(self, start: int, stop: int) -> Examples | None:
        """The examples ``start`` to ``stop - 1`` of the study, encoded for the network; None where none can be.

        Those that cannot be read or encoded are left out and added to :attr:`left_out`.

        Raises:
            UserError: too many examples are left out.
        """
        errors: Errors = []
        found = read_samples(self._where, self._source, self.selection.rows[start:stop].tolist(), errors)
        if self._cluster_of is not None:
            self.clusters.update({sample.id: self._cluster_of[row] for row, sample in found.items()})
        examples = self._encoded(list(found.values()), errors)
        self.left_out.add(errors, all_failed=examples is None)
        return examples

    def leave_out(self, examples: Examples, unfit: Tensor, what: str) -> Examples | None:
        """Leave out further examples.

        Args:
            examples: read.
            unfit: bool ``[N]``, those that are left out.
            what: the model does with them, in one clause.

        Returns:
            The others; None where there are none.

        Raises:
            UserError: too many examples are left out.
        """
        rows = (~unfit).nonzero().squeeze(1).cpu()
        errors: Errors = [
            (examples.samples[i].id, MismatchError("model", what, got=examples.samples[i].id))
            for i in unfit.nonzero().squeeze(1).tolist()
        ]
        self.left_out.add(errors, all_failed=not len(rows))
        return examples.rows(rows) if len(rows) else None

    def batch(self, examples: Examples) -> Batch:
        """The batch on the study's device; its targets are still 0, and it holds no labels."""
        samples, encoded, device = examples.samples, examples.encoded, self._device
        return Batch(
            ids=tuple(s.id for s in samples),
            inputs=encoded.inputs.to(device),
            targets=torch.zeros(len(samples), dtype=torch.int64, device=device),
            features=examples.features.to(device),
            background=self.background,
            context={k: v.to(device) for k, v in encoded.context.items()},
            masks=None if encoded.masks is None else encoded.masks.to(device),
        )

    def with_truth(self, batch: Batch, examples: Examples, outputs: int) -> Batch:
        """The batch with its labels.

        Args:
            batch: of the examples.
            examples: read.
            outputs: columns of the model.

        Raises:
            MismatchError: a label is none of the model's classes, or the numbers of classes differ.
        """
        self._check_count(outputs)
        check_labels(self._dataset.name, examples.samples, outputs)
        truth = truth_of(examples.samples, self.task, outputs)

        def moved(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(self._device)

        return replace(
            batch,
            labels=moved(truth.labels),
            label_sets=moved(truth.label_sets),
            true_values=moved(truth.true_values),
        )

    def _check_task(self) -> None:
        """Check that labels and model are of one kind.

        Raises:
            MismatchError: the labels are values, and the model is a classifier.
        """
        returned = self._network.task
        if self.task == "regression" and returned not in (None, "regression"):
            raise MismatchError(self._where, f"its labels are values; the task of the model is {returned}")

    def _aligned(self) -> Alignment:
        """The classes of the data among those of the model."""
        names, known = self._source.class_names, self._network.class_names
        if "regression" in (self.task, self._network.task):
            return Alignment(known)
        alignment = align(self._dataset.name, names, known, self._network.classes)
        if alignment.note:
            self.notes.append(alignment.note)
        return alignment

    def _check_count(self, outputs: int) -> None:
        counted, classes = self._alignment.counted, 2 if outputs == 1 else outputs
        if counted is not None and counted != classes:
            raise MismatchError(self._where, f"has {counted} classes; the model has {classes}")

    def _probed(self) -> Examples:
        """The first examples of the dataset that can be read.

        Raises:
            UserError: there are none among the first, or the model does not fit them.
        """
        errors: Errors = []
        total = self._source.count
        for start in range(0, total, _PROBES):
            found = read_samples(self._where, self._source, range(start, min(total, start + _PROBES)), errors)
            examples = self._encoded(list(found.values()), errors)
            if examples is not None:
                return examples
            if len(errors) > ALLOWED * total:
                break
        LeftOutExamples(self._dataset.name, total).add(errors, all_failed=True)
        raise AssertionError  # all of them failed, so that the line before raises

    def _pool(self, most: int) -> Examples:
        """Examples from all over the dataset that describe its distribution; what cannot be read is passed over."""
        errors: Errors = []
        found = read_samples(self._where, self._source, _evenly_spaced(self._source.count, most), errors)
        return self._encoded(list(found.values()), errors) or self.probe

    def _clusters(self, column: str | None) -> Sequence[str] | None:
        """The cluster of every example of the dataset; None where examples are independent.

        Raises:
            MismatchError: the dataset has no such column, or an explained example has no cluster.
        """
        if column is None:
            return None
        if self._source.cells is None:
            what = f"dataset {self._dataset.name!r} has no named columns"
            raise MismatchError("cluster", what, got=column, hint="cluster=null: every example by itself")
        cells = self._source.cells(column)
        empty = [row for row in self.selection.rows.tolist() if not cells[row].strip()]
        if empty:
            what = f"{len(empty)} explained examples have no entry in this column, the first is row {empty[0]}"
            raise MismatchError("cluster", what, got=column, hint="fill it: an example of its own is a cluster of one")
        if column in (self._source.columns or self._source.feature_names):
            self.notes.append(
                f"warning: the clusters' column {column!r} is an input as well (dataset.ignore=[{column}])"
            )
        count = len({cells[row] for row in self.selection.rows.tolist()})
        self.selection = replace(self.selection, words=f"{self.selection.words}; {count} clusters ({column})")
        return cells

    def _encoded(self, samples: Sequence[Sample], errors: Errors) -> Examples | None:
        """The samples that can be encoded; the others are added to ``errors``."""
        samples = aligned(samples, self._alignment)
        if self._network.task == "regression" and self.task != "regression" and any(map(has_label, samples)):
            samples = [replace(sample, label=None) for sample in samples]
            note = "the labels are classes, and the model returns values; the labels are not used"
            self.notes += [] if note in self.notes else [note]
        check_labels(self._dataset.name, samples, self._network.classes)
        kept, encoded = encode_samples(self._where, self._network, samples, errors)
        if encoded is None:
            return None
        columns = self._source.columns or self._source.feature_names
        if columns and not encoded.columns:
            encoded = replace(encoded, columns=columns)
        return Examples(tuple(kept), encoded, self._features.build(encoded))


def background_of(encoded: Encoded, network: Network) -> Background:
    """The background of a set of examples; see :class:`xaiexp.core.batches.Background` for its values and axes."""
    pool, modality = encoded.inputs, network.modality
    shift, scale = network.mean, network.std
    mean, low, high = statistics(pool, modality, encoded.removable)
    if modality == "text":
        known = Background(modality, pool, mean, low, high, shift, scale, network.special, embed=network.embed)
        return replace(known, context=encoded.context, lexicon=network.lexicon)
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


def _without_labels(source: Source) -> Source:
    """The same examples without labels and names of classes."""

    def read(start: int, stop: int) -> Sequence[Sample]:
        return [replace(sample, label=None) for sample in source.read(start, stop)]

    return replace(source, read=read, class_names=(), task=None, labels=None)
