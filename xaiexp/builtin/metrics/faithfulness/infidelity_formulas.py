"""Infidelity (Yeh et al. 2019): perturbations are drawn and evaluated once, every explanation is held against them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.builtin.data_range import data_range
from xaiexp.builtin.removals.data_distance import scored
from xaiexp.builtin.removals.fill import filling, removed
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported
from xaiexp.inference.passes import Handle

__all__ = ["baselines", "infidelities", "infidelity", "noise", "per_unit", "perturbing", "squares", "subsets"]

Perturbed = Callable[[range], tuple[Tensor, Tensor | None]]


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


def baselines(rng: Draws, batch: Batch, reference: Tensor, level: float, samples: range) -> Tensor:
    """The way to a noisy reference, ``I = x - (r + noise)``, ``[N, len(samples), *shape]``; 0 outside of features."""
    return (batch.inputs - reference).unsqueeze(1) - noise(rng, batch, level, samples)


def squares(rng: Draws, shape: tuple[int, ...], largest: float, samples: range) -> Tensor:
    """Random squares of a picture, bool ``[N, len(samples), H, W]``.

    The side is uniform in 1 to ``largest`` of the shorter side of the picture (at least 1), and the place uniform
    among those inside the picture.
    """
    height, width = shape[-2:]
    most = max(1, round(largest * min(height, width)))
    side = 1 + rng.integers("side", most, (), samples)
    inside = []
    for name, length in (("row", height), ("column", width)):
        start = (rng.uniform(name, (), samples).double() * (length - side + 1)).long().unsqueeze(2)
        place = torch.arange(length, device=side.device)
        inside.append((place >= start) & (place < start + side.unsqueeze(2)))
    rows, columns = inside
    return rows.unsqueeze(3) & columns.unsqueeze(2)


def perturbing(
    kind: str, batch: Batch, rng: Draws, removal: str, noise_level: float, square: float
) -> tuple[Perturbed, Tensor | None]:
    """How inputs are perturbed.

    Args:
        kind: ``removal``, ``noise``, ``square`` or ``baseline_difference``.
        removal: what removed features become; see :func:`xaiexp.builtin.removals.fill.filling`.
        noise_level: standard deviation of noise, relative to the range of the data.
        square: largest side of a square, relative to the picture's shorter side.

    Returns:
        Samples to perturbed inputs ``[N, len(samples), *shape]`` and the features ``[N, len(samples), d]`` that are
        gone there, where it is whole ones; and the reference that these are sent to, where it is one for all samples.

    Raises:
        Unsupported: squares of what is no picture, or as in ``filling``.
    """
    inputs, n = batch.inputs, len(batch)
    if kind == "noise":
        return lambda samples: (inputs.unsqueeze(1) - noise(rng, batch, noise_level, samples), None), None
    if kind == "removal":
        fill = filling(removal, batch, rng)

        def without(samples: range) -> tuple[Tensor, Tensor]:
            gone = subsets(rng, batch.features, samples)
            own = torch.arange(n, device=inputs.device).repeat_interleave(len(samples))
            return fill(own, ~gone.flatten(0, 1)).view(n, len(samples), *batch.shape), gone

        return without, fill.reference
    reference = removed(removal, batch, rng)
    if kind == "baseline_difference":

        def towards(samples: range) -> tuple[Tensor, None]:
            return inputs.unsqueeze(1) - baselines(rng, batch, reference, noise_level, samples), None

        return towards, None
    if batch.background.modality != "image" or inputs.ndim != 4:
        raise Unsupported(f"squares are of pictures, and the inputs are {batch.background.modality}")

    def cut(samples: range) -> tuple[Tensor, None]:
        away = squares(rng, batch.shape, square, samples).unsqueeze(2)
        return torch.where(away, reference.unsqueeze(1), inputs.unsqueeze(1)), None

    return cut, None


def infidelities(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    n_samples: int,
    perturbed: Perturbed,
    reference: Tensor | None,
    normalize: bool,
) -> tuple[Tensor, Tensor]:
    """Infidelity and shift ``[M, N]`` of M explanations of N examples; NaN without signs and without features.

    Args:
        perturbed, reference: as :func:`perturbing` gives them.
    """
    m, n = len(explanations), len(batch)
    out = batch.inputs.new_full((m, n), float("nan"), dtype=torch.float64)
    shift = out.clone()
    signed = [i for i, e in enumerate(explanations) if e.signed]
    if signed:
        slopes = torch.stack([per_unit(explanations[i], batch.inputs) for i in signed], dim=1)  # [N, M, *shape]
        whole = None
        if reference is not None:
            # I is x - r on whole features, so I.phi is a sum over the features of the subset.
            whole = batch.features.pool(slopes * (batch.inputs - reference).double().unsqueeze(1)).transpose(1, 2)
        foretold: list[Tensor] = []  # [N, s, M]
        everyone = torch.arange(n, device=batch.device)

        def pieces() -> Iterator[tuple[Tensor, Tensor]]:
            for samples in model.blocks(n_samples):
                rows, gone = perturbed(samples)
                if whole is not None and gone is not None:
                    foretold.append(torch.bmm(gone.double(), whole))
                else:
                    step = (batch.inputs.unsqueeze(1) - rows).flatten(2).double()
                    foretold.append(torch.bmm(step, slopes.flatten(2).transpose(1, 2)))
                yield rows.flatten(0, 1), everyone.repeat_interleave(len(samples))

        # Only these numbers, one for each sample, are kept of the perturbations.
        told = [tuple(part.view(n, -1) for part in pair) for pair in scored(model, batch, pieces())]
        after, far = (torch.cat(parts, dim=1) for parts in zip(*told, strict=True))
        seen = model.scores().double().unsqueeze(1) - after
        values = infidelity(torch.cat(foretold, dim=1).transpose(1, 2), seen.unsqueeze(1), normalize)
        out[signed], shift[signed] = values.T, far.mean(dim=1).expand(len(signed), n)
        nothing = batch.features.counts == 0
        out.masked_fill_(nothing, float("nan"))
        shift.masked_fill_(nothing, float("nan"))
    return out.to(batch.inputs.dtype), shift.to(batch.inputs.dtype)
