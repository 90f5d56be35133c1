"""Measures of how much there is to read in an explanation; the formulas are in the modules beside this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.removals.masking import Masking, Removal
from xaiexp.contract.kinds import Metric
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Scores
from xaiexp.core.parameters import Effort, Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["EffectiveComplexity", "Entropy", "Sparseness"]


@dataclass(frozen=True)
class Sparseness(Metric):
    """How unequally the magnitudes are shared among the features: their Gini index, in [0, 1), without unit.

    0 where all are equal, ``1 - 1/d`` where one feature of d has everything. NaN for a map of zeros.
    """

    summary = "how few features the attributions rest on (Gini index of the magnitudes)"
    source = "Chalasani et al. 2020, Concise Explanations of Neural Networks; Hurley and Rickard 2009, table I (Gini)"
    higher_is_better = True
    bounds = (0.0, 1.0)
    needs_sign = False
    scale_invariant = True
    re_explains = False
    unit = "1"
    spaces = ("input", "layer", "neuron")

    def score(self, model: Handle, batch: Batch, explanation: Explanation, rng: Draws) -> Tensor:
        """The Gini index ``[N]``."""
        from xaiexp.builtin.metrics.complexity.sparseness_formulas import gini

        return gini(explanation.values, explanation.features.valid).to(batch.inputs.dtype)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """None at all."""
        return Cost(forward=0)


@dataclass(frozen=True)
class Entropy(Metric):
    """The entropy of the magnitudes as a distribution over features: ``-sum_j p_j ln p_j``, in nats.

    From 0, where one feature has everything, to ``ln d``, where all are equal: examples with more features can have
    more. The paper calls it complexity. NaN for a map of zeros.
    """

    summary = "the entropy of the shares that features have in the magnitudes (complexity)"
    source = "Bhatt et al. 2020, Evaluating and Aggregating Feature-based Model Explanations, definition 5 (complexity)"
    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = False
    scale_invariant = True
    re_explains = False
    unit = "nat"
    spaces = ("input", "layer", "neuron")

    def score(self, model: Handle, batch: Batch, explanation: Explanation, rng: Draws) -> Tensor:
        """The entropy ``[N]``."""
        from xaiexp.builtin.metrics.complexity.sparseness_formulas import entropy

        return entropy(explanation.values, explanation.features.valid).to(batch.inputs.dtype)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """None at all."""
        return Cost(forward=0)


@dataclass(frozen=True)
class EffectiveComplexity(Masking):
    """The smallest share of the features, largest magnitudes first, that keeps the explained score, in [0, 1].

    Kept is the score from the k on from which ``|f(x) - f(x_k)| <= epsilon * |f(x) - f(x_0)|``, with the k features of
    the largest magnitude as they are and all others removed. The paper takes the first such k and the expectation over
    what the others may be; here it is the last crossing, because contributions of both signs cancel on the way, the
    others are what the removal makes of them, and the count is divided by the number of features, so that examples
    compare. Ties are broken at random, by the same numbers for all explanations. It asks the network, unlike measures
    of the same name that count attributions above a threshold. NaN for a map of zeros and where removing everything
    changes nothing. With it comes ``shift`` (see :mod:`xaiexp.builtin.metrics.faithfulness.deletion`).

    Args:
        epsilon: how much of the change by removing everything may be left.
        steps: how many evenly spaced numbers of features are tried, besides 0; examples with fewer features go one
            at a time.
        removal: what a removed feature becomes: as for :class:`xaiexp.builtin.metrics.faithfulness.deletion.Deletion`.
    """

    summary = "the smallest share of the features, largest magnitudes first, that keeps the score"
    source = "Nguyen and Martinez 2020, On Quantitative Aspects of Model Interpretability (effective complexity)"
    higher_is_better = False
    bounds = (0.0, 1.0)
    needs_sign = False
    unit = "1"

    epsilon: Annotated[float, Range(0, 1, exclusive=True)] = 0.1
    steps: Annotated[int, Range(1), Effort(5, 16, 64)] = 16
    removal: Removal = "auto"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations, in one stream of full batches."""
        from xaiexp.builtin.metrics.feature_dependence import effective_shares

        told = effective_shares(model, batch, explanations, rng, self.steps, self.removal, self.epsilon)
        values, shift = (each.to(batch.inputs.dtype) for each in told)
        return Scores(values, {"shift": shift})

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """The points between the ends for every explanation, and the empty input once."""
        return Cost(forward=1 + explanations * (min(self.steps, d) - 1))
