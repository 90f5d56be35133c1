"""Test studies that differ from others in one thing: what the model offers, its head, features, labels, weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.vocabulary import Task
from xaiexp.inference.passes import Handle, Passes
from xaiexp.testing.networks import CLASSES
from xaiexp.testing.studies import TestStudy, readout

__all__ = [
    "in_other_units",
    "maps_of_units",
    "normalised",
    "offering",
    "one_number",
    "other_feature_maps",
    "with_ids",
    "with_other_labels",
    "with_other_targets",
    "with_other_weights",
]

# Capabilities of networks that are modules: a method that needs one of them has a module.
_OF_MODULES = frozenset({"modules", "convolutions", "attention", "maps", "trees"})


def with_other_targets(study: TestStudy) -> TestStudy:
    """A copy in which every example has the next class as its target."""
    other = study.copy()
    other.batch.targets.add_(1).remainder_(CLASSES)
    return other


def with_other_labels(study: TestStudy) -> TestStudy:
    """A copy in which every example has the next class as its label; targets are as before."""
    other = study.copy()
    labels = other.batch.labels
    assert labels is not None  # noqa: S101 -- every test study has labels
    labels.add_(1).remainder_(CLASSES)
    return other


def with_other_weights(study: TestStudy) -> TestStudy:
    """A copy with other weights; the ids of the examples are as before."""
    other = study.copy()
    generator = torch.Generator().manual_seed(9)
    for parameter in other.module.parameters():
        noise = torch.randn(parameter.shape, generator=generator).to(parameter)
        parameter.copy_(parameter.std(correction=0) * noise - 0.3 * parameter)
    return other


def with_ids(study: TestStudy, name: str) -> TestStudy:
    """A copy whose examples have ids that no other test study has."""
    other = study.copy()
    return replace(other, batch=replace(other.batch, ids=tuple(f"{name} {i}" for i in range(len(other.batch)))))


def offering(study: TestStudy, needs: frozenset[str]) -> tuple[TestStudy, Handle]:
    """A copy whose model offers what is in ``needs`` and nothing else, and its handle.

    Without gradients its scores are detached; without modules it is a function.
    """
    other = study.copy()
    module: Any = other.module
    if "gradients" not in needs:
        other.module.register_forward_hook(lambda _module, _inputs, returned: returned.detach())
    if not needs & _OF_MODULES:
        inner = module

        def module(*positional: Any, **named: Any) -> Any:
            return inner(*positional, **named)

    return other, Passes(module, other.batch.device).bind(other.batch, readout("logit"))


def one_number(study: TestStudy, task: Task) -> Iterator[tuple[TestStudy, Handle]]:
    """Two copies with the same scores: a network that returns one number, and one that returns a zero beside it.

    Args:
        study: the number is the first score of its network.
        task: of the first network: ``binary`` or ``regression``.
    """
    for columns in (1, 2):
        other = study.copy()
        other.batch.targets.zero_()
        other.module.register_forward_hook(_First(columns))
        output = readout("logit") if columns == 2 else readout("value" if task == "regression" else "logit", task)
        yield other, Passes(other.module, other.batch.device).bind(other.batch, output)


class _First:
    """A forward hook: the first column of what the network returns, with a zero beside it where there are two."""

    def __init__(self, columns: int) -> None:
        self.columns = columns

    def __call__(self, module: nn.Module, inputs: Any, returned: Tensor) -> Tensor:
        first = returned[:, :1]
        return first if self.columns == 1 else torch.cat([first, torch.zeros_like(first)], dim=1)


def in_other_units(study: TestStudy, factor: float) -> TestStudy:
    """A copy of a study of a linear network with all inputs times ``factor`` and the same scores."""
    other = study.copy()
    for parameter in other.module.parameters():
        if parameter.ndim == 2:
            parameter.div_(factor)
    background = study.batch.background
    scaled = {
        name: None if value is None else value * factor
        for name in ("pool", "mean", "low", "high")
        for value in [getattr(background, name)]
    }
    special = {name: value * factor for name, value in background.special.items()}
    background = replace(background, **scaled, special=special, scale=background.scale / factor)  # type: ignore[arg-type]  # by name
    batch = replace(other.batch, inputs=study.batch.inputs * factor, background=background)
    return replace(other, batch=batch, reference=study.reference * factor)


def normalised(study: TestStudy) -> TestStudy:
    """The same examples and background for a model with a normalisation: model = (data - shift) / scale.

    The network is as before, so this is a study for what reads data alone.
    """
    background, inputs = study.batch.background, study.batch.inputs
    axes = [1] * (inputs.ndim - 2)
    shift = torch.linspace(0.3, 0.6, inputs.shape[1]).view(-1, *axes)
    scale = torch.full_like(shift, 0.25)
    encoded = {
        name: None if value is None else (value - shift) / scale
        for name in ("pool", "mean", "low", "high")
        for value in [getattr(background, name)]
    }
    background = replace(background, shift=shift, scale=scale, **encoded)  # type: ignore[arg-type]  # by name
    batch = replace(study.batch, inputs=(inputs - shift) / scale, background=background)
    return replace(study.copy(), batch=batch, reference=(study.reference - shift) / scale)


def other_feature_maps(study: TestStudy) -> Iterator[tuple[str, TestStudy]]:
    """Copies with the feature maps that a user may choose, by their name; texts have words of two tokens."""
    batch, shape = study.batch, study.batch.shape
    for name, features in _feature_maps(study, shape):
        other = replace(study.copy(), batch=replace(batch, features=features))
        reference = torch.where(features.inside.unsqueeze(1), study.reference, batch.inputs.unsqueeze(1))
        yield name, replace(other, reference=reference)


def _feature_maps(study: TestStudy, shape: tuple[int, ...]) -> Iterator[tuple[str, FeatureMap]]:
    n = len(study.batch)
    if study.modality == "image":
        height, width = shape[-2:]
        yield (
            "pixels",
            FeatureMap.from_index(
                torch.arange(height * width).view(1, 1, height, width).expand(1, *shape), (height, width)
            ),
        )
        row, column = torch.arange(height).unsqueeze(1), torch.arange(width)
        superpixels = [((row + i) // 2 + column // 3) // 2 for i in range(n)]  # of other shapes and numbers by example
        numbered = torch.stack([_numbered(index) for index in superpixels])
        yield "superpixels", FeatureMap.from_index(numbered.unsqueeze(1).expand(n, *shape).contiguous())
    elif study.modality == "text":
        tokens = study.batch.features.index
        yield "words", FeatureMap.from_index(torch.where(tokens >= 0, tokens // 2, -1))
    else:
        groups = torch.arange(shape[-1]) // 2
        yield "groups", FeatureMap.from_index(groups.expand(1, *shape).contiguous())


def _numbered(index: Tensor) -> Tensor:
    """Indices without gaps, from 0."""
    known = sorted(set(index.flatten().tolist()))
    return torch.searchsorted(torch.tensor(known), index.contiguous())


def maps_of_units(study: TestStudy) -> Iterator[tuple[str, TestStudy]]:
    """The feature maps whose features no method may divide: pixels, words and tokens, steps, groups of columns.

    Windows over an image or a time series divide larger features, and may.
    """
    others = dict(other_feature_maps(study))
    if study.modality in ("text", "series"):
        yield "tokens" if study.modality == "text" else "steps", study
    for name in ("pixels", "words", "groups") if study.modality != "series" else ():
        if name in others:
            yield name, others[name]
