"""Faithfulness by correlation: what attributions say of features, against what removing those features does.

Which features are removed depends on no attribution, so that everything is evaluated once for all explanations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xaiexp.builtin.metrics.removal_curves import numbers
from xaiexp.builtin.removals.data_distance import scored
from xaiexp.builtin.removals.fill import Fill, filling
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported
from xaiexp.inference.passes import Handle

__all__ = [
    "averages",
    "chosen",
    "correlation",
    "fixed_size",
    "foretelling",
    "marginal",
    "of_features",
    "of_magnitudes",
    "of_subsets",
    "one_by_one",
    "ranks",
    "rounding",
    "single",
]

# Sums of equal numbers differ by this part of themselves, in float64.
_CONSTANT = 1e-10


def correlation(a: Tensor, b: Tensor, valid: Tensor, slack: Tensor | float = 0.0) -> Tensor:
    """Pearson's correlation over the last axis, float64 ``[...]``, in [-1, 1].

    Args:
        a, b: float64 ``[..., S]``, finite where valid.
        valid: bool ``[..., S]``, what counts.
        slack: ``[...]``: b is constant where it spans no more than that. So is a that spans no more than the
            rounding of its own size.

    Returns:
        NaN where either is constant, and so where fewer than two count.
    """
    shape = (a + b).shape
    a, b, valid = a.expand(shape), b.expand(shape), valid.expand(shape)
    if not shape[-1]:
        return a.new_full(shape[:-1], float("nan"))
    times = valid.sum(-1, keepdim=True)
    sides = []
    for side, least in ((a, _CONSTANT * _largest(a, valid)), (b, slack)):
        span = side.masked_fill(~valid, -torch.inf).amax(-1) - side.masked_fill(~valid, torch.inf).amin(-1)
        kept = torch.where(valid, side, 0.0)
        centred = torch.where(valid, kept - kept.sum(-1, keepdim=True) / times, 0.0)
        sides.append(torch.where((span > least).unsqueeze(-1), centred, torch.nan))
    x, y = sides
    norm = x.square().sum(-1).sqrt() * y.square().sum(-1).sqrt()
    return ((x * y).sum(-1) / norm).clamp(-1, 1)


def _largest(x: Tensor, valid: Tensor) -> Tensor:
    return x.abs().masked_fill(~valid, 0.0).amax(-1)


def ranks(x: Tensor, valid: Tensor) -> Tensor:
    """Ranks from 1 over the last axis, equal values their mean rank, float64; 0 where not valid.

    >>> ranks(torch.tensor([3.0, 1.0, 3.0]), torch.tensor([True, True, True])).tolist()
    [2.5, 1.0, 2.5]
    """
    x = x.masked_fill(~valid, torch.inf).contiguous()
    ordered = x.sort(dim=-1).values
    below, upto = (torch.searchsorted(ordered, x, right=right) for right in (False, True))
    return torch.where(valid, (below + upto + 1).double() / 2, 0.0)


def averages(values: Tensor) -> Tensor:
    """The mean over the last axis of what is defined; NaN where nothing is."""
    return values.nanmean(dim=-1)


def rounding(scores: Tensor, whole: Tensor, dtype: torch.dtype) -> Tensor:
    """What differences between ``scores [N, S]`` and ``whole [N]`` may be by rounding alone, ``[N]``."""
    size = torch.maximum(scores.abs().nan_to_num().amax(dim=1), whole.abs()) if scores.shape[1] else whole.abs()
    return 8 * torch.finfo(dtype).eps * size


def fixed_size(rng: Draws, features: FeatureMap, sizes: Tensor, samples: range, name: str) -> Tensor:
    """Random subsets of ``sizes [N]`` features each, all equally likely: bool ``[N, len(samples), d]``."""
    drawn = rng.uniform(name, (features.d,), samples).double()
    # No two alike, so that a subset has exactly its size.
    drawn += torch.arange(features.d, device=drawn.device) * (2.0**-25 / features.d)
    drawn = drawn.masked_fill(~features.valid.unsqueeze(1), torch.inf)
    if not features.ragged:
        edge = drawn.kthvalue(int(sizes[0]), dim=2, keepdim=True).values
        return drawn <= edge
    place = (sizes - 1).clamp(min=0).view(-1, 1, 1).expand(-1, len(samples), 1)
    return (drawn <= drawn.sort(dim=2).values.gather(2, place)) & features.valid.unsqueeze(1)


def chosen(rng: Draws, features: FeatureMap, most: int) -> tuple[Tensor, Tensor]:
    """Up to ``most`` different features of each example, at random: int64 ``[N, n]``, and which of them are some.

    All of them, in order, where there are no more.
    """
    n = min(most, features.d)
    counts = features.counts.expand(len(rng.ids)).unsqueeze(1)
    drawn = rng.uniform("feature", (features.d,)).masked_fill(~features.valid, 2.0)
    inside = torch.arange(n, device=drawn.device) < counts
    order = drawn.argsort(dim=1)[:, :n].masked_fill(~inside, features.d).sort(dim=1).values
    return order.masked_fill(~inside, 0), inside


def single(features: Tensor, owners: Tensor, at: Tensor, d: int) -> Tensor:
    """One feature gone a row: bool ``[B, d]``, feature ``features[owners, at]``."""
    return torch.arange(d, device=features.device) == features[owners, at].unsqueeze(1)


def foretelling(
    explanations: Sequence[Explanation], batch: Batch, reference: Tensor | None
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """What the explanations say of masked inputs: the sum over the features that are gone.

    Contributions are added up as they are. A sensitivity, per unit of input, is first multiplied with the step
    ``x - masked`` that the removal makes.

    Args:
        reference: what stands in place of a removed feature, where that is the same for every mask.

    Returns:
        A function of owners ``[B]``, gone ``[B, d]`` and masked inputs ``[B, *shape]`` to float64 ``[M, B]``.
    """
    step = None if reference is None else (batch.inputs - reference).double()
    worths = [
        e.values.double()
        if e.multiplied_by_inputs
        else (None if step is None else batch.features.pool(e.elements.double() * step))
        for e in explanations
    ]

    def said(owners: Tensor, gone: Tensor, masked: Tensor) -> Tensor:
        out = []
        for explanation, worth in zip(explanations, worths, strict=True):
            if worth is not None:
                out.append(torch.where(gone, worth[owners], 0.0).sum(dim=1))
            else:
                step = (batch.inputs[owners] - masked).double()
                out.append((explanation.elements[owners].double() * step).flatten(1).sum(dim=1))
        return torch.stack(out) if out else gone.new_zeros(0, len(owners), dtype=torch.float64)

    return said


def marginal(batch: Batch, rng: Draws, draws: int) -> list[Fill]:
    """Fills with the values of examples of the data, drawn for each example with replacement, one a draw.

    Raises:
        Unsupported: there are no data of this shape to draw from.
    """
    pool = batch.background.pool
    if pool is None or not len(pool) or tuple(pool.shape[1:]) != batch.shape:
        raise Unsupported("removal 'marginal' draws from examples of the data of the inputs' shape: give background=")
    rows = rng.integers("marginal", len(pool), (), range(draws)).to(pool.device)
    inside = batch.features.inside
    return [FromPool(batch, pool, rows[:, k], inside) for k in range(draws)]


@dataclass(frozen=True)
class FromPool:
    """Fills from one example of the pool for each example of the batch, ``rows [N]``."""

    batch: Batch
    pool: Tensor
    rows: Tensor
    inside: Tensor
    reference: None = None

    def __call__(self, owners: Tensor, present: Tensor) -> Tensor:
        """As :class:`xaiexp.builtin.removals.fill.Fill` says."""
        other = self.pool[self.rows[owners]].to(self.batch.inputs)
        return self.batch.features.rows(owners).keep(self.batch.inputs[owners], other, present)

    def at_once(self, budget: int) -> int:
        """As many as go through the model: nothing is gained by more."""
        return budget


def one_by_one(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    fills: Sequence[Fill],
    features: Tensor,
    inside: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """The scores without one feature each, what the explanations say of that, and the mean shift there.

    Args:
        features, inside: as :func:`chosen` gives them, ``[N, n]``.

    Returns:
        float64 scores ``[F, N, n]`` for F ways to fill, NaN where not inside; ``[F, M, N, n]``, 0 where not; ``[N]``.
    """
    foretold: list[Tensor] = []
    owners, at = inside.nonzero().unbind(1)
    budget, d = model.passes.budget(batch.shape), batch.features.d

    def pieces() -> Iterator[tuple[Tensor, Tensor]]:
        for fill in fills:
            says, size = foretelling(explanations, batch, fill.reference), fill.at_once(budget)
            for own, place in zip(torch.split(owners, size), torch.split(at, size), strict=True):
                if len(own):
                    gone = single(features, own, place, d)
                    masked = fill(own, ~gone)
                    foretold.append(says(own, gone, masked))
                    yield masked, own

    told = list(scored(model, batch, pieces()))
    out = batch.inputs.new_full((len(fills), *inside.shape), float("nan"), dtype=torch.float64)
    far, heard = out.clone(), out.new_zeros(len(fills), len(explanations), *inside.shape)
    if told:
        scores, shifts = (torch.cat(parts).view(len(fills), -1) for parts in zip(*told, strict=True))
        out[:, owners, at], far[:, owners, at] = scores, shifts
        said = torch.cat(foretold, dim=1).view(len(explanations), len(fills), len(owners))
        heard[:, :, owners, at] = said.transpose(0, 1)
    return out, heard, far.nanmean(dim=(0, 2))


def of_subsets(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    removal: str,
    shares: Sequence[float],
    n_samples: int,
) -> tuple[Tensor, Tensor]:
    """Correlations over random subsets, averaged over their sizes, ``[M, N]``; and the mean shift ``[N]``.

    Args:
        shares: the sizes, as shares of the features; at least 1 and less than all. Examples of fewer than two
            features are not evaluated.
        n_samples: subsets of each size.
    """
    fill = filling(removal, batch, rng)
    counts = batch.features.counts.expand(len(batch))
    sizes = torch.minimum(numbers(shares, counts), counts.unsqueeze(1) - 1).clamp(min=1)
    everyone = (counts > 1).nonzero().squeeze(1)
    said = foretelling(explanations, batch, fill.reference)
    foretold: list[Tensor] = []
    blocks = [(k, samples) for k in range(len(shares)) for samples in model.blocks(n_samples)]

    def rows() -> Iterator[tuple[Tensor, Tensor]]:
        for k, samples in blocks:
            gone = fixed_size(rng, batch.features, sizes[:, k], samples, f"subset {k}")[everyone].flatten(0, 1)
            own = everyone.repeat_interleave(len(samples))
            masked = fill(own, ~gone)
            foretold.append(said(own, gone, masked))
            yield masked, own

    m, n = len(explanations), len(batch)
    values = batch.inputs.new_full((len(shares), m, n), float("nan"), dtype=torch.float64)
    shift = values.new_full((n,), float("nan"))
    if len(everyone):
        told = list(scored(model, batch, rows()))
        part = len(everyone)
        after, far = (torch.cat([p.view(part, -1) for p in parts], dim=1) for parts in zip(*told, strict=True))
        foreseen = torch.cat([p.view(m, part, -1) for p in foretold], dim=2)
        whole = model.scores().double()[everyone]
        slack = rounding(after, whole, batch.inputs.dtype)
        effects = whole.unsqueeze(1) - after
        parts = zip(torch.split(foreseen, n_samples, 2), torch.split(effects, n_samples, 1), strict=True)
        every = torch.ones(1, dtype=torch.bool, device=batch.device)
        for k, (a, b) in enumerate(parts):
            values[k][:, everyone] = correlation(a, b, every, slack)
        shift[everyone] = far.mean(dim=1)
    return averages(values.movedim(0, -1)), shift


def of_features(
    model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws, removal: str, most: int
) -> tuple[Tensor, Tensor]:
    """Correlations over single features ``[M, N]``, and the mean shift ``[N]``."""
    fill = filling(removal, batch, rng)
    features, inside = chosen(rng, batch.features, most)
    after, said, shift = one_by_one(model, batch, explanations, [fill], features, inside)
    whole = model.scores().double()
    slack = rounding(after[0], whole, batch.inputs.dtype)
    effects = (whole.unsqueeze(1) - after[0]).masked_fill(~inside, 0.0)
    return correlation(said[0], effects, inside, slack), shift


def of_magnitudes(
    model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws, removal: str, most: int, draws: int
) -> tuple[Tensor, Tensor]:
    """Rank correlations of magnitudes and uncertainty over single features ``[M, N]``, and the mean shift ``[N]``."""
    fills = marginal(batch, rng, draws) if removal == "marginal" else [filling(removal, batch, rng)]
    features, inside = chosen(rng, batch.features, most)
    after, _, shift = one_by_one(model, batch, [], fills, features, inside)
    whole = model.scores().double()
    effects = whole.unsqueeze(1) - after
    slack = rounding(after.movedim(0, 1).flatten(1), whole, batch.inputs.dtype)
    effects = torch.where(effects.abs() <= slack.unsqueeze(1), 0.0, effects).masked_fill(~inside, 0.0)
    said = torch.stack([e.values.double().abs().gather(1, features) for e in explanations])
    broken = said.masked_fill(~inside, 0.0).isnan().any(dim=2)
    places = ranks(said, inside.expand_as(said))
    values = correlation(places, ranks(effects.square().mean(dim=0), inside), inside)
    return values.masked_fill(broken, float("nan")), shift
