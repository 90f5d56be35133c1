"""Metrics of the distribution of magnitudes over features: Gini index and entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.kinds import Metric
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["Entropy", "Sparseness"]


@dataclass(frozen=True)
class Sparseness(Metric):
    """How unequally the magnitudes are distributed over the features: their Gini index, in [0, 1), dimensionless.

    0 if all magnitudes are equal, ``1 - 1/d`` if one of d features has the whole magnitude. NaN for a map of zeros.
    """

    summary = "how few features the attributions concentrate on (Gini index of the magnitudes)"
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
        """No passes."""
        return Cost(forward=0)


@dataclass(frozen=True)
class Entropy(Metric):
    """The entropy of the magnitudes as a distribution over features: ``-sum_j p_j ln p_j``, in nats.

    From 0 (one feature has the whole magnitude) to ``ln d`` (all magnitudes are equal), so the maximum grows with the
    number of features. The paper calls this complexity. NaN for a map of zeros.
    """

    summary = "the entropy of the features' shares of the total magnitude (complexity)"
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
        """No passes."""
        return Cost(forward=0)
