"""Prediction gaps (OpenXAI): changes of the probability under noise on the top features, or on all others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.builtin.metrics.faithfulness.infidelity_formulas import noise
from xaiexp.builtin.metrics.removal_curves import feature_counts, positions
from xaiexp.builtin.removals.data_distance import scores_and_shifts
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = ["prediction_gaps", "top_features"]


def top_features(explanations: Sequence[Explanation], batch: Batch, rng: Draws, share: float) -> Tensor:
    """The features of largest magnitude, a share of them rounded up, bool ``[M, N, d]``; ties are broken at random."""
    count = feature_counts((share,), batch.features.counts.expand(len(batch)))
    tie = rng.uniform("tie", (batch.features.d,))
    valid = batch.features.valid
    return torch.stack([positions(e.values.abs(), valid, tie) < count for e in explanations])


def prediction_gaps(
    model: Handle, batch: Batch, rng: Draws, noisy: Tensor, n_samples: int, noise_level: float
) -> tuple[Tensor, Tensor]:
    """The mean of ``|p(x) - p(x + noise on the noisy features)|`` and the mean shift, float64 ``[M, N]``.

    NaN where no feature is noisy; such inputs are not evaluated.

    Args:
        noisy: which features get noise, bool ``[M, N, d]``.
        noise_level: standard deviation, relative to the range of the data.
    """
    m, n = noisy.shape[:2]
    evaluated = noisy.any(dim=2)
    owners = [row.nonzero().squeeze(1) for row in evaluated]

    def pieces() -> Iterator[tuple[Tensor, Tensor]]:
        for samples in model.blocks(n_samples, weight=m):
            drawn = noise(rng, batch, noise_level, samples)
            for rows, features in zip(owners, noisy, strict=True):
                if len(rows):
                    mask = batch.features.rows(rows).expand(features[rows].to(drawn.dtype)).unsqueeze(1)
                    inputs, steps = (batch.inputs, drawn) if len(rows) == n else (batch.inputs[rows], drawn[rows])
                    perturbed = torch.addcmul(inputs.unsqueeze(1), steps, mask)
                    yield perturbed.flatten(0, 1), rows.repeat_interleave(len(samples))

    original = model.scores(output="probability").double()
    gaps, mean_shifts = (torch.zeros(m, n, dtype=torch.float64, device=batch.device) for _ in range(2))
    scored_pieces = scores_and_shifts(model, batch, pieces(), "probability")
    for samples in model.blocks(n_samples, weight=m):
        for k, rows in enumerate(owners):
            if len(rows):
                scores, shifts = (part.view(len(rows), len(samples)) for part in next(scored_pieces))
                gaps[k, rows] += (scores - original[rows].unsqueeze(1)).abs().sum(dim=1)
                mean_shifts[k, rows] += shifts.sum(dim=1)
    gaps, mean_shifts = ((x / n_samples).masked_fill(~evaluated, float("nan")) for x in (gaps, mean_shifts))
    return gaps, mean_shifts
