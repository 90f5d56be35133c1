"""Faithfulness from removing given shares of the features, in the order of the attributions.

See :class:`.ordered_removal.OrderedRemoval` for the order of the features, ties and undefined values.

Difference from Quantus: its ``ROAD`` returns one number per dataset, computed from the first mini-batch only. Here
there is one value per example, independent of the batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.metrics.faithfulness.ordered_removal import FIRST, Order, OrderedRemoval
from xaiexp.builtin.removals.masking import RemovalChoice, feature_count
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Scores
from xaiexp.core.parameters import Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["Comprehensiveness", "Road", "Sufficiency"]


@dataclass(frozen=True)
class _RemovalAtShares(OrderedRemoval):
    """Base of the metrics at given shares of the features."""

    shares: tuple[Annotated[float, Range(0, 1)], ...] = (0.01, 0.05, 0.1, 0.2, 0.5)

    def _n_features(self, batch: Batch) -> Tensor:
        """The number of features of each example and share, int64 ``[N, K]``."""
        from xaiexp.builtin.metrics.removal_curves import feature_counts

        return feature_counts(self.shares, batch.features.counts.expand(len(batch)))

    def _cost(self, d: int, explanations: int, orders: int = 1, kept: bool = False) -> Cost:
        """The passes of one example; ``kept``: the shares are of the features that are kept."""
        distinct = {feature_count(share, d) for share in self.shares}
        n_removed = {d - count if kept else count for count in distinct}
        return Cost(forward=int(d in n_removed and d > 0) + explanations * orders * len(n_removed - {0, d}))


@dataclass(frozen=True)
class Comprehensiveness(_RemovalAtShares):
    """The drop of the probability without the top features: the mean of ``p(x) - p(x without the top q)`` over q.

    In [-1, 1]; always of the probability. The number of top features is rounded up. The mean is over the shares, as in
    the code of ERASER; the denominator of the paper's sum counts one more term, 0 (nothing removed).

    Args:
        removal: what a removed feature is replaced with, as for
            :class:`xaiexp.builtin.metrics.faithfulness.removal_in_steps.Deletion`; ERASER deletes tokens.
        shares: the shares q of the features.
    """

    summary = "mean drop of the probability without the top 1, 5, 10, 20 and 50 % of the features"

    source = "DeYoung et al. 2020, ERASER, equation 1, aggregated over bins as in section 4.2"
    higher_is_better = True
    bounds = (-1.0, 1.0)

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        curves = self._curves(model, batch, explanations, rng, self._n_features(batch))
        original = model.scores(output="probability").double()
        return self._scores(batch, explanations, original - curves.values.mean(dim=2), curves.shift)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each explanation and each number of features except none and all; one for all removed."""
        return self._cost(d, explanations)


@dataclass(frozen=True)
class Sufficiency(_RemovalAtShares):
    """The drop of the probability with the top features alone: the mean of ``p(x) - p(the top q alone)`` over q.

    In [-1, 1]; low means that the top features are sufficient. Otherwise as :class:`Comprehensiveness`.

    Args:
        removal: what a removed feature is replaced with, as for
            :class:`xaiexp.builtin.metrics.faithfulness.removal_in_steps.Deletion`.
        shares: the shares q of the features.
    """

    summary = "mean drop of the probability with the top 1, 5, 10, 20 and 50 % of the features alone"
    source = "DeYoung et al. 2020, ERASER, equation 2, aggregated over bins as in section 4.2"
    higher_is_better = False
    bounds = (-1.0, 1.0)

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        n_removed = batch.features.counts.expand(len(batch)).unsqueeze(1) - self._n_features(batch)
        curves = self._curves(model, batch, explanations, rng, n_removed, ("lowest",))
        original = model.scores(output="probability").double()
        return self._scores(batch, explanations, original - curves.values.mean(dim=2), curves.shift)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each explanation and each number of features except none and all; one for none kept."""
        return self._cost(d, explanations, kept=True)


@dataclass(frozen=True)
class Road(_RemovalAtShares):
    """Remove and debias: the mean probability without given shares of the features, which are imputed.

    With the most relevant features removed first (``morf``), a low value is good; with the least relevant first
    (``lerf``), a high one. ``difference`` is LeRF minus MoRF. In [0, 1], and in [-1, 1] for the difference. With
    ``noisy_linear``, a removed pixel is the weighted mean of its eight neighbours (1/6 direct, 1/12 diagonal) plus
    noise of a hundredth of the data's range, which keeps the shape of the mask from revealing the class. The equations
    are solved to a thousandth of the range. In a time series, a removed range becomes the straight line between its
    neighbours, plus noise. Rong et al. compute the accuracy over a dataset; the corresponding value of one example is
    the probability of the target.

    Args:
        removal: ``noisy_linear``, for images and time series, or as for
            :class:`xaiexp.builtin.metrics.faithfulness.removal_in_steps.Deletion`.
        shares: the shares of the features that are removed.
        order: ``morf``, ``lerf`` or ``difference``.
    """

    summary = "mean probability without shares of the features, imputed from their neighbours with noise"
    source = "Rong et al. 2022, A Consistent and Efficient Evaluation Strategy for Attribution Methods, section 4"

    removal: RemovalChoice = "noisy_linear"
    shares: tuple[Annotated[float, Range(0, 1)], ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
    order: Order = "morf"

    @property
    def higher_is_better(self) -> bool:
        """True for ``lerf`` and ``difference``: removing the least relevant features should keep the probability."""
        return self.order != "morf"

    @property
    def bounds(self) -> tuple[float | None, float | None]:  # type: ignore[override]  # the base class states a constant
        """The bounds of a probability, or of the difference of two."""
        return (-1.0 if self.order == "difference" else 0.0, 1.0)

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        curves = self._curves(model, batch, explanations, rng, self._n_features(batch), FIRST[self.order])
        values = curves.values.mean(dim=2)
        if self.order == "difference":
            morf, lerf = values.chunk(2)
            values = lerf - morf
        return self._scores(batch, explanations, values, curves.shift)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each explanation, order and number of features; one for all removed."""
        return self._cost(d, explanations, len(FIRST[self.order]))
