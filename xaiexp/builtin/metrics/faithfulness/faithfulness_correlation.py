"""Faithfulness by correlation: attributions against what happens when the features are removed.

What holds for all of them: what is removed depends on no attribution, so that its passes are made once for all
explanations; the explained output is the study's. Contributions are taken as they are; a sensitivity is multiplied with
the step that removal makes. A correlation is NaN where one side is constant: a map that is the same everywhere (over
subsets of one size), an output that does not move beyond rounding, fewer than two features. With each value comes
``shift`` (see :mod:`xaiexp.builtin.metrics.faithfulness.deletion`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from xaiexp.builtin.removals.masking import Masking, Removal, modalities_of
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
    """A correlation between attributions and effects."""

    higher_is_better = True
    bounds = (-1.0, 1.0)
    needs_sign = True
    unit = "1"

    def _scores(self, batch: Batch, explanations: Sequence[Explanation], values: Tensor, shift: Tensor) -> Scores:
        """Values ``[M, N]``, NaN for maps that have no sign where it is read; shifts ``[N]`` are of all alike."""
        import torch

        silent = torch.tensor([self.needs_sign and not e.signed for e in explanations], device=batch.device)
        values, shift = (
            x.masked_fill(silent.unsqueeze(1), float("nan")).to(batch.inputs.dtype)
            for x in (values, shift.expand_as(values))
        )
        return Scores(values, {"shift": shift})

    def _nothing(self, batch: Batch, explanations: Sequence[Explanation]) -> Scores | None:
        """The values where no explanation has the sign that is read: no pass is made for them."""
        if not self.needs_sign or any(e.signed for e in explanations):
            return None
        values = batch.inputs.new_full((len(explanations), len(batch)), float("nan"))
        return Scores(values, {"shift": values.clone()})


@dataclass(frozen=True)
class FaithfulnessCorrelation(_Correlation):
    """Pearson's correlation between the attribution of random subsets and the effect of removing them, in [-1, 1].

    ``corr_S(sum_{j in S} phi_j, f(x) - f(x without S))`` over ``n_samples`` subsets of one size. The exact
    contributions of a linear model reach 1.

    Args:
        n_samples: subsets per example.
        share: of the features that is in a subset, rounded up; one less where that would be all of them.
        removal: what a removed feature becomes: as for :class:`xaiexp.builtin.metrics.faithfulness.deletion.Deletion`.
    """

    summary = "correlation between the attribution of random subsets and the effect of removing them"
    source = "Bhatt, Weller, Moura 2020, Evaluating and Aggregating Feature-based Model Explanations, definition 3"

    n_samples: Annotated[int, Range(2), Effort(32, 100, 400)] = 100
    share: Annotated[float, Range(0, 1, exclusive=True)] = 0.2
    removal: Removal = "auto"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations; NaN for those without signs."""
        from xaiexp.builtin.metrics.faithfulness.correlation_formulas import of_subsets

        sized = (self.share,)
        return self._nothing(batch, explanations) or self._scores(
            batch, explanations, *of_subsets(model, batch, explanations, rng, self.removal, sized, self.n_samples)
        )

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each subset, however many explanations there are."""
        return Cost(forward=self.n_samples if d > 1 else 0)


@dataclass(frozen=True)
class SensitivityN(_Correlation):
    """As :class:`FaithfulnessCorrelation`, averaged over subsets of several sizes n, in [-1, 1].

    ``mean_n corr_{S: |S| = n}(sum_{j in S} phi_j, f(x) - f(x without S))``. A method satisfies sensitivity-n where the
    correlation is 1 for that n; Ancona et al. plot it over n, this is the mean over the sizes at which it is
    defined, NaN where it is at none.

    Args:
        n_samples: subsets per example and size; the source takes 100.
        shares: the sizes n as shares of the features, rounded up; at least 1 and one less than all.
        removal: what a removed feature becomes: as for :class:`xaiexp.builtin.metrics.faithfulness.deletion.Deletion`;
            the source takes zero.
    """

    summary = "correlation between the attribution of subsets and the effect of removing them, over several sizes"
    source = "Ancona et al. 2018, Towards better understanding of gradient-based attribution methods, section 4"

    n_samples: Annotated[int, Range(2), Effort(6, 20, 80)] = 20
    shares: tuple[Annotated[float, Range(0, 1)], ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    removal: Removal = "auto"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations; NaN for those without signs."""
        from xaiexp.builtin.metrics.faithfulness.correlation_formulas import of_subsets

        return self._nothing(batch, explanations) or self._scores(
            batch, explanations, *of_subsets(model, batch, explanations, rng, self.removal, self.shares, self.n_samples)
        )

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each subset, however many explanations there are."""
        return Cost(forward=self.n_samples * len(self.shares) if d > 1 else 0)


@dataclass(frozen=True)
class FaithfulnessEstimate(_Correlation):
    """Pearson's correlation between the attribution of single features and the effect of removing each, in [-1, 1].

    ``corr_j(phi_j, f(x) - f(x without j))``. The source looks at the probability: explain that
    (``output=probability``) for its numbers.

    Args:
        n_features: how many features of an example are removed, one at a time; drawn at random where there are more,
            the same for all explanations.
        removal: what a removed feature becomes: as for :class:`xaiexp.builtin.metrics.faithfulness.deletion.Deletion`.
    """

    summary = "correlation between the attribution of single features and the effect of removing each"
    source = "Alvarez-Melis and Jaakkola 2018, Towards Robust Interpretability, section 5.1 (faithfulness)"

    n_features: Annotated[int, Range(2), Effort(20, 64, 256)] = 64
    removal: Removal = "auto"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations; NaN for those without signs."""
        from xaiexp.builtin.metrics.faithfulness.correlation_formulas import of_features

        return self._nothing(batch, explanations) or self._scores(
            batch, explanations, *of_features(model, batch, explanations, rng, self.removal, self.n_features)
        )

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each feature, however many explanations there are."""
        return Cost(forward=min(d, self.n_features))


@dataclass(frozen=True)
class MonotonicityNguyen(_Correlation):
    """Spearman's correlation between magnitudes and how uncertain the output is without each feature, in [-1, 1].

    ``rho_j(|phi_j|, E[(f(x) - f(x with another x_j))^2])``. In the source the other value is drawn from the
    distribution of the feature: ``removal=marginal``. With any other removal it is the one value that stands for the
    absent feature. Equal values share their mean rank; effects within rounding are equal to none.

    Args:
        n_features: as for :class:`FaithfulnessEstimate`.
        n_samples: values drawn for a feature, with ``removal=marginal``.
        removal: ``marginal`` (the feature's value in random examples of the data), or as for
            :class:`xaiexp.builtin.metrics.faithfulness.deletion.Deletion`.
    """

    summary = "rank correlation between magnitudes and how uncertain the output is without each feature"
    source = "Nguyen and Martinez 2020, On quantitative aspects of model interpretability, section 3.3.1 (monotonicity)"
    needs_sign = False

    n_features: Annotated[int, Range(2), Effort(20, 64, 256)] = 64
    n_samples: Annotated[int, Range(1), Effort(3, 8, 32)] = 8
    removal: Literal[Removal, "marginal"] = "auto"

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Noisy linear imputation needs neighbours, and the marginal distribution inputs of one shape."""
        return ("image", "table", "series") if self.removal == "marginal" else modalities_of(self.removal)

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        from xaiexp.builtin.metrics.faithfulness.correlation_formulas import of_magnitudes

        draws = self.n_samples
        values, shift = of_magnitudes(model, batch, explanations, rng, self.removal, self.n_features, draws)
        return self._scores(batch, explanations, values, shift)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each feature (and drawn value), however many explanations there are."""
        return Cost(forward=min(d, self.n_features) * (self.n_samples if self.removal == "marginal" else 1))
