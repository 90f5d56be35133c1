"""Explanations to hold metrics against: exact ones of small networks, degraded step by step."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from xaiexp.core.batches import Background, Batch
from xaiexp.core.explanations import Explanation, Spent
from xaiexp.core.feature_map import FeatureMap
from xaiexp.inference.passes import Passes
from xaiexp.testing.toys import World

__all__ = ["contest", "explanation", "scaled"]

_N = 24
Change = Callable[[Tensor], Tensor]


def explanation(world: World, level: float = 0.0, change: Change | None = None) -> Explanation:
    """The gradient times ``x - reference``, with noise in its place to the extent of ``level`` (0 none, 1 all).

    Exact contributions where the network is linear. The noise is another one at every point of the input space,
    so that a degraded explanation is unstable as well, and it depends on the example alone.

    Args:
        change: what is done to the attributions in the end.
    """
    reference, n = world.reference[:, :1], len(world.batch)

    def at(points: Tensor, module: nn.Module | None = None, targets: Tensor | None = None) -> Tensor:
        passes = Passes(module or world.module, world.batch.device)
        batch = world.batch if targets is None else replace(world.batch, targets=targets)
        gradients = passes.bind(batch).gradients(points)
        start = reference if points.ndim == reference.ndim else reference[:, 0]
        mixed = (1 - level) * gradients * (points - start) + level * _noise(points, world.batch.shape)
        inside = world.batch.features.inside
        mixed = mixed * (inside.unsqueeze(1) if points.ndim == reference.ndim else inside)
        return mixed if change is None else change(mixed)

    return Explanation(
        method=f"degraded by {level}",
        baseline="toy",
        elements=at(world.batch.inputs),
        features=world.batch.features,
        signed=True,
        complete=level == 0 and change is None,
        multiplied_by_inputs=True,
        reference=reference,
        explain_perturbed=at,
        explain_network=lambda module: at(world.batch.inputs, module),
        explain_targets=lambda targets: at(world.batch.inputs, targets=targets),
        spent=Spent(round(4 * n * (1 + level)), 0, 0.25 * n * (1 + level), int((1 + level) * 2**20)),
    )


def scaled(by: float) -> Change:
    """Multiply the attributions."""
    return lambda elements: elements * by


def _noise(points: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A chaotic function of the input, of variance 1."""
    size = math.prod(shape)
    mix = torch.randn(size, size, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    flat = points.detach().double().reshape(*points.shape[: points.ndim - len(shape)], size)
    return (math.sqrt(2) * torch.sin(997 * (flat @ mix.to(flat.device)))).view(points.shape).to(points.dtype)


@functools.cache
def contest(picture: bool = False) -> World:
    """Many examples of a linear network with two opposite scores, in which a third of the features decide.

    Its reference is the mean of the data, 0, and every element is a feature, so that the exact attributions are
    ``weight * inputs``, and removing features in their order is the quickest way to a low (or high) score.
    """
    generator = torch.Generator().manual_seed(3)
    shape = (1, 4, 4) if picture else (12,)
    size = math.prod(shape)
    weight = torch.randn(size, generator=generator).abs() + 0.5
    weight = weight * (torch.arange(size) % 3 == 0) * torch.where(torch.arange(size) % 2 == 0, 1.0, -1.0)
    linear = nn.utils.skip_init(nn.Linear, size, 2, bias=False)  # type: ignore[no-untyped-call]  # new weights would read the global random state
    with torch.no_grad():
        linear.weight.copy_(torch.stack([weight, -weight]))
    inputs = torch.randn(_N, *shape, generator=generator)
    pool = torch.cat([inputs, -inputs])
    zero = torch.zeros(*shape[:1], *[1] * (len(shape) - 1))
    background = Background("image" if picture else "table", pool, zero, zero - 3, zero + 3)
    batch = Batch(
        ids=tuple(f"contest {i}" for i in range(_N)),
        inputs=inputs,
        targets=torch.zeros(_N, dtype=torch.int64),
        features=FeatureMap.from_index(torch.arange(size).view(1, *shape), shape),
        background=background,
        labels=torch.zeros(_N, dtype=torch.int64),
        masks=_truth(weight.view(shape), inputs),
    )
    network = nn.Sequential(nn.Flatten(), linear).eval()
    reference = torch.zeros(_N, 1, *shape)
    return World(
        network, batch, reference, frozenset({"gradients", "modules"}), torch.stack([weight, -weight]).view(2, *shape)
    )


def _truth(weight: Tensor, inputs: Tensor) -> Tensor:
    """What speaks for the target, bool ``[N, F]`` or ``[N, H, W]``."""
    speaks = weight * inputs > 0
    return speaks[:, 0] if inputs.ndim == 4 else speaks
