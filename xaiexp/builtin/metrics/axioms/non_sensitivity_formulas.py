"""Non-sensitivity (Nguyen and Martinez 2020): effects of single features, compared with their attributions."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from xaiexp.builtin.removals.choice import RemovalChoice
from xaiexp.builtin.removals.data_distance import scores_and_shifts
from xaiexp.builtin.removals.fill import fill_for
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.inference.passes import Handle

__all__ = ["mismatched_shares", "removal_effects"]

# Scores count as equal if they differ by at most this many units in the last place of the largest of them.
_ROUNDING = 64


def removal_effects(model: Handle, batch: Batch, rng: Draws, removal: RemovalChoice) -> tuple[Tensor, Tensor]:
    """``f(x) - f(x without feature j)``, and the mean shift of the inputs without one feature.

    Args:
        removal: what removed features are replaced with; see :func:`xaiexp.builtin.removals.fill.fill_for`.

    Returns:
        Effects, float64 ``[N, d]``, 0 in columns that an example does not have and where a difference is within the
        rounding error; the mean shift of :func:`xaiexp.builtin.removals.data_distance.scores_and_shifts`, ``[N]``.
    """
    n, d = len(batch), batch.features.d
    owners, columns = batch.features.valid.expand(n, -1).nonzero().unbind(1)
    all_features = torch.arange(d, device=batch.device)
    fill = fill_for(removal, batch, rng)
    size = fill.block_size(model.passes.budget(batch.shape))

    def rows() -> Iterator[tuple[Tensor, Tensor]]:
        for block_owners, removed in zip(torch.split(owners, size), torch.split(columns, size), strict=True):
            yield fill(block_owners, all_features != removed.unsqueeze(1)), block_owners

    original = model.scores().double()
    without = original.unsqueeze(1).repeat(1, d)
    total_shift = torch.zeros_like(original)
    if len(owners):
        scores, shifts = (torch.cat(parts) for parts in zip(*scores_and_shifts(model, batch, rows()), strict=True))
        without[owners, columns] = scores
        total_shift.index_add_(0, owners, shifts)
    effects = original.unsqueeze(1) - without
    largest = torch.cat([original.unsqueeze(1), without], dim=1).abs().amax(dim=1, keepdim=True)
    rounding_error = _ROUNDING * torch.finfo(batch.inputs.dtype).eps * largest
    return effects.masked_fill(effects.abs() <= rounding_error, 0), total_shift / batch.features.counts


def mismatched_shares(effects: Tensor, values: Tensor, valid: Tensor, epsilon: float) -> Tensor:
    """The share of features in exactly one of the sets "no attribution" and "no effect", float64 ``[N]``.

    Args:
        effects: effects of the features ``[N, d]``.
        values: their attributions ``[N, d]``.
        valid: bool ``[N or 1, d]``; other columns are padding and not counted.
        epsilon: magnitudes of at most this share of the example's largest count as none.

    >>> valid = torch.tensor([[True, True]])
    >>> mismatched_shares(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 3.0]]), valid, 0.01).tolist()
    [0.5]
    """
    if not values.shape[1]:
        return values.new_full((len(values),), float("nan"), dtype=torch.float64)
    without_attribution, without_effect = (
        x.abs() <= epsilon * (x.abs() * valid).amax(dim=1, keepdim=True) for x in (values, effects)
    )
    share = ((without_attribution != without_effect) & valid).sum(dim=1).double() / valid.sum(dim=1)
    return share.masked_fill(values.isnan().any(dim=1) | effects.isnan().any(dim=1), float("nan"))
