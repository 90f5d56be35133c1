"""Prediction gaps: how far the probability changes under noise on the top features, or on all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from xaiexp.builtin.removals.masking import feature_count
from xaiexp.contract.kinds import Metric
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Scores
from xaiexp.core.parameters import Effort, Range

if TYPE_CHECKING:
    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["PredictionGapImportant", "PredictionGapUnimportant"]


@dataclass(frozen=True)
class _PredictionGap(Metric):
    """The mean change of the probability under normal noise on some of the features.

    The auxiliary value ``shift`` is described in :mod:`xaiexp.builtin.removals.data_distance`.

    Args:
        n_samples: noisy inputs per example.
        share: the share of the features that are the top, by magnitude, rounded up.
        noise_level: standard deviation of the noise relative to the range of the data.
    """

    bounds = (0.0, 1.0)
    needs_sign = False
    scale_invariant = True
    re_explains = False
    unit = "probability"
    reads_probability = True
    auxiliary = ("shift",)
    important: ClassVar[bool]

    n_samples: Annotated[int, Range(1), Effort(5, 16, 64)] = 16
    share: Annotated[float, Range(0, 1)] = 0.3
    noise_level: Annotated[float, Range(0, exclusive=True)] = 0.1

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations; all use the same noise."""
        from xaiexp.builtin.metrics.faithfulness.prediction_gap_formulas import prediction_gaps, top_features
        from xaiexp.builtin.metrics.removal_curves import undefined

        top = top_features(explanations, batch, rng, self.share)
        noisy = top & batch.features.valid if self.important else ~top & batch.features.valid
        gaps_and_shifts = prediction_gaps(model, batch, rng, noisy, self.n_samples, self.noise_level)
        without_value = undefined(batch, explanations)
        values, shift = (x.masked_fill(without_value, float("nan")).to(batch.inputs.dtype) for x in gaps_and_shifts)
        return Scores(values, {"shift": shift})

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each sample and explanation; none if no feature gets noise."""
        n_top = feature_count(self.share, d)
        n_noisy = n_top if self.important else d - n_top
        return Cost(forward=self.n_samples * explanations if n_noisy > 0 else 0)


@dataclass(frozen=True)
class PredictionGapImportant(_PredictionGap):
    """The mean change of the probability under noise on the top features (PGI), in [0, 1]; high is better.

    ``E[|p(x) - p(x + noise on the top features)|]``, top by magnitude. Ties are broken at random, in the same way for
    all explanations.

    Args:
        n_samples: noisy inputs per example.
        share: the share of the features that are the top, rounded up.
        noise_level: standard deviation of the noise relative to the range of the data.
    """

    summary = "mean change of the probability under noise on the top features (PGI)"
    source = "Agarwal et al. 2022, OpenXAI, section 3 (PGI); Petsiuk et al. 2018; Dai et al. 2022"
    higher_is_better = True
    important = True


@dataclass(frozen=True)
class PredictionGapUnimportant(_PredictionGap):
    """The mean change of the probability under noise on all but the top features (PGU), in [0, 1]; low is better.

    As :class:`PredictionGapImportant`. NaN where all features are top.

    Args:
        n_samples: noisy inputs per example.
        share: the share of the features that are the top and get no noise, rounded up.
        noise_level: standard deviation of the noise relative to the range of the data.
    """

    summary = "mean change of the probability under noise on all but the top features (PGU)"
    source = "Agarwal et al. 2022, OpenXAI, section 3 (PGU); Dai et al. 2022"
    higher_is_better = False
    important = False
