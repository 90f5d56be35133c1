"""Explanations for the checks of metrics: exact explanations of small networks and degraded versions of them."""

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
from xaiexp.engine.devices import placed
from xaiexp.inference.outputs import PLAIN
from xaiexp.inference.passes import Handle, Passes
from xaiexp.testing.studies import TestStudy

__all__ = ["explanation", "linear_study", "raised_above_zero", "scaled", "signs_flipped"]

_N = 24
Transform = Callable[[Tensor], Tensor]


def explanation(
    study: TestStudy,
    level: float = 0.0,
    transform: Transform | None = None,
    signed: bool = True,
    handle: Handle | None = None,
) -> Explanation:
    """The gradient times ``x - reference``, mixed with noise.

    Without noise the attributions are exact for linear networks. The noise is a function of the input of the example
    that varies strongly between neighbouring inputs, so degraded explanations are also unstable.

    Args:
        study: the network, batch and reference.
        level: the share of the noise, from 0 (none) to 1 (noise only).
        transform: is applied to the attributions.
        signed: what the explanation says of its signs.
        handle: makes and counts the passes; by default they are not counted.
    """
    reference, n = study.reference[:, :1], len(study.batch)

    def attributions(points: Tensor, module: nn.Module | None = None, targets: Tensor | None = None) -> Tensor:
        made_by = Passes(study.module, study.batch.device).bind(study.batch) if handle is None else handle
        made_by = made_by if module is None else made_by.with_module(module)
        batch = study.batch if targets is None else replace(study.batch, targets=targets)
        gradients = made_by.with_batch(batch, PLAIN).gradients(points)
        start = reference if points.ndim == reference.ndim else reference[:, 0]
        mixed = (1 - level) * gradients * (points - start) + level * _noise(points, study.batch.shape)
        inside = study.batch.features.inside
        mixed = mixed * (inside.unsqueeze(1) if points.ndim == reference.ndim else inside)
        return mixed if transform is None else transform(mixed)

    return Explanation(
        method=f"degraded by {level}",
        baseline="toy",
        elements=attributions(study.batch.inputs),
        features=study.batch.features,
        signed=signed,
        complete=level == 0 and transform is None,
        multiplied_by_inputs=True,
        reference=reference,
        explain_perturbed=attributions,
        explain_network=lambda module: attributions(study.batch.inputs, module),
        explain_targets=lambda targets: attributions(study.batch.inputs, targets=targets),
        spent=Spent(round(4 * n * (1 + level)), 0, 0.25 * n * (1 + level), int((1 + level) * 2**20)),
    )


def scaled(factor: float) -> Transform:
    """The multiplication of attributions by a factor."""
    return lambda elements: elements * factor


def signs_flipped(study: TestStudy) -> Transform:
    """The reversal of the signs of every second feature, the same in every example."""
    features = study.batch.features
    signs = 1.0 - 2.0 * (torch.arange(features.d) % 2)
    return lambda elements: elements * features.expand(_lead(elements, study, signs)).to(elements)


def raised_above_zero(study: TestStudy) -> Transform:
    """The addition of a number to all features, so that none is negative; their order is as before."""
    features = study.batch.features

    def raised(elements: Tensor) -> Tensor:
        values = features.pool(elements)
        lowest = values.amin(dim=-1, keepdim=True)
        return features.spread((values - lowest + 0.1 * lowest.abs()) * _lead(elements, study, torch.ones(features.d)))

    return raised


def _lead(elements: Tensor, study: TestStudy, values: Tensor) -> Tensor:
    """Values ``[d]`` of features for elements ``[N, (S,) *shape]``; 0 where an example has fewer features."""
    valid = study.batch.features.valid.expand(len(study.batch), -1) * values
    return (
        valid.unsqueeze(1).expand(-1, elements.shape[1], -1) if elements.ndim == study.batch.inputs.ndim + 1 else valid
    )


def _noise(points: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A deterministic function of the input with variance 1 that varies strongly between neighbouring inputs."""
    size = math.prod(shape)
    flat = points.detach().double().reshape(*points.shape[: points.ndim - len(shape)], size)
    return (math.sqrt(2) * torch.sin(997 * (flat @ _mix(size).to(flat.device)))).view(points.shape).to(points.dtype)


@functools.cache
def _mix(size: int) -> Tensor:
    return torch.randn(size, size, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


@functools.cache
def linear_study(image: bool = False) -> TestStudy:
    """A test study with 24 examples and a linear network with two opposite logits.

    A third of the features have non-zero weights. The reference is the mean of the data, 0, and every element is a
    feature. Therefore the exact attributions are ``weight * inputs``, and removing features in the order of these
    attributions changes the score fastest.

    Args:
        image: whether inputs are images ``[1, 4, 4]`` instead of rows ``[12]`` of a table.
    """
    generator = torch.Generator().manual_seed(3)
    shape = (1, 4, 4) if image else (12,)
    size = math.prod(shape)
    weight = torch.randn(size, generator=generator).abs() + 0.5
    weight = weight * (torch.arange(size) % 3 == 0) * torch.where(torch.arange(size) % 2 == 0, 1.0, -1.0)
    linear = nn.utils.skip_init(nn.Linear, size, 2, bias=False)  # type: ignore[no-untyped-call]  # an initialisation would change the global random state
    with torch.no_grad():
        linear.weight.copy_(torch.stack([weight, -weight]))
    inputs = torch.randn(_N, *shape, generator=generator)
    pool = torch.cat([inputs, -inputs])
    zero = torch.zeros(*shape[:1], *[1] * (len(shape) - 1))
    background = Background("image" if image else "table", pool, zero, zero - 3, zero + 3)
    batch = Batch(
        ids=tuple(f"contest {i}" for i in range(_N)),
        inputs=inputs,
        targets=torch.zeros(_N, dtype=torch.int64),
        features=FeatureMap.from_index(torch.arange(size).view(1, *shape), shape),
        background=background,
        labels=torch.ones(_N, dtype=torch.int64),
        masks=_ground_truth(weight.view(shape), inputs),
    )
    network = placed(nn.Sequential(nn.Flatten(), linear), torch.device("cpu"))
    reference = torch.zeros(_N, 1, *shape)
    return TestStudy(
        network, batch, reference, frozenset({"gradients", "modules"}), torch.stack([weight, -weight]).view(2, *shape)
    )


def _ground_truth(weight: Tensor, inputs: Tensor) -> Tensor:
    """The elements with a positive contribution to the target, bool ``[N, F]`` or ``[N, H, W]``."""
    positive = weight * inputs > 0
    return positive[:, 0] if inputs.ndim == 4 else positive
