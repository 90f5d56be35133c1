"""Prediction gaps (OpenXAI): how far the prediction moves under noise on the top features, or on all others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.builtin.metrics.faithfulness.infidelity_formulas import noise
from xaiexp.builtin.metrics.removal_curves import numbers, places
from xaiexp.builtin.removals.data_distance import scored
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = ["prediction_gaps", "top"]


def top(explanations: Sequence[Explanation], batch: Batch, rng: Draws, share: float) -> Tensor:
    """The features of largest magnitude, a share of them rounded up, bool ``[M, N, d]``; ties at random."""
    count = numbers((share,), batch.features.counts.expand(len(batch)))
    tie = rng.uniform("tie", (batch.features.d,))
    valid = batch.features.valid
    return torch.stack([places(e.values.abs(), valid, tie) < count for e in explanations])


def prediction_gaps(
    model: Handle, batch: Batch, rng: Draws, touched: Tensor, n_samples: int, noise_level: float
) -> tuple[Tensor, Tensor]:
    """The mean of ``|p(x) - p(x + noise on the touched features)|`` and the mean shift, float64 ``[M, N]``.

    NaN where nothing is touched: such inputs are not evaluated.

    Args:
        touched: bool ``[M, N, d]``.
        noise_level: standard deviation, relative to the range of the data.
    """
    m, n = touched.shape[:2]
    some = touched.any(dim=2)
    owners = [row.nonzero().squeeze(1) for row in some]

    def pieces() -> Iterator[tuple[Tensor, Tensor]]:
        for samples in model.blocks(n_samples, weight=m):
            drawn = noise(rng, batch, noise_level, samples)
            for own, features in zip(owners, touched, strict=True):
                if len(own):
                    touch = batch.features.rows(own).expand(features[own].to(drawn.dtype)).unsqueeze(1)
                    inputs, moves = (batch.inputs, drawn) if len(own) == n else (batch.inputs[own], drawn[own])
                    rows = torch.addcmul(inputs.unsqueeze(1), moves, touch)
                    yield rows.flatten(0, 1), own.repeat_interleave(len(samples))

    whole = model.scores(output="probability").double()
    gap, far = (torch.zeros(m, n, dtype=torch.float64, device=batch.device) for _ in range(2))
    told = scored(model, batch, pieces(), "probability")
    for samples in model.blocks(n_samples, weight=m):
        for k, own in enumerate(owners):
            if len(own):
                scores, shifts = (part.view(len(own), len(samples)) for part in next(told))
                gap[k, own] += (scores - whole[own].unsqueeze(1)).abs().sum(dim=1)
                far[k, own] += shifts.sum(dim=1)
    return tuple((x / n_samples).masked_fill(~some, float("nan")) for x in (gap, far))  # type: ignore[return-value]  # two of them
