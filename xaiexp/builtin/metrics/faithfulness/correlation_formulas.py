"""Faithfulness by correlation: predicted against observed changes of the score when features are removed.

The removed features do not depend on the attributions, so the model is evaluated once for all explanations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.builtin.metrics.removal_curves import feature_counts
from xaiexp.builtin.removals.choice import RemovalChoice
from xaiexp.builtin.removals.data_distance import scores_and_shifts
from xaiexp.builtin.removals.fill import fill_for
from xaiexp.builtin.removals.marginal import marginal_fills
from xaiexp.contract.removal import Fill
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.core.feature_map import FeatureMap
from xaiexp.inference.passes import Handle

__all__ = [
    "change_predictor",
    "correlation",
    "feature_correlations",
    "magnitude_correlations",
    "ranks",
    "removals_one_by_one",
    "rounding_error",
    "sample_features",
    "single_feature_masks",
    "subset_correlations",
    "subsets_of_size",
]

# The relative rounding error of float64 sums: a side whose span is at most this share of its magnitude is constant.
_CONSTANT = 1e-10


def correlation(a: Tensor, b: Tensor, valid: Tensor, slack: Tensor | float = 0.0) -> Tensor:
    """Pearson's correlation over the last axis, float64 ``[...]``, in [-1, 1].

    Args:
        a, b: float64 ``[..., S]``, finite where valid.
        valid: bool ``[..., S]``, which samples count.
        slack: ``[...]``: b counts as constant where its span is at most this. a counts as constant where its span is
            at most the rounding error of its magnitude.

    Returns:
        NaN where either side is constant, which includes fewer than two valid samples.
    """
    shape = (a + b).shape
    a, b, valid = a.expand(shape), b.expand(shape), valid.expand(shape)
    if not shape[-1]:
        return a.new_full(shape[:-1], float("nan"))
    count = valid.sum(-1, keepdim=True)
    sides = []
    for side, least in ((a, _CONSTANT * _largest(a, valid)), (b, slack)):
        span = side.masked_fill(~valid, -torch.inf).amax(-1) - side.masked_fill(~valid, torch.inf).amin(-1)
        kept = torch.where(valid, side, 0.0)
        centred = torch.where(valid, kept - kept.sum(-1, keepdim=True) / count, 0.0)
        sides.append(torch.where((span > least).unsqueeze(-1), centred, torch.nan))
    x, y = sides
    norm = x.square().sum(-1).sqrt() * y.square().sum(-1).sqrt()
    return ((x * y).sum(-1) / norm).clamp(-1, 1)


def _largest(x: Tensor, valid: Tensor) -> Tensor:
    return x.abs().masked_fill(~valid, 0.0).amax(-1)


def ranks(x: Tensor, valid: Tensor) -> Tensor:
    """Ranks from 1 over the last axis, float64; ties get their mean rank, 0 where not valid.

    >>> ranks(torch.tensor([3.0, 1.0, 3.0]), torch.tensor([True, True, True])).tolist()
    [2.5, 1.0, 2.5]
    """
    x = x.masked_fill(~valid, torch.inf).contiguous()
    ordered = x.sort(dim=-1).values
    below, up_to = (torch.searchsorted(ordered, x, right=right) for right in (False, True))
    return torch.where(valid, (below + up_to + 1).double() / 2, 0.0)


def rounding_error(scores: Tensor, original: Tensor, dtype: torch.dtype) -> Tensor:
    """The largest difference between ``scores [N, S]`` and ``original [N]`` that rounding can cause, ``[N]``."""
    size = torch.maximum(scores.abs().nan_to_num().amax(dim=1), original.abs()) if scores.shape[1] else original.abs()
    return 8 * torch.finfo(dtype).eps * size


def subsets_of_size(rng: Draws, features: FeatureMap, sizes: Tensor, samples: range, name: str) -> Tensor:
    """Random subsets of ``sizes [N]`` features each, all equally likely: bool ``[N, len(samples), d]``."""
    drawn = rng.uniform(name, (features.d,), samples).double()
    # Makes the numbers distinct, so a threshold selects exactly the required number of features.
    drawn += torch.arange(features.d, device=drawn.device) * (2.0**-25 / features.d)
    drawn = drawn.masked_fill(~features.valid.unsqueeze(1), torch.inf)
    if not features.ragged:
        threshold = drawn.kthvalue(int(sizes[0]), dim=2, keepdim=True).values
        return drawn <= threshold
    last = (sizes - 1).clamp(min=0).view(-1, 1, 1).expand(-1, len(samples), 1)
    return (drawn <= drawn.sort(dim=2).values.gather(2, last)) & features.valid.unsqueeze(1)


def sample_features(rng: Draws, features: FeatureMap, most: int) -> tuple[Tensor, Tensor]:
    """Up to ``most`` distinct random features of each example; all of them, in order, where there are no more.

    Returns:
        Features, int64 ``[N, n]``, and which of these entries are used, bool ``[N, n]``; unused entries are 0.
    """
    n = min(most, features.d)
    counts = features.counts.expand(len(rng.ids)).unsqueeze(1)
    drawn = rng.uniform("feature", (features.d,)).masked_fill(~features.valid, 2.0)
    inside = torch.arange(n, device=drawn.device) < counts
    order = drawn.argsort(dim=1)[:, :n].masked_fill(~inside, features.d).sort(dim=1).values
    return order.masked_fill(~inside, 0), inside


def single_feature_masks(features: Tensor, owners: Tensor, entries: Tensor, d: int) -> Tensor:
    """Masks of one removed feature per row, ``features[owners, entries]``: bool ``[B, d]``."""
    return torch.arange(d, device=features.device) == features[owners, entries].unsqueeze(1)


def change_predictor(
    explanations: Sequence[Explanation], batch: Batch, reference: Tensor | None
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A function that computes the change of the score that each explanation predicts for masked inputs.

    The predicted change is the sum of the contributions of the removed features. Attributions that are sensitivities
    (per unit of input) are first multiplied by the step ``x - masked`` of the removal.

    Args:
        reference: the values of removed features where these are the same for every mask, else None.

    Returns:
        A function of owners ``[B]``, removed features ``[B, d]`` and masked inputs ``[B, *shape]`` that returns the
        predicted changes, float64 ``[M, B]``.
    """
    step = None if reference is None else (batch.inputs - reference).double()
    contributions = [
        e.values.double()
        if e.multiplied_by_inputs
        else (None if step is None else batch.features.pool(e.elements.double() * step))
        for e in explanations
    ]

    def predict(owners: Tensor, removed: Tensor, masked: Tensor) -> Tensor:
        predicted = []
        for explanation, contribution in zip(explanations, contributions, strict=True):
            if contribution is not None:
                predicted.append(torch.where(removed, contribution[owners], 0.0).sum(dim=1))
            else:
                step = (batch.inputs[owners] - masked).double()
                predicted.append((explanation.elements[owners].double() * step).flatten(1).sum(dim=1))
        return torch.stack(predicted) if predicted else removed.new_zeros(0, len(owners), dtype=torch.float64)

    return predict


