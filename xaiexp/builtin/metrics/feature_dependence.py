"""Which features the output depends on: one removed at a time, or all but the first few (Nguyen and Martinez 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from xaiexp.builtin.metrics.removal_curves import curves, grid
from xaiexp.builtin.removals.data_distance import scored
from xaiexp.builtin.removals.fill import filling
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = ["effective_shares", "effects", "mistaken_shares"]

# Scores that differ by less than this many units in the last place of the largest of them are the same score.
_ROUNDING = 64


def effects(model: Handle, batch: Batch, rng: Draws, removal: str) -> tuple[Tensor, Tensor]:
    """``f(x) - f(x without feature j)``, and how far these inputs leave the data.

    Args:
        removal: what removed features become; see :func:`xaiexp.builtin.removals.fill.filling`.

    Returns:
        Effects, float64 ``[N, d]``, 0 in columns that an example does not have and where a difference is no more
        than rounding; the mean :func:`xaiexp.builtin.removals.data_distance.scored` shift, ``[N]``.
    """
    n, d = len(batch), batch.features.d
    owners, columns = batch.features.valid.expand(n, -1).nonzero().unbind(1)
    every = torch.arange(d, device=batch.device)
    fill = filling(removal, batch, rng)
    size = fill.at_once(model.passes.budget(batch.shape))

    def rows() -> Iterator[tuple[Tensor, Tensor]]:
        for own, gone in zip(torch.split(owners, size), torch.split(columns, size), strict=True):
            yield fill(own, every != gone.unsqueeze(1)), own

    whole = model.scores().double()
    without = whole.unsqueeze(1).repeat(1, d)
    far = torch.zeros_like(whole)
    if len(owners):
        scores, shifts = (torch.cat(parts) for parts in zip(*scored(model, batch, rows()), strict=True))
        without[owners, columns] = scores
        far.index_add_(0, owners, shifts)
    changes = whole.unsqueeze(1) - without
    largest = torch.cat([whole.unsqueeze(1), without], dim=1).abs().amax(dim=1, keepdim=True)
    noise = _ROUNDING * torch.finfo(batch.inputs.dtype).eps * largest
    return changes.masked_fill(changes.abs() <= noise, 0), far / batch.features.counts


def mistaken_shares(changes: Tensor, values: Tensor, valid: Tensor, epsilon: float) -> Tensor:
    """The share of features in one of the sets "no attribution" and "no effect" but not in both, float64 ``[N]``.

    Args:
        changes: effects of the features ``[N, d]``.
        values: their attributions ``[N, d]``.
        valid: bool ``[N or 1, d]``; other columns are no features and not counted.
        epsilon: what is at most this part of the largest of an example counts as none.

    >>> mistaken_shares(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 3.0]]), torch.tensor([[True]*2]), 0.01).tolist()
    [0.5]
    """
    if not values.shape[1]:
        return values.new_full((len(values),), float("nan"), dtype=torch.float64)
    silent, without = (
        each.abs() <= epsilon * (each.abs() * valid).amax(dim=1, keepdim=True) for each in (values, changes)
    )
    share = ((silent != without) & valid).sum(dim=1).double() / valid.sum(dim=1)
    return share.masked_fill(values.isnan().any(dim=1) | changes.isnan().any(dim=1), float("nan"))


def effective_shares(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    steps: int,
    removal: str,
    epsilon: float,
) -> tuple[Tensor, Tensor]:
    """The smallest share of features, largest magnitudes first, that keeps the score; with the shift, ``[M, N]`` each.

    Kept is it from the k on from which ``|f(x) - f(x_k)| <= epsilon * |f(x) - f(x_0)|``: ``x_k`` has k features, the
    rest removed. The numbers k that are tried are ``steps`` evenly spaced ones, besides 0. NaN without features, for
    NaN maps, maps of zeros and where removing everything changes nothing.
    """
    counts = batch.features.counts.expand(len(batch))
    cuts = grid(counts, counts.clamp(max=steps))
    magnitudes = [replace(e, elements=batch.features.spread(e.values.abs())) for e in explanations]
    gone = counts.unsqueeze(1) - cuts
    found = curves(model, batch, magnitudes, rng, removal, gone, ("lowest",))
    whole, empty = model.scores().double().unsqueeze(1), found.values[:, :, :1]
    kept = (found.values - whole).abs() <= epsilon * (whole - empty).abs()
    first = kept.flip(2).long().cumprod(dim=2).flip(2).argmax(dim=2)
    share = cuts.expand(len(explanations), -1, -1).gather(2, first.unsqueeze(2)).squeeze(2).double() / counts
    speechless = torch.stack([~(e.values.abs() > 0).any(dim=1) | e.values.isnan().any(dim=1) for e in explanations])
    unmoved = (empty == whole).squeeze(2)
    return share.masked_fill(speechless | unmoved | (counts == 0), float("nan")), found.shift
