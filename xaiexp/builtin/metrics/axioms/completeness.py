"""Measures of what attributions promise; the formulas are in the modules beside this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.removals.masking import Masking, Removal
from xaiexp.contract.kinds import Metric
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Scores
from xaiexp.core.parameters import Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["Completeness", "NonSensitivity"]


@dataclass(frozen=True)
class Completeness(Metric):
    """How far the attributions miss the difference they should add up to: ``|sum_j phi_j - (f(x) - f(x0))|``.

    At least 0, in units of the explained output. ``f(x0)`` is the mean over the references where there are several.
    NaN for attributions that are no signed contributions or were made without a reference, and for those of a layer
    whose method claims no completeness.
    """

    summary = "how far attributions are from adding up to f(x) - f(reference)"
    source = "Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks, proposition 1"
    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = True
    scale_invariant = False
    re_explains = False
    unit = "output"
    spaces = ("input", "layer")

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations; a reference that several share is evaluated once."""
        from xaiexp.builtin.metrics.axioms.completeness_formulas import gaps

        return gaps(model, batch, explanations)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each distinct reference, whose number the explanations decide."""
        return None


@dataclass(frozen=True)
class NonSensitivity(Masking):
    """The share of features that have no attribution but an effect, or an effect but no attribution, in [0, 1].

    The effect of a feature is what removing it alone does to the explained score. 0 is a map whose silent features are
    exactly those that the output does not depend on; the paper counts the features, here it is their share. Effects
    that are no more than rounding are none. NaN without features and for NaN maps. With it comes ``shift`` (see
    :mod:`xaiexp.builtin.metrics.faithfulness.deletion`).

    Args:
        epsilon: an attribution (an effect) of at most this part of the example's largest counts as none.
        removal: what a removed feature becomes: as for :class:`xaiexp.builtin.metrics.faithfulness.deletion.Deletion`.
    """

    summary = "the share of features whose attribution is 0 although they have an effect, or the reverse"
    source = "Nguyen and Martinez 2020, On Quantitative Aspects of Model Interpretability (non-sensitivity)"
    higher_is_better = False
    bounds = (0.0, 1.0)
    needs_sign = False
    unit = "1"

    epsilon: Annotated[float, Range(0, 1)] = 0.01
    removal: Removal = "auto"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations; the effects are measured once for all."""
        import torch

        from xaiexp.builtin.metrics.feature_dependence import effects, mistaken_shares

        changes, shift = effects(model, batch, rng, self.removal)
        valid = batch.features.valid
        values = torch.stack([mistaken_shares(changes, e.values, valid, self.epsilon) for e in explanations])
        return Scores(values.to(batch.inputs.dtype), {"shift": shift.to(batch.inputs.dtype).expand_as(values).clone()})

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each feature, however many explanations there are."""
        return Cost(forward=d)
