"""Faithfulness by order, at given shares of the features; what :mod:`.faithfulness_curves` says holds here too.

Comprehensiveness and sufficiency look at what the top features alone do, ROAD at what is left without them.

A note on peers: Quantus' ``ROAD`` gives one number a data set, from the first mini-batch only where the data come in
several. Here there is one value an example, whatever the batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.metrics.faithfulness.ordered_removal import FIRST, Order, Ordered
from xaiexp.builtin.removals.masking import Removal, number
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Scores
from xaiexp.core.parameters import Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["Comprehensiveness", "Road", "Sufficiency"]


@dataclass(frozen=True)
class _Shares(Ordered):
    """A measure at given shares of the features."""

    shares: tuple[Annotated[float, Range(0, 1)], ...] = (0.01, 0.05, 0.1, 0.2, 0.5)

    def _number(self, batch: Batch) -> Tensor:
        from xaiexp.builtin.metrics.removal_curves import numbers

        return numbers(self.shares, batch.features.counts.expand(len(batch)))

    def _cost(self, d: int, explanations: int, orders: int = 1, kept: bool = False) -> Cost:
        several = {number(share, d) for share in self.shares}
        gone = {d - each if kept else each for each in several}
        return Cost(forward=int(d in gone and d > 0) + explanations * orders * len(gone - {0, d}))


@dataclass(frozen=True)
class Comprehensiveness(_Shares):
    """How far the probability falls without the top features: the mean of ``p(x) - p(x without the top q)`` over q.

    In [-1, 1]; always the probability. The top q of the features is rounded up to whole features. The mean is over
    the shares, as in the code of ERASER; the paper's sum has one more term, 0 (nothing removed), in its denominator.

    Args:
        removal: what a removed feature becomes: as for :class:`xaiexp.builtin.metrics.faithfulness.deletion.Deletion`;
            ERASER deletes tokens.
        shares: the shares q of the features.
    """

    summary = "mean fall of the probability without the top 1, 5, 10, 20 and 50 % of the features"
    source = "DeYoung et al. 2020, ERASER, equation 1, aggregated over bins as in section 4.2"
    higher_is_better = True
    bounds = (-1.0, 1.0)

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        drawn = self._drawn(model, batch, explanations, rng, self._number(batch))
        whole = model.scores(output="probability").double()
        return self._scores(batch, explanations, whole - drawn.values.mean(dim=2), drawn.shift)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each explanation and each number of features that is neither none nor all; all removed, once."""
        return self._cost(d, explanations)


@dataclass(frozen=True)
class Sufficiency(_Shares):
    """How far the probability falls with the top features alone: the mean of ``p(x) - p(the top q alone)`` over q.

    In [-1, 1]; low means that the top features are enough. As :class:`Comprehensiveness`.

    Args:
        removal: what a removed feature becomes: as for :class:`xaiexp.builtin.metrics.faithfulness.deletion.Deletion`.
        shares: the shares q of the features.
    """

    summary = "mean fall of the probability with the top 1, 5, 10, 20 and 50 % of the features alone"
    source = "DeYoung et al. 2020, ERASER, equation 2, aggregated over bins as in section 4.2"
    higher_is_better = False
    bounds = (-1.0, 1.0)

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        gone = batch.features.counts.expand(len(batch)).unsqueeze(1) - self._number(batch)
        drawn = self._drawn(model, batch, explanations, rng, gone, ("lowest",))
        whole = model.scores(output="probability").double()
        return self._scores(batch, explanations, whole - drawn.values.mean(dim=2), drawn.shift)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each explanation and each number of features that is neither none nor all; none kept, once."""
        return self._cost(d, explanations, kept=True)


@dataclass(frozen=True)
class Road(_Shares):
    """Remove and debias: the mean probability without given shares of the features, imputed from what is left.

    Most relevant first (``morf``) a low value is good, least relevant first (``lerf``) a high one; ``difference`` is
    LeRF minus MoRF. In [0, 1], and in [-1, 1] for the difference. A removed pixel is the weighted mean of its eight
    neighbours (1/6 direct, 1/12 diagonal) plus noise of a hundredth of the data's range, so that the shape of the
    mask does not give the class away; the equations are solved for all masked inputs at once, to a thousandth of the
    range. In a series, a removed stretch becomes the straight line between its neighbours, plus noise. Rong et al.
    take the accuracy over a data set; the probability of the target is its value for one example.

    Args:
        removal: ``noisy_linear``, for pictures and series, or as for
            :class:`xaiexp.builtin.metrics.faithfulness.deletion.Deletion`.
        shares: the shares of the features that are removed.
        order: ``morf``, ``lerf`` or ``difference``.
    """

    summary = "mean probability without shares of the features, noisily imputed from their neighbours"
    source = "Rong et al. 2022, A Consistent and Efficient Evaluation Strategy for Attribution Methods, section 4"

    removal: Removal = "noisy_linear"
    shares: tuple[Annotated[float, Range(0, 1)], ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
    order: Order = "morf"

    @property
    def higher_is_better(self) -> bool:
        """What is least relevant may be removed without a fall."""
        return self.order != "morf"

    @property
    def bounds(self) -> tuple[float | None, float | None]:  # type: ignore[override]  # the base class states a constant
        """Of a probability, or of the difference of two."""
        return (-1.0 if self.order == "difference" else 0.0, 1.0)

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        drawn = self._drawn(model, batch, explanations, rng, self._number(batch), FIRST[self.order])
        values = drawn.values.mean(dim=2)
        if self.order == "difference":
            most, least = values.chunk(2)
            values = least - most
        return self._scores(batch, explanations, values, drawn.shift)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each explanation, order and number of features; all removed, once."""
        return self._cost(d, explanations, len(FIRST[self.order]))
