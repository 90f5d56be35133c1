"""Effective complexity (Nguyen and Martinez 2020): the share of the top features that keeps the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from xaiexp.builtin.metrics.removal_curves import curves, evenly_spaced
from xaiexp.builtin.removals.choice import RemovalChoice
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = ["effective_shares"]


def effective_shares(
    model: Handle,
    batch: Batch,
    explanations: Sequence[Explanation],
    rng: Draws,
    steps: int,
    removal: RemovalChoice,
    epsilon: float,
) -> tuple[Tensor, Tensor]:
    """The smallest shares of features, largest magnitudes first, that keep the score, and the shifts, ``[M, N]`` each.

    The score is kept from the smallest k on such that ``|f(x) - f(x_m)| <= epsilon * |f(x) - f(x_0)|`` for all m >= k;
    ``x_k`` keeps k features, the others are removed. The numbers k that are tried are 0 and ``steps`` evenly spaced
    ones. NaN without features, for maps with NaN, maps of zeros and where removing all features changes nothing.
    """
    counts = batch.features.counts.expand(len(batch))
    n_kept = evenly_spaced(counts, counts.clamp(max=steps))
    magnitudes = [replace(e, elements=batch.features.spread(e.values.abs())) for e in explanations]
    n_removed = counts.unsqueeze(1) - n_kept
    points = curves(model, batch, magnitudes, rng, removal, n_removed, ("lowest",))
    original, empty = model.scores().double().unsqueeze(1), points.values[:, :, :1]
    kept = (points.values - original).abs() <= epsilon * (original - empty).abs()
    first = kept.flip(2).long().cumprod(dim=2).flip(2).argmax(dim=2)
    shares = n_kept.expand(len(explanations), -1, -1).gather(2, first.unsqueeze(2)).squeeze(2).double() / counts
    without_map = torch.stack([~(e.values.abs() > 0).any(dim=1) | e.values.isnan().any(dim=1) for e in explanations])
    without_change = (empty == original).squeeze(2)
    return shares.masked_fill(without_map | without_change | (counts == 0), float("nan")), points.shift
