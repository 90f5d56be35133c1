"""Infidelity (Yeh et al. 2019): perturbations are drawn and evaluated once, every explanation is held against them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.builtin.metrics.ranges import data_range
from xaiexp.builtin.metrics.removal import removed
from xaiexp.draws import Draws
from xaiexp.feature_map import FeatureMap
from xaiexp.passes import Handle
from xaiexp.types import Batch, Explanation

__all__ = ["infidelities", "infidelity", "noise", "per_unit", "subsets"]


def infidelity(foretold: Tensor, seen: Tensor, normalize: bool) -> Tensor:
    """The mean squared error of what attributions foretell: ``E[(beta * I.phi - df)^2]``.

    Args:
        foretold: ``I.phi``, float64 ``[..., S]`` over S perturbations.
        seen: ``df = f(x) - f(x - I)``, likewise.
        normalize: whether beta is the best factor (0 where nothing is foretold), or 1.

    Returns:
        float64 ``[...]``, at least 0.
    """
    if normalize:
        power = foretold.square().sum(-1, keepdim=True)
        beta = torch.where(power == 0, 0.0, (foretold * seen).sum(-1, keepdim=True) / power)
        foretold = beta * foretold
    return (foretold - seen).square().mean(-1)


def per_unit(explanation: Explanation, inputs: Tensor) -> Tensor:
    """Attributions as a change of the output per unit of input, float64 ``[N, *shape]``.

    Sensitivities are that already. A contribution of feature j becomes the shortest vector along ``D_j`` whose dot
    product with the whole step ``D_j = x_j - x0_j`` is the contribution; 0 where ``D_j`` is 0.
    """
    features = explanation.features
    elements = explanation.elements.double()
    if not explanation.multiplied_by_inputs:
        return elements
    step = inputs.double()
    if explanation.reference is not None:
        step = step - explanation.reference.double().mean(dim=1)
    length = features.pool(step.square())
    return step * features.expand(torch.where(length > 0, features.pool(elements) / length, 0.0))


def subsets(rng: Draws, features: FeatureMap, samples: range) -> Tensor:
    """Random subsets of each example's d features, bool ``[N, len(samples), d]``; all sizes 1..d equally likely.

    One feature, picked uniformly, is in; every other with a probability p that is uniform in [0, 1): then the number
    of the others is uniform in 0..d-1 (the mixture of binomials), and by symmetry all subsets of a size are equally
    likely.
    """
    counts = features.counts.expand(len(rng.ids)).unsqueeze(1)
    chosen = rng.uniform("subset", (features.d,), samples) < rng.uniform("share", (), samples).unsqueeze(2)
    always = (rng.uniform("always", (), samples).double() * counts).long()
    chosen |= torch.arange(features.d, device=always.device) == always.unsqueeze(2)
    return chosen.logical_and_(features.valid.unsqueeze(1))


def noise(rng: Draws, batch: Batch, level: float, samples: range) -> Tensor:
    """Normal noise on the elements of features, ``[N, len(samples), *shape]``; 0 elsewhere."""
    drawn = rng.normal("noise", batch.shape, samples).to(batch.inputs.dtype)
    return drawn.mul_(level * data_range(batch)) * batch.features.inside.unsqueeze(1)


def infidelities(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    n_samples: int,
    removal: str,
    noise_level: float | None,
    normalize: bool,
) -> Tensor:
    """Infidelity ``[M, N]`` of M explanations of N examples; NaN without signs and without features.

    Args:
        removal: what removed features become; see :func:`xaiexp.builtin.metrics.removal.removed`.
        noise_level: noise of this level instead of removals.
    """
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    signed = [i for i, e in enumerate(explanations) if e.signed]
    if signed:
        slopes = torch.stack([per_unit(explanations[i], batch.inputs) for i in signed], dim=1)  # [N, M, *shape]
        foretold: list[Tensor] = []  # [N, s, M]
        perturbed = (
            _removals(model, batch, slopes, rng, n_samples, removal, foretold)
            if noise_level is None
            else _noises(model, batch, slopes, rng, n_samples, noise_level, foretold)
        )
        after = model.scores(perturbed)
        seen = model.scores().double().unsqueeze(1) - after.double()
        # Only these numbers, one for each sample, are kept of the perturbations.
        values = infidelity(torch.cat(foretold, dim=1).transpose(1, 2), seen.unsqueeze(1), normalize)
        out[signed] = values.T
        out.masked_fill_(batch.features.counts == 0, float("nan"))
    return out.to(batch.inputs.dtype)


def _removals(
    model: Handle, batch: Batch, slopes: Tensor, rng: Draws, count: int, removal: str, foretold: list[Tensor]
) -> Iterator[Tensor]:
    reference = removed(removal, batch, rng)
    # I is x - r on whole features, so I.phi is a sum over the features of the subset.
    whole = batch.features.pool(slopes * (batch.inputs - reference).double().unsqueeze(1))
    for samples in model.blocks(count):
        gone = subsets(rng, batch.features, samples)
        foretold.append(torch.bmm(gone.double(), whole.transpose(1, 2)))
        yield batch.features.keep(batch.inputs, reference, ~gone)


def _noises(
    model: Handle, batch: Batch, slopes: Tensor, rng: Draws, count: int, level: float, foretold: list[Tensor]
) -> Iterator[Tensor]:
    for samples in model.blocks(count):
        perturbation = noise(rng, batch, level, samples)
        foretold.append(torch.bmm(perturbation.flatten(2).double(), slopes.flatten(2).transpose(1, 2)))
        yield batch.inputs.unsqueeze(1) - perturbation
