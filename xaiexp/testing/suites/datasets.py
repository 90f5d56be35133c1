"""The checks of datasets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from xaiexp.contract.kinds import Dataset
from xaiexp.core.keys import digest
from xaiexp.core.prompts import Prompt
from xaiexp.core.samples import Sample, Source
from xaiexp.errors import UserError
from xaiexp.testing.assertions import require
from xaiexp.testing.definition import CheckSuite, NotApplicable
from xaiexp.testing.snapshots import first_difference, random_state, seeded

__all__ = ["SUITE"]

SUITE = CheckSuite("dataset")

_LIMIT = 24
"""The number of samples that are read."""
_TRAINING = 256
"""The number of training samples that are compared with them."""


def _open(dataset: Dataset) -> tuple[Source, Sequence[Sample]]:
    """The source and its first samples.

    Raises:
        NotApplicable: the data are not available.
    """
    try:
        source = dataset.open()
    except UserError as error:
        raise NotApplicable(f"the data are not available: {error}") from None
    return source, source.read(0, min(_LIMIT, source.count))


def _comparable(value: Any) -> Any:
    """Images as their size and bytes; other values unchanged."""
    if hasattr(value, "tobytes") and hasattr(value, "size") and not isinstance(value, torch.Tensor):
        return (value.size, value.tobytes())
    return value


def _equal(a: Any, b: Any) -> bool:
    """Whether the data or masks of two samples are equal."""
    a, b = _comparable(a), _comparable(b)
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return bool(torch.equal(a, b))
    return type(a) is type(b) and bool(a == b)


@SUITE.register()
def outline(dataset: Dataset) -> None:
    """`outline()` states the number of samples that are read, and their shape where it is exact."""
    source, samples = _open(dataset)
    stated = dataset.outline()
    require(source.count >= 1, "contains no examples")
    require(
        stated.count in (None, source.count), f"outline() states {stated.count} examples, the source has {source.count}"
    )
    require(len(samples) == min(_LIMIT, source.count), f"read(0, {_LIMIT}) returned {len(samples)} samples")
    if stated.exact and stated.shape is not None:
        shapes = {tuple(s.data.shape) for s in samples if isinstance(s.data, torch.Tensor)}
        require(
            shapes <= {tuple(stated.shape)}, f"outline() states shape {stated.shape}, the samples have {sorted(shapes)}"
        )


@SUITE.register(after=("outline",))
def modality(dataset: Dataset) -> None:
    """Samples match the modality: images (PIL, or [C, H, W] in 0..1), rows [F], series [C, T], texts or prompts."""
    _, samples = _open(dataset)
    for sample in samples:
        data, name = sample.data, f"example {sample.id!r}"
        if dataset.modality == "text":
            require(isinstance(data, str | Prompt), f"{name} is {type(data).__name__}, not str or Prompt")
        elif isinstance(data, torch.Tensor):
            axes = {"image": 3, "series": 2, "table": 1}[dataset.modality]
            require(data.ndim == axes and data.is_floating_point(), f"{name} is {data.dtype} {list(data.shape)}")
            if dataset.modality == "image":
                low, high = float(data.min()), float(data.max())
                require(low >= 0 and high <= 1, f"{name} has values in {low:g}..{high:g}, not in 0..1")
        else:
            image = dataset.modality == "image" and hasattr(data, "convert")
            require(image, f"{name} is {type(data).__name__}")


@SUITE.register(after=("outline",))
def stable(dataset: Dataset) -> None:
    """A sample is the same in every read, alone or with others, and after opening the dataset again."""
    source, samples = _open(dataset)
    reopened, _ = _open(dataset)
    for other, description in ((source, "read again"), (reopened, "opened again")):
        for i in range(0, len(samples), max(1, len(samples) // 6)):
            (sample,) = other.read(i, i + 1)
            prefix = f"example {i} {description} differs in its"
            require(sample.id == samples[i].id, f"{prefix} id ({samples[i].id!r}, {sample.id!r})")
            require(sample.label == samples[i].label, f"{prefix} label")
            require(_equal(sample.data, samples[i].data), f"{prefix} data")
            require(_equal(sample.mask, samples[i].mask), f"{prefix} mask")


@SUITE.register(after=("outline",))
def ids(dataset: Dataset) -> None:
    """Ids are non-empty strings and unique."""
    _, samples = _open(dataset)
    known: set[str] = set()
    for sample in samples:
        require(isinstance(sample.id, str) and sample.id, f"an id is {sample.id!r}")
        require(sample.id not in known, f"two samples have the id {sample.id!r}")
        known.add(sample.id)


@SUITE.register(after=("outline",))
def labels(dataset: Dataset) -> None:
    """Labels are None or what `Source.task` says, class indices within `class_names` where these are given."""
    source, samples = _open(dataset)
    for sample in samples:
        label, what = sample.label, f"example {sample.id!r} has the label {sample.label!r}"
        if label is None:
            continue
        kind = {"multilabel": tuple, "regression": float}.get(source.task or "", int)
        require(type(label) is kind, f"{what}; task {source.task!r} of the source means {kind.__name__}")
        if isinstance(label, float):
            require(math.isfinite(label), what)
            continue
        for index in label if isinstance(label, tuple) else (label,):
            require(isinstance(index, int) and index >= 0, what)
            valid = not source.class_names or index < len(source.class_names)
            require(valid, f"{what}; there are {len(source.class_names)} classes")


@SUITE.register(after=("labels",))
def known_labels(dataset: Dataset) -> None:
    """`Source.labels`, where it is given, returns the labels that the samples have, of all samples."""
    source, samples = _open(dataset)
    if source.labels is None:
        raise NotApplicable("labels are not known without reading inputs")
    known = source.labels()
    require(len(known) == source.count, f"labels() returns {len(known)} labels of {source.count} samples")
    for sample, label in zip(samples, known, strict=False):
        require(label == sample.label, f"labels() gives {label!r} for example {sample.id!r}, read() {sample.label!r}")


@SUITE.register(after=("outline",))
def global_randomness(dataset: Dataset) -> None:
    """Opening and reading do not change the global random states of torch, numpy and Python."""
    with seeded(3):
        before = random_state()
        _open(dataset)
        changed = first_difference(before, random_state())
    require(not changed, f"changed {changed}")


@SUITE.register(after=("outline", "modality"))
def masks(dataset: Dataset) -> None:
    """Ground truth has the geometry of its sample: bool [H, W], [T] or [F], and spans of characters for texts."""
    _, samples = _open(dataset)
    for sample in samples:
        if sample.mask is None:
            continue
        name = f"the mask of example {sample.id!r}"
        if dataset.modality == "text":
            spans = [tuple(span) for span in sample.mask]
            count = len(sample.data.text if isinstance(sample.data, Prompt) else sample.data)
            valid = all(len(span) == 2 and 0 <= span[0] < span[1] <= count for span in spans)
            require(valid, f"{name} is {spans}; must be spans (start, stop) of its {count} characters")
            continue
        shape = list(sample.data.shape if isinstance(sample.data, torch.Tensor) else sample.data.size[::-1])
        shape = shape[-2:] if dataset.modality == "image" else shape[-1:]
        mask = sample.mask
        require(
            isinstance(mask, torch.Tensor) and mask.dtype == torch.bool and list(mask.shape) == shape,
            f"{name} is {getattr(mask, 'dtype', type(mask).__name__)} {list(getattr(mask, 'shape', []))}; must be "
            f"torch.bool {shape}",
        )


@SUITE.register(after=("outline", "stable"))
def training_apart(dataset: Dataset) -> None:
    """The training samples are not those that are explained."""
    try:
        training = dataset.training()
    except UserError as error:
        raise NotApplicable(f"the training data are not available: {error}") from None
    if training is None:
        raise NotApplicable("has no training samples")
    _, samples = _open(dataset)
    known = {_content(sample): sample.id for sample in training.read(0, min(_TRAINING, training.count))}
    found = [sample.id for sample in samples if _content(sample) in known]
    same = [sample.id for sample in samples if known.get(_content(sample)) == sample.id]
    require(not same, f"training() contains example {same[0] if same else ''!r}, which is explained")
    require(
        2 * len(found) <= len(samples),
        f"training() contains the data of {len(found)} of {len(samples)} explained examples, {found[:1]} for one",
    )


def _content(sample: Sample) -> str:
    """A key of the data of a sample."""
    data = sample.data
    return digest([data.dtype.__repr__(), data.tolist()] if isinstance(data, torch.Tensor) else repr(_comparable(data)))
