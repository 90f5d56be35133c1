"""Shapley sampling, permutation SHAP, and exact Shapley values: over orders of the features or all coalitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.core.parameters import Effort, Range
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["MAX_EXACT_FEATURES", "CoalitionMethod", "ExactShapley", "PermutationShap", "ShapleySampling"]

MAX_EXACT_FEATURES = 16
"""The largest number of features for exact Shapley values: 65,536 coalitions."""


@dataclass(frozen=True)
class CoalitionMethod(Method):
    """Base class: attributions from the scores of coalitions, whose absent features are replaced by the reference."""

    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could underflow
    reads_baseline = True
    signed = True
    complete = True
    multiplied_by_inputs = True


@dataclass(frozen=True)
class _PermutationMethod(CoalitionMethod):
    """Base class: mean marginal contributions over random orders of the features."""

    paired: ClassVar[bool]
    """Whether each order is paired with its reverse."""

    n_samples: int

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        from xaiexp.builtin.methods.shapley.permutation_sampling import PermutationSampling

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        return PermutationSampling(self.n_samples, paired=self.paired).estimate(model, reference, rng)


@dataclass(frozen=True)
class ShapleySampling(_PermutationMethod):
    """Shapley values from random orders: the mean marginal contribution of a feature over the orders.

    The contributions of each order sum to ``f(x) - f(x0)`` exactly. The standard error of a feature is the standard
    deviation of its contributions over the orders, divided by the square root of their number.

    Args:
        n_samples: number of random orders; each costs d - 1 passes for d features.
    """

    summary = "Shapley values from random orders of the features"
    source = "Castro et al. 2009, Polynomial calculation of the Shapley value, section 3; Strumbelj and Kononenko 2010"
    paired = False

    n_samples: Annotated[int, Range(1), Effort(8, 25, 100)] = 25

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One for the input and for the reference, and ``d - 1`` for each order."""
        return Cost(2 + self.n_samples * max(0, d - 1))


@dataclass(frozen=True)
class PermutationShap(_PermutationMethod):
    """Shapley values from random orders, each paired with its reverse.

    The mean of an order and its reverse has no sampling error if features interact at most pairwise. The
    contributions of each pair sum to ``f(x) - f(x0)`` exactly. The standard error is that of the mean over pairs.

    Args:
        n_samples: number of pairs of an order and its reverse; each costs 2 (d - 1) passes for d features. The default
            is that of the shap package's PermutationExplainer.
    """

    summary = "Shapley values from random orders of the features, each paired with its reverse"
    source = (
        "Mitchell et al. 2022, Sampling Permutations for Shapley Value Estimation, section 2.3 (antithetic sampling)"
    )
    paired = True

    n_samples: Annotated[int, Range(1), Effort(3, 10, 40)] = 10

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One for the input and for the reference, and ``2 (d - 1)`` for each pair of orders."""
        return Cost(2 + 2 * self.n_samples * max(0, d - 1))


@dataclass(frozen=True)
class ExactShapley(CoalitionMethod):
    """Exact Shapley values from all ``2^d`` coalitions of d features, for up to 16 features."""

    summary = "Shapley values from all coalitions of up to 16 features"
    source = "Shapley 1953, A Value for n-Person Games; Lundberg and Lee 2017, equation 4"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: too many features.
        """
        from xaiexp.builtin.methods.shapley.all_coalitions import exact_shapley_values

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        count = int(batch.features.counts.max())
        if count > MAX_EXACT_FEATURES:
            raise Unsupported(
                f"exact_shapley supports up to {MAX_EXACT_FEATURES} features, but there are {count}: choose fewer "
                "and larger ones, features=grid features.rows=3 features.columns=4, or use permutation_shap"
            )
        return exact_shapley_values(model, reference)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost | None:
        """One for each coalition; None if there are too many."""
        return Cost(max(2, 2**d)) if d <= MAX_EXACT_FEATURES else None
