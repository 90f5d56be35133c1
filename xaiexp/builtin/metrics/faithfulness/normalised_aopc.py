"""The area over the perturbation curve, on the scale of what orders of the features can reach at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.metrics.faithfulness.ordered_removal import OrderedRemoval
from xaiexp.builtin.removals.masking import RemovalChoice
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Scores
from xaiexp.core.parameters import Effort, Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.contract.removal import Fill
    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["NormalisedAopc"]


@dataclass(frozen=True)
class NormalisedAopc(OrderedRemoval):
    """The AOPC on the scale from the worst to the best order of the features: 0 is the worst, 1 the best.

    The AOPC is the mean of f(x) - f(x without the top k) over k = 1 ... d, of the probability (of texts of language
    models of the log-probability). Its range differs between models and examples, so that it must not be compared over
    models; this may. The limits are exact up to ``exact`` features, and found by a beam search above, which an
    explanation may exceed: such a value is set to the limit. NaN where all orders are equal.

    Args:
        removal: what a removed feature is replaced with.
        exact: largest number of features for which all subsets are evaluated, 2^d passes.
        beam: partial orders that the search keeps above; it makes about ``beam * d^2`` passes.
    """

    summary = "the area over the perturbation curve between those of the worst and the best order of the features"
    source = (
        "Edin et al. 2024, Normalized AOPC: Fixing Misleading Faithfulness Metrics for Feature Attribution, section 4"
    )
    higher_is_better = True
    bounds = (0.0, 1.0)
    unit = "1"

    removal: RemovalChoice = "auto"
    exact: Annotated[int, Range(1, 12)] = 8
    beam: Annotated[int, Range(1), Effort(1, 2, 5)] = 2

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        import torch

        counts = batch.features.counts.expand(len(batch))
        steps = torch.arange(1, batch.features.d + 1, device=batch.device)
        curves = self._curves(model, batch, explanations, rng, torch.minimum(steps, counts.unsqueeze(1)))
        original = model.scores(output="probability").double()
        change = (original.unsqueeze(1) - curves.values.double()) * (steps <= counts.unsqueeze(1))
        aopc = change.sum(dim=2) / counts
        limits = self._limits(model, batch, original, rng)
        low, high = limits.to(aopc).unbind(dim=1)
        values = ((aopc - low) / (high - low)).clamp(0, 1).masked_fill(high - low <= 1e-6, torch.nan)
        return self._scores(batch, explanations, values, curves.shift)

    def _limits(self, model: Handle, batch: Batch, original: Tensor, rng: Draws) -> Tensor:
        """Least and largest AOPC of each example, float64 ``[N, 2]``."""
        import torch

        from xaiexp.builtin.metrics.faithfulness.normalised_aopc_formulas import aopc_limits
        from xaiexp.builtin.removals.fill import fill_for

        fill, d = fill_for(self.removal, batch, rng), batch.features.d
        readout = model.readout("probability")
        probable = model.with_batch(batch, readout)
        found = torch.full((len(batch), 2), torch.nan, dtype=torch.float64)
        for number, count in enumerate(batch.features.counts.expand(len(batch)).tolist()):

            def change(present: Tensor, number: int = number) -> Tensor:
                rows = torch.ones(len(present), d, dtype=torch.bool, device=batch.device)
                rows[:, : present.shape[1]] = present.to(batch.device)
                owners = torch.full((len(present),), number, device=batch.device)
                scores = torch.cat(list(probable.scores_of_rows(_pieces(fill, owners, rows))))
                return (original[number] - scores.double()).cpu()

            if count:
                found[number] = torch.tensor(aopc_limits(change, count, self.exact, self.beam))
        return found

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each explanation and number of features, and one for each subset; None for a search."""
        return Cost(forward=explanations * (d - 1) + (1 << d)) if d <= self.exact else None


_ROWS = 1024


def _pieces(fill: Fill, owners: Tensor, present: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(owners), _ROWS):
        rows = slice(start, start + _ROWS)
        yield fill(owners[rows], present[rows]), owners[rows]
