"""Effective complexity: the smallest share of the features that keeps the explained score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.removals.masking import Masking, RemovalChoice
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Scores
from xaiexp.core.parameters import Effort, Range

if TYPE_CHECKING:
    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["EffectiveComplexity"]


@dataclass(frozen=True)
class EffectiveComplexity(Masking):
    """The smallest share of the features, largest magnitudes first, that keeps the explained score, in [0, 1].

    Let ``x_k`` be the input that keeps the k features of the largest magnitude, all others removed. The score counts as
    kept from the smallest k on such that ``|f(x) - f(x_m)| <= epsilon * |f(x) - f(x_0)|`` for all m >= k. The value is
    k divided by the number of features. The paper takes the first k that fulfils the inequality; here the inequality
    must hold for all larger k as well, because contributions of opposite signs can cancel at a smaller k. The paper
    takes an expectation over the values of the removed features; here ``removal`` decides them. Ties are broken at
    random, with the same random numbers for all explanations. The metric evaluates the network, unlike metrics of the
    same name that count attributions above a threshold. NaN for a map of zeros and where removing all features changes
    nothing. The auxiliary value ``shift`` is described in :mod:`xaiexp.builtin.removals.data_distance`.

    Args:
        epsilon: the tolerated share of the change that removing all features makes.
        steps: how many evenly spaced numbers of features are tried, besides 0; examples with fewer features use every
            number.
        removal: what a removed feature is replaced with, as for
            :class:`xaiexp.builtin.metrics.faithfulness.removal_in_steps.Deletion`.
    """

    summary = "the smallest share of the features, largest magnitudes first, that keeps the score"
    source = "Nguyen and Martinez 2020, On Quantitative Aspects of Model Interpretability (effective complexity)"
    higher_is_better = False
    bounds = (0.0, 1.0)
    needs_sign = False
    unit = "1"

    epsilon: Annotated[float, Range(0, 1, exclusive=True)] = 0.1
    steps: Annotated[int, Range(1), Effort(5, 16, 64)] = 16
    removal: RemovalChoice = "auto"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations, evaluated in one stream of full batches."""
        from xaiexp.builtin.metrics.complexity.effective_complexity_formulas import effective_shares

        shares, shifts = effective_shares(model, batch, explanations, rng, self.steps, self.removal, self.epsilon)
        return Scores(shares.to(batch.inputs.dtype), {"shift": shifts.to(batch.inputs.dtype)})

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """The intermediate points for every explanation, and the fully removed input once."""
        return Cost(forward=1 + explanations * (min(self.steps, d) - 1))
