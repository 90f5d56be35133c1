"""Metrics of the correlation between predicted and observed changes of the score when features are removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.removals.masking import Masking, RemovalChoice, modalities_of
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Scores
from xaiexp.core.parameters import Effort, Range
from xaiexp.core.vocabulary import Modality

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["FaithfulnessCorrelation", "FaithfulnessEstimate", "MonotonicityNguyen", "SensitivityN"]


@dataclass(frozen=True)
class _Correlation(Masking):
    """Base of the correlations between attributions and the effects of removing features.

    The removed features do not depend on the attributions, so the model is evaluated once for all explanations, on the
    output that the study explains. Contributions are used as they are; sensitivities are multiplied by the step that
    the removal makes. NaN where one side is constant: a constant map (over subsets of one size), an output that changes
    by rounding only, fewer than two features. The auxiliary value ``shift`` is described in
    :mod:`xaiexp.builtin.removals.data_distance`.
    """

    higher_is_better = True
    bounds = (-1.0, 1.0)
    needs_sign = True
    unit = "1"

    def _scores(self, batch: Batch, explanations: Sequence[Explanation], values: Tensor, shift: Tensor) -> Scores:
        """Values ``[M, N]`` and shifts ``[N]`` as scores; NaN for unsigned maps if the metric reads signs."""
        import torch

        unsigned = torch.tensor([self.needs_sign and not e.signed for e in explanations], device=batch.device)
        values, shift = (
            x.masked_fill(unsigned.unsqueeze(1), float("nan")).to(batch.inputs.dtype)
            for x in (values, shift.expand_as(values))
        )
        return Scores(values, {"shift": shift})

    def _undefined_scores(self, batch: Batch, explanations: Sequence[Explanation]) -> Scores | None:
        """NaN scores if the metric reads signs and no explanation has them, which saves the passes; else None."""
        if not self.needs_sign or any(e.signed for e in explanations):
            return None
        values = batch.inputs.new_full((len(explanations), len(batch)), float("nan"))
        return Scores(values, {"shift": values.clone()})


@dataclass(frozen=True)
class FaithfulnessCorrelation(_Correlation):
    """Pearson's correlation between the attribution of random subsets and the effect of removing them, in [-1, 1].

    ``corr_S(sum_{j in S} phi_j, f(x) - f(x without S))`` over ``n_samples`` subsets of one size. The exact
    contributions of a linear model have the value 1.

    Args:
        n_samples: subsets per example.
        share: the share of the features in a subset, rounded up; one less where that would be all of them.
        removal: what a removed feature is replaced with, as for
            :class:`xaiexp.builtin.metrics.faithfulness.removal_in_steps.Deletion`.
    """

    summary = "correlation between the attribution of random subsets and the effect of removing them"
    source = "Bhatt, Weller, Moura 2020, Evaluating and Aggregating Feature-based Model Explanations, definition 3"

    n_samples: Annotated[int, Range(2), Effort(32, 100, 400)] = 100
    share: Annotated[float, Range(0, 1, exclusive=True)] = 0.2
    removal: RemovalChoice = "auto"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations; NaN for those without signs."""
        from xaiexp.builtin.metrics.faithfulness.correlation_formulas import subset_correlations

        shares = (self.share,)
        return self._undefined_scores(batch, explanations) or self._scores(
            batch,
            explanations,
            *subset_correlations(model, batch, explanations, rng, self.removal, shares, self.n_samples),
        )

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each subset, whatever the number of explanations."""
        return Cost(forward=self.n_samples if d > 1 else 0)


@dataclass(frozen=True)
class SensitivityN(_Correlation):
    """As :class:`FaithfulnessCorrelation`, averaged over subsets of several sizes n, in [-1, 1].

    ``mean_n corr_{S: |S| = n}(sum_{j in S} phi_j, f(x) - f(x without S))``. A method satisfies sensitivity-n where the
    correlation is 1 for that n. Ancona et al. plot the correlation over n; this is the mean over the sizes at which it
    is defined, NaN where it is undefined at all of them.

    Args:
        n_samples: subsets per example and size; the source takes 100.
        shares: the sizes n as shares of the features, rounded up; at least 1 feature and at most all but one.
        removal: what a removed feature is replaced with, as for
            :class:`xaiexp.builtin.metrics.faithfulness.removal_in_steps.Deletion`; the source takes zero.
    """

    summary = "correlation between the attribution of subsets and the effect of removing them, over several sizes"
    source = "Ancona et al. 2018, Towards better understanding of gradient-based attribution methods, section 4"

    n_samples: Annotated[int, Range(2), Effort(6, 20, 80)] = 20
    shares: tuple[Annotated[float, Range(0, 1)], ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    removal: RemovalChoice = "auto"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations; NaN for those without signs."""
        from xaiexp.builtin.metrics.faithfulness.correlation_formulas import subset_correlations

        return self._undefined_scores(batch, explanations) or self._scores(
            batch,
            explanations,
            *subset_correlations(model, batch, explanations, rng, self.removal, self.shares, self.n_samples),
        )

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each subset, whatever the number of explanations."""
        return Cost(forward=self.n_samples * len(self.shares) if d > 1 else 0)


@dataclass(frozen=True)
class FaithfulnessEstimate(_Correlation):
    """Pearson's correlation between the attribution of single features and the effect of removing each, in [-1, 1].

    ``corr_j(phi_j, f(x) - f(x without j))``. The source uses the probability: explain that (``output=probability``) to
    reproduce its numbers.

    Args:
        n_features: how many features of an example are removed, one at a time; drawn at random where there are more,
            the same for all explanations.
        removal: what a removed feature is replaced with, as for
            :class:`xaiexp.builtin.metrics.faithfulness.removal_in_steps.Deletion`.
    """

    summary = "correlation between the attribution of single features and the effect of removing each"
    source = "Alvarez-Melis and Jaakkola 2018, Towards Robust Interpretability, section 5.1 (faithfulness)"

    n_features: Annotated[int, Range(2), Effort(20, 64, 256)] = 64
    removal: RemovalChoice = "auto"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations; NaN for those without signs."""
        from xaiexp.builtin.metrics.faithfulness.correlation_formulas import feature_correlations

        return self._undefined_scores(batch, explanations) or self._scores(
            batch, explanations, *feature_correlations(model, batch, explanations, rng, self.removal, self.n_features)
        )

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each feature, whatever the number of explanations."""
        return Cost(forward=min(d, self.n_features))


@dataclass(frozen=True)
class MonotonicityNguyen(_Correlation):
    """Spearman's correlation between magnitudes and the output's uncertainty without each feature, in [-1, 1].

    ``rho_j(|phi_j|, E[(f(x) - f(x with another x_j))^2])``. In the source the other value is drawn from the
    distribution of the feature: ``removal=marginal``. With any other removal it is the single value that replaces the
    feature. Ties get their mean rank; effects within the rounding error count as 0.

    Args:
        n_features: as for :class:`FaithfulnessEstimate`.
        n_samples: values drawn for a feature, with ``removal=marginal``.
        removal: ``marginal`` (the feature's value in random examples of the data), or as for
            :class:`xaiexp.builtin.metrics.faithfulness.removal_in_steps.Deletion`.
    """

    summary = "rank correlation between magnitudes and the output's uncertainty without each feature"
    source = "Nguyen and Martinez 2020, On quantitative aspects of model interpretability, section 3.3.1 (monotonicity)"
    needs_sign = False

    n_features: Annotated[int, Range(2), Effort(20, 64, 256)] = 64
    n_samples: Annotated[int, Range(1), Effort(3, 8, 32)] = 8
    removal: RemovalChoice = "auto"

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Noisy linear imputation needs neighbours; the marginal distribution needs inputs of one shape."""
        return modalities_of(self.removal)

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        from xaiexp.builtin.metrics.faithfulness.correlation_formulas import magnitude_correlations

        values, shift = magnitude_correlations(
            model, batch, explanations, rng, self.removal, self.n_features, self.n_samples
        )
        return self._scores(batch, explanations, values, shift)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each feature (and drawn value), whatever the number of explanations."""
        return Cost(forward=min(d, self.n_features) * (self.n_samples if self.removal == "marginal" else 1))
