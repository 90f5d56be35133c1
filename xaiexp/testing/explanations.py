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
from xaiexp.inference.passes import Passes
from xaiexp.testing.studies import TestStudy

__all__ = ["explanation", "linear_study", "scaled"]

_N = 24
Transform = Callable[[Tensor], Tensor]


def explanation(study: TestStudy, level: float = 0.0, transform: Transform | None = None) -> Explanation:
    """The gradient times ``x - reference``, mixed with noise.

    Without noise the attributions are exact for linear networks. The noise is a function of the input of the example
    that varies strongly between neighbouring inputs, so degraded explanations are also unstable.

    Args:
        study: the network, batch and reference.
        level: the share of the noise, from 0 (none) to 1 (noise only).
        transform: is applied to the attributions.
    """
    reference, n = study.reference[:, :1], len(study.batch)

    def attributions(points: Tensor, module: nn.Module | None = None, targets: Tensor | None = None) -> Tensor:
        passes = Passes(module or study.module, study.batch.device)
        batch = study.batch if targets is None else replace(study.batch, targets=targets)
        gradients = passes.bind(batch).gradients(points)
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
        signed=True,
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


def _noise(points: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A deterministic function of the input with variance 1 that varies strongly between neighbouring inputs."""
    size = math.prod(shape)
    mix = torch.randn(size, size, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    flat = points.detach().double().reshape(*points.shape[: points.ndim - len(shape)], size)
    return (math.sqrt(2) * torch.sin(997 * (flat @ mix.to(flat.device)))).view(points.shape).to(points.dtype)


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
        labels=torch.zeros(_N, dtype=torch.int64),
        masks=_ground_truth(weight.view(shape), inputs),
    )
    network = nn.Sequential(nn.Flatten(), linear).eval()
    reference = torch.zeros(_N, 1, *shape)
    return TestStudy(
        network, batch, reference, frozenset({"gradients", "modules"}), torch.stack([weight, -weight]).view(2, *shape)
    )


def _ground_truth(weight: Tensor, inputs: Tensor) -> Tensor:
    """The elements with a positive contribution to the target, bool ``[N, F]`` or ``[N, H, W]``."""
    positive = weight * inputs > 0
    return positive[:, 0] if inputs.ndim == 4 else positive
