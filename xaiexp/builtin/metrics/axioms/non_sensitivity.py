"""Non-sensitivity: whether exactly the features without effect on the output have no attribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.removals.masking import Masking, RemovalChoice
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Scores
from xaiexp.core.parameters import Range

if TYPE_CHECKING:
    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["NonSensitivity"]


@dataclass(frozen=True)
class NonSensitivity(Masking):
    """The share of features with an effect but no attribution, or an attribution but no effect, in [0, 1].

    The effect of a feature is the change of the explained score when it alone is removed. The value is 0 if the
    features without attribution are exactly those that the output does not depend on. The paper counts the features;
    this is their share. Effects within the rounding error count as 0. NaN without features and for maps with NaN. The
    auxiliary value ``shift`` is described in :mod:`xaiexp.builtin.removals.data_distance`.

    Args:
        epsilon: attributions (effects) of at most this share of the example's largest count as none.
        removal: what a removed feature is replaced with, as for
            :class:`xaiexp.builtin.metrics.faithfulness.removal_in_steps.Deletion`.
    """

    summary = "the share of features with an effect but no attribution, or an attribution but no effect"
    source = "Nguyen and Martinez 2020, On Quantitative Aspects of Model Interpretability (non-sensitivity)"
    higher_is_better = False
    bounds = (0.0, 1.0)
    needs_sign = False
    unit = "1"

    epsilon: Annotated[float, Range(0, 1)] = 0.01
    removal: RemovalChoice = "auto"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations; the effects are evaluated once for all."""
        import torch

        from xaiexp.builtin.metrics.axioms.non_sensitivity_formulas import mismatched_shares, removal_effects

        effects, shift = removal_effects(model, batch, rng, self.removal)
        valid = batch.features.valid
        values = torch.stack([mismatched_shares(effects, e.values, valid, self.epsilon) for e in explanations])
        return Scores(values.to(batch.inputs.dtype), {"shift": shift.to(batch.inputs.dtype).expand_as(values).clone()})

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each feature, whatever the number of explanations."""
        return Cost(forward=d)
