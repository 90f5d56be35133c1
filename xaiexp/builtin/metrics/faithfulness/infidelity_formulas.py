"""Infidelity (Yeh et al. 2019); perturbations are drawn and evaluated once for all explanations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.builtin.data_range import data_range
from xaiexp.builtin.removals.choice import RemovalChoice
from xaiexp.builtin.removals.data_distance import scores_and_shifts
from xaiexp.builtin.removals.fill import fill_for, removed_inputs
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported
from xaiexp.inference.passes import Handle

__all__ = [
    "attributions_per_unit",
    "baseline_differences",
    "infidelities",
    "infidelity",
    "noise",
    "perturbation_for",
    "random_squares",
    "subsets_of_any_size",
]

Perturb = Callable[[range], tuple[Tensor, Tensor | None]]


def infidelity(predicted: Tensor, observed: Tensor, normalize: bool) -> Tensor:
    """The mean squared error of predicted changes: ``E[(beta * I.phi - df)^2]``.

    Args:
        predicted: ``I.phi``, float64 ``[..., S]`` over S perturbations.
        observed: ``df = f(x) - f(x - I)``, of the same shape.
        normalize: whether beta is the optimal factor (0 where no change is predicted), or 1.

    Returns:
        float64 ``[...]``, at least 0.
    """
    if normalize:
        power = predicted.square().sum(-1, keepdim=True)
        beta = torch.where(power == 0, 0.0, (predicted * observed).sum(-1, keepdim=True) / power)
        predicted = beta * predicted
    return (predicted - observed).square().mean(-1)


def attributions_per_unit(explanation: Explanation, inputs: Tensor) -> Tensor:
    """Attributions as a change of the output per unit of input, float64 ``[N, *shape]``.

    Sensitivities are returned as they are. A contribution of feature j becomes the vector along ``D_j`` whose dot
    product with the whole step ``D_j = x_j - x0_j`` equals the contribution; 0 where ``D_j`` is 0.
    """
    features = explanation.features
    elements = explanation.elements.double()
    if not explanation.multiplied_by_inputs:
        return elements
    step = inputs.double()
    if explanation.reference is not None:
        step = step - explanation.reference.double().mean(dim=1)
    squared_norm = features.pool(step.square())
    return step * features.expand(torch.where(squared_norm > 0, features.pool(elements) / squared_norm, 0.0))


def subsets_of_any_size(rng: Draws, features: FeatureMap, samples: range) -> Tensor:
    """Random subsets of each example's d features, bool ``[N, len(samples), d]``; all sizes 1..d equally likely.

    One feature, picked uniformly, is always included; every other is included with a probability p that is uniform in
    [0, 1). The number of the others is then uniform in 0..d-1 (a mixture of binomials). By symmetry, all subsets of a
    size are equally likely.
    """
    counts = features.counts.expand(len(rng.ids)).unsqueeze(1)
    included = rng.uniform("subset", (features.d,), samples) < rng.uniform("share", (), samples).unsqueeze(2)
    always = (rng.uniform("always", (), samples).double() * counts).long()
    included |= torch.arange(features.d, device=always.device) == always.unsqueeze(2)
    return included.logical_and_(features.valid.unsqueeze(1))


def noise(rng: Draws, batch: Batch, level: float, samples: range) -> Tensor:
    """Normal noise on the elements of features, ``[N, len(samples), *shape]``; 0 elsewhere."""
    drawn = rng.normal("noise", batch.shape, samples).to(batch.inputs.dtype)
    return drawn.mul_(level * data_range(batch)) * batch.features.inside.unsqueeze(1)


def baseline_differences(rng: Draws, batch: Batch, reference: Tensor, level: float, samples: range) -> Tensor:
    """Differences to a noisy reference, ``x - (r + noise)``, ``[N, len(samples), *shape]``; 0 outside of features."""
    return (batch.inputs - reference).unsqueeze(1) - noise(rng, batch, level, samples)


def random_squares(rng: Draws, shape: tuple[int, ...], largest: float, samples: range) -> Tensor:
    """Random squares of an image, bool ``[N, len(samples), H, W]``.

    The side is uniform in 1 to ``largest`` times the shorter side of the image (at least 1); the position is uniform
    among those inside the image.
    """
    height, width = shape[-2:]
    longest = max(1, round(largest * min(height, width)))
    side = 1 + rng.integers("side", longest, (), samples)
    inside = []
    for name, length in (("row", height), ("column", width)):
        start = (rng.uniform(name, (), samples).double() * (length - side + 1)).long().unsqueeze(2)
        position = torch.arange(length, device=side.device)
        inside.append((position >= start) & (position < start + side.unsqueeze(2)))
    rows, columns = inside
    return rows.unsqueeze(3) & columns.unsqueeze(2)


def perturbation_for(
    kind: str, batch: Batch, rng: Draws, removal: RemovalChoice, noise_level: float, square: float
) -> tuple[Perturb, Tensor | None]:
    """The function that perturbs the inputs.

    Args:
        kind: ``removal``, ``noise``, ``square`` or ``baseline_difference``.
        removal: what removed features are replaced with; see :func:`xaiexp.builtin.removals.fill.fill_for`.
        noise_level: standard deviation of noise, relative to the range of the data.
        square: largest side of a square, relative to the image's shorter side.

    Returns:
        A function of samples that returns perturbed inputs ``[N, len(samples), *shape]`` and, where whole features are
        removed, which ones, bool ``[N, len(samples), d]``, else None; and the reference that removed features are
        replaced with, where it is the same for all samples, else None.

    Raises:
        Unsupported: the inputs are no images and ``kind`` is ``square``, or as in ``fill_for``.
    """
    inputs, n = batch.inputs, len(batch)
    if kind == "noise":
        return lambda samples: (inputs.unsqueeze(1) - noise(rng, batch, noise_level, samples), None), None
    if kind == "removal":
        fill = fill_for(removal, batch, rng)

        def remove(samples: range) -> tuple[Tensor, Tensor]:
            removed = subsets_of_any_size(rng, batch.features, samples)
            owners = torch.arange(n, device=inputs.device).repeat_interleave(len(samples))
            return fill(owners, ~removed.flatten(0, 1)).view(n, len(samples), *batch.shape), removed

        return remove, fill.reference
    reference = removed_inputs(removal, batch, rng)
    if kind == "baseline_difference":

        def subtract_difference(samples: range) -> tuple[Tensor, None]:
            return inputs.unsqueeze(1) - baseline_differences(rng, batch, reference, noise_level, samples), None

        return subtract_difference, None
    if batch.background.modality != "image" or inputs.ndim != 4:
        raise Unsupported(f"squares are defined for images only; the inputs are {batch.background.modality}")

    def replace_squares(samples: range) -> tuple[Tensor, None]:
        inside = random_squares(rng, batch.shape, square, samples).unsqueeze(2)
        return torch.where(inside, reference.unsqueeze(1), inputs.unsqueeze(1)), None

    return replace_squares, None


def infidelities(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    n_samples: int,
    perturb: Perturb,
    reference: Tensor | None,
    normalize: bool,
) -> tuple[Tensor, Tensor]:
    """Infidelity and shift ``[M, N]`` of M explanations of N examples; NaN without signs and without features.

    Args:
        perturb, reference: as :func:`perturbation_for` returns them.
    """
    m, n = len(explanations), len(batch)
    out = batch.inputs.new_full((m, n), float("nan"), dtype=torch.float64)
    shift = out.clone()
    signed = [i for i, e in enumerate(explanations) if e.signed]
    if signed:
        slopes = torch.stack([attributions_per_unit(explanations[i], batch.inputs) for i in signed], dim=1)
        contributions = None  # slopes are [N, M, *shape]
        if reference is not None:
            # I is x - r on whole features, so I.phi is a sum over the features of the subset.
            steps = (batch.inputs - reference).double().unsqueeze(1)
            contributions = batch.features.pool(slopes * steps).transpose(1, 2)
        predicted_pieces: list[Tensor] = []  # [N, s, M]
        examples = torch.arange(n, device=batch.device)

        def pieces() -> Iterator[tuple[Tensor, Tensor]]:
            for samples in model.blocks(n_samples):
                rows, removed = perturb(samples)
                if contributions is not None and removed is not None:
                    predicted_pieces.append(torch.bmm(removed.double(), contributions))
                else:
                    step = (batch.inputs.unsqueeze(1) - rows).flatten(2).double()
                    predicted_pieces.append(torch.bmm(step, slopes.flatten(2).transpose(1, 2)))
                yield rows.flatten(0, 1), examples.repeat_interleave(len(samples))

        # Of the perturbed inputs, only these numbers are kept, one for each sample.
        scored_pieces = [tuple(part.view(n, -1) for part in pair) for pair in scores_and_shifts(model, batch, pieces())]
        scores, shifts = (torch.cat(parts, dim=1) for parts in zip(*scored_pieces, strict=True))
        observed = model.scores().double().unsqueeze(1) - scores
        predicted = torch.cat(predicted_pieces, dim=1).transpose(1, 2)
        values = infidelity(predicted, observed.unsqueeze(1), normalize)
        out[signed], shift[signed] = values.T, shifts.mean(dim=1).expand(len(signed), n)
        without_features = batch.features.counts == 0
        out.masked_fill_(without_features, float("nan"))
        shift.masked_fill_(without_features, float("nan"))
    return out.to(batch.inputs.dtype), shift.to(batch.inputs.dtype)