def removals_one_by_one(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    fills: Sequence[Fill],
    features: Tensor,
    inside: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Scores with one feature removed at a time, the changes that the explanations predict, and the mean shift.

    Args:
        features, inside: as :func:`sample_features` returns them, ``[N, n]``.

    Returns:
        Scores, float64 ``[F, N, n]`` for F fills, NaN for unused entries; predicted changes, float64 ``[F, M, N, n]``,
        0 for unused entries; mean shifts, ``[N]``.
    """
    predicted_pieces: list[Tensor] = []
    owners, entries = inside.nonzero().unbind(1)
    budget, d = model.passes.budget(batch.shape), batch.features.d

    def pieces() -> Iterator[tuple[Tensor, Tensor]]:
        for fill in fills:
            predict, size = change_predictor(explanations, batch, fill.reference), fill.block_size(budget)
            for block_owners, block_entries in zip(torch.split(owners, size), torch.split(entries, size), strict=True):
                if len(block_owners):
                    removed = single_feature_masks(features, block_owners, block_entries, d)
                    masked = fill(block_owners, ~removed)
                    predicted_pieces.append(predict(block_owners, removed, masked))
                    yield masked, block_owners

    scored_pieces = list(scores_and_shifts(model, batch, pieces()))
    scores = batch.inputs.new_full((len(fills), *inside.shape), float("nan"), dtype=torch.float64)
    shifts, predicted = scores.clone(), scores.new_zeros(len(fills), len(explanations), *inside.shape)
    if scored_pieces:
        flat_scores, flat_shifts = (torch.cat(parts).view(len(fills), -1) for parts in zip(*scored_pieces, strict=True))
        scores[:, owners, entries], shifts[:, owners, entries] = flat_scores, flat_shifts
        flat_predicted = torch.cat(predicted_pieces, dim=1).view(len(explanations), len(fills), len(owners))
        predicted[:, :, owners, entries] = flat_predicted.transpose(0, 1)
    return scores, predicted, shifts.nanmean(dim=(0, 2))


def subset_correlations(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    removal: RemovalChoice,
    shares: Sequence[float],
    n_samples: int,
) -> tuple[Tensor, Tensor]:
    """Correlations over random subsets ``[M, N]``, averaged over the sizes where defined, and the mean shift ``[N]``.

    Args:
        shares: the sizes, as shares of the features; at least 1 feature and fewer than all. Examples with fewer than
            two features are not evaluated.
        n_samples: subsets of each size.
    """
    fill = fill_for(removal, batch, rng)
    counts = batch.features.counts.expand(len(batch))
    sizes = torch.minimum(feature_counts(shares, counts), counts.unsqueeze(1) - 1).clamp(min=1)
    evaluated = (counts > 1).nonzero().squeeze(1)
    predict = change_predictor(explanations, batch, fill.reference)
    predicted_pieces: list[Tensor] = []
    blocks = [(k, samples) for k in range(len(shares)) for samples in model.blocks(n_samples)]

    def rows() -> Iterator[tuple[Tensor, Tensor]]:
        for k, samples in blocks:
            subsets = subsets_of_size(rng, batch.features, sizes[:, k], samples, f"subset {k}")
            removed = subsets[evaluated].flatten(0, 1)
            owners = evaluated.repeat_interleave(len(samples))
            masked = fill(owners, ~removed)
            predicted_pieces.append(predict(owners, removed, masked))
            yield masked, owners

    m, n = len(explanations), len(batch)
    values = batch.inputs.new_full((len(shares), m, n), float("nan"), dtype=torch.float64)
    shift = values.new_full((n,), float("nan"))
    if len(evaluated):
        scored_pieces = list(scores_and_shifts(model, batch, rows()))
        count = len(evaluated)
        scores, shifts = (
            torch.cat([p.view(count, -1) for p in parts], dim=1) for parts in zip(*scored_pieces, strict=True)
        )
        predicted = torch.cat([p.view(m, count, -1) for p in predicted_pieces], dim=2)
        original = model.scores().double()[evaluated]
        slack = rounding_error(scores, original, batch.inputs.dtype)
        observed = original.unsqueeze(1) - scores
        by_size = zip(torch.split(predicted, n_samples, 2), torch.split(observed, n_samples, 1), strict=True)
        valid = torch.ones(1, dtype=torch.bool, device=batch.device)
        for k, (a, b) in enumerate(by_size):
            values[k][:, evaluated] = correlation(a, b, valid, slack)
        shift[evaluated] = shifts.mean(dim=1)
    return values.movedim(0, -1).nanmean(dim=-1), shift


def feature_correlations(
    model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws, removal: RemovalChoice, most: int
) -> tuple[Tensor, Tensor]:
    """Correlations over single features ``[M, N]``, and the mean shift ``[N]``."""
    fill = fill_for(removal, batch, rng)
    features, inside = sample_features(rng, batch.features, most)
    scores, predicted, shift = removals_one_by_one(model, batch, explanations, [fill], features, inside)
    original = model.scores().double()
    slack = rounding_error(scores[0], original, batch.inputs.dtype)
    observed = (original.unsqueeze(1) - scores[0]).masked_fill(~inside, 0.0)
    return correlation(predicted[0], observed, inside, slack), shift


def magnitude_correlations(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    removal: RemovalChoice,
    most: int,
    draws: int,
) -> tuple[Tensor, Tensor]:
    """Rank correlations of magnitudes and mean squared changes over single features ``[M, N]``; mean shift ``[N]``."""
    fills = marginal_fills(batch, rng, draws) if removal == "marginal" else [fill_for(removal, batch, rng)]
    features, inside = sample_features(rng, batch.features, most)
    scores, _, shift = removals_one_by_one(model, batch, [], fills, features, inside)
    original = model.scores().double()
    observed = original.unsqueeze(1) - scores
    slack = rounding_error(scores.movedim(0, 1).flatten(1), original, batch.inputs.dtype)
    observed = torch.where(observed.abs() <= slack.unsqueeze(1), 0.0, observed).masked_fill(~inside, 0.0)
    magnitudes = torch.stack([e.values.double().abs().gather(1, features) for e in explanations])
    undefined = magnitudes.masked_fill(~inside, 0.0).isnan().any(dim=2)
    magnitude_ranks = ranks(magnitudes, inside.expand_as(magnitudes))
    values = correlation(magnitude_ranks, ranks(observed.square().mean(dim=0), inside), inside)
    return values.masked_fill(undefined, float("nan")), shift
