"""Batches, handles and explanations for tests, made as the runner makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xaiexp.contract.registry import installed
from xaiexp.core.batches import Background, Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.core.feature_map import FeatureMap
from xaiexp.inference.outputs import Readout
from xaiexp.inference.passes import Handle, Passes


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Seeded standard normal numbers, float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def element_map(shape: Sequence[int]) -> FeatureMap:
    """A feature map with every element as a feature."""
    count = int(torch.tensor(list(shape)).prod())
    return FeatureMap.from_index(torch.arange(count).view(1, *shape), shape)


def pixel_map(shape: Sequence[int]) -> FeatureMap:
    """A feature map with every pixel as a feature, summed over channels."""
    c, h, w = shape
    return FeatureMap.from_index(torch.arange(h * w).view(1, 1, h, w).expand(1, c, h, w), (h, w))


def make_batch(
    inputs: Tensor,
    targets: Tensor | int = 0,
    *,
    ids: Sequence[str] | None = None,
    features: FeatureMap | None = None,
    background: Background | None = None,
    context: Mapping[str, Tensor] | None = None,
    modality: Any = None,
    **extra: Any,
) -> Batch:
    """A batch; by default every element is a feature, and the background has mean 0 and range 0..1."""
    n = len(inputs)
    if modality is None:
        modality = {2: "table", 3: "series", 4: "image"}.get(inputs.ndim, "table")
    if background is None:
        zero = torch.zeros(1, dtype=inputs.dtype)
        background = Background(modality, pool=None, mean=zero, low=zero, high=zero + 1)
    return Batch(
        ids=tuple(ids) if ids is not None else tuple(f"example {i}" for i in range(n)),
        inputs=inputs,
        targets=torch.full((n,), targets, dtype=torch.int64) if isinstance(targets, int) else targets,
        features=features if features is not None else element_map(inputs.shape[1:]),
        background=background,
        context=dict(context or {}),
        **extra,
    )


def bind(module: Any, batch: Batch, *, budget: int | None = None, output: Any = "logit") -> Handle:
    """A handle of a module for a batch, on the CPU."""
    return Passes(module, batch_budget=budget).bind(batch, readout(output))


def readout(output: Any = "logit") -> Readout:
    """An output by name, of a classifier with one logit or several."""
    return output if isinstance(output, Readout) else Classifier(installed().build("output", output, {}))


@dataclass(frozen=True)
class Classifier(Readout):
    """An output of a classifier; the number of columns says whether it is binary."""

    @property
    def is_probability(self) -> bool:
        return True

    @property
    def bounded(self) -> Readout:
        return readout("probability")

    def scalars(self, head: torch.Tensor) -> torch.Tensor:
        return self.output.scalars(head, "binary" if head.shape[1] == 1 else "multiclass")


def draws(batch: Batch, seed: int = 0) -> Draws:
    """The random numbers of a batch."""
    return Draws(seed, batch.ids, batch.device)


def explain(batch: Batch, elements: Tensor, **overrides: Any) -> Explanation:
    """An explanation of given attributions; by default they are signed, complete contributions."""
    properties = {"signed": True, "complete": True, "multiplied_by_inputs": True, **overrides}
    return Explanation("by hand", "none", elements, batch.features, **properties)
