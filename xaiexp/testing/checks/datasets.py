"""The laws of data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from xaiexp.contract.kinds import Dataset
from xaiexp.core.samples import Sample, Source
from xaiexp.errors import UserError
from xaiexp.testing.check_types import Chapter, NotApplicable, demand
from xaiexp.testing.watching import difference, randomness, seeded

__all__ = ["LAWS"]

LAWS = Chapter("dataset")

_MOST = 24


def _opened(dataset: Dataset) -> tuple[Source, Sequence[Sample]]:
    try:
        source = dataset.open()
    except UserError as refused:
        raise NotApplicable(f"its data are not at hand: {refused}") from None
    return source, source.read(0, min(_MOST, source.count))


def _plain(value: Any) -> Any:
    """Data and masks as something that compares."""
    if hasattr(value, "tobytes") and hasattr(value, "size") and not isinstance(value, torch.Tensor):
        return (value.size, value.tobytes())  # a picture
    return value


def _equal(a: Any, b: Any) -> bool:
    a, b = _plain(a), _plain(b)
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return bool(torch.equal(a, b))
    return type(a) is type(b) and bool(a == b)


@LAWS.law()
def outline(dataset: Dataset) -> None:
    """`outline()` agrees with what is opened and read: the count, and the shape where it is exact."""
    source, samples = _opened(dataset)
    told = dataset.outline()
    demand(source.count >= 1, "holds no examples")
    demand(told.count in (None, source.count), f"foretold {told.count} examples and has {source.count}")
    demand(len(samples) == min(_MOST, source.count), f"read(0, {_MOST}) gave {len(samples)} samples")
    if told.exact and told.shape is not None:
        shapes = {tuple(s.data.shape) for s in samples if isinstance(s.data, torch.Tensor)}
        demand(shapes <= {tuple(told.shape)}, f"foretold {told.shape} and gave {sorted(shapes)}")


@LAWS.law(after=("outline",))
def modality(dataset: Dataset) -> None:
    """Samples are what the modality says: pictures (PIL, or [C, H, W] in 0..1), rows [F], series [C, T], texts."""
    _, samples = _opened(dataset)
    for sample in samples:
        data, where = sample.data, f"example {sample.id!r}"
        if dataset.modality == "text":
            demand(isinstance(data, str), f"{where} is {type(data).__name__}, not a text")
        elif isinstance(data, torch.Tensor):
            axes = {"image": 3, "series": 2, "table": 1}[dataset.modality]
            demand(data.ndim == axes and data.is_floating_point(), f"{where} is {data.dtype} {list(data.shape)}")
            if dataset.modality == "image":
                low, high = float(data.min()), float(data.max())
                demand(low >= 0 and high <= 1, f"{where} has values in {low:g}..{high:g}, not in 0..1")
        else:
            picture = dataset.modality == "image" and hasattr(data, "convert")
            demand(picture, f"{where} is {type(data).__name__}")


@LAWS.law(after=("outline",))
def stable(dataset: Dataset) -> None:
    """A sample is the same whenever and with whichever others it is read, and after opening again."""
    source, samples = _opened(dataset)
    again, _ = _opened(dataset)
    for of, what in ((source, "read once more"), (again, "opened again")):
        for i in range(0, len(samples), max(1, len(samples) // 6)):
            (one,) = of.read(i, i + 1)
            told = f"example {i} {what} differs in its"
            demand(one.id == samples[i].id, f"{told} id ({samples[i].id!r}, {one.id!r})")
            demand(one.label == samples[i].label, f"{told} label")
            demand(_equal(one.data, samples[i].data), f"{told} data")
            demand(_equal(one.mask, samples[i].mask), f"{told} mask")


@LAWS.law(after=("outline",))
def ids(dataset: Dataset) -> None:
    """Ids are texts, and no two samples share one: random numbers derive from them."""
    _, samples = _opened(dataset)
    seen: set[str] = set()
    for sample in samples:
        demand(isinstance(sample.id, str) and sample.id, f"an id is {sample.id!r}")
        demand(sample.id not in seen, f"two samples have the id {sample.id!r}")
        seen.add(sample.id)


@LAWS.law(after=("outline",))
def labels(dataset: Dataset) -> None:
    """A label is None or the index of a class: within `class_names`, where there are any."""
    source, samples = _opened(dataset)
    for sample in samples:
        label = sample.label
        if label is not None:
            demand(isinstance(label, int) and label >= 0, f"example {sample.id!r} has the label {label!r}")
            fits = not source.class_names or label < len(source.class_names)
            demand(fits, f"example {sample.id!r} has label {label}, and there are {len(source.class_names)} classes")


@LAWS.law(after=("outline",))
def global_randomness(dataset: Dataset) -> None:
    """Opening and reading leave the global random state of torch, numpy and Python alone."""
    with seeded(3):
        before = randomness()
        _opened(dataset)
        changed = difference(before, randomness())
    demand(not changed, f"{changed} has changed")
