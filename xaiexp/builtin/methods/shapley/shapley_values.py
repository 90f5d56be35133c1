"""Shapley values by their definition: over orders of the features, or over all coalitions."""

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

__all__ = ["LARGEST", "ExactShapley", "OfCoalitions", "PermutationShap", "ShapleySampling"]

LARGEST = 16
"""The largest number of features all of whose coalitions are taken: 65,536."""


@dataclass(frozen=True)
class OfCoalitions(Method):
    """What is learned from the scores of inputs of which some features are present, the others as in the reference."""

    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could vanish
    reads_baseline = True
    signed = True
    complete = True
    multiplied_by_inputs = True


@dataclass(frozen=True)
class _Joining(OfCoalitions):
    """Random orders in which features join."""

    paired: ClassVar[bool]
    """Whether each order is taken with its reverse."""

    n_samples: int

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        from xaiexp.builtin.methods.shapley.permutations import Orders

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        return Orders(self.n_samples, paired=self.paired).estimate(model, reference, rng)


@dataclass(frozen=True)
class ShapleySampling(_Joining):
    """Shapley values from random orders: what a feature adds to those before it, averaged over the orders.

    Every order adds up to ``f(x) - f(x0)`` exactly. The standard error of a feature is the spread of its
    contributions over the orders, divided by the root of their number.

    Args:
        n_samples: random orders, each d - 1 passes: the cost follows the number of features d.
    """

    summary = "Shapley values from random orders in which features join"
    source = "Castro et al. 2009, Polynomial calculation of the Shapley value, section 3; Strumbelj and Kononenko 2010"
    paired = False

    n_samples: Annotated[int, Range(1), Effort(8, 25, 100)] = 25

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """The input, the reference, and what lies between them in each order."""
        return Cost(2 + self.n_samples * max(0, d - 1))


@dataclass(frozen=True)
class PermutationShap(_Joining):
    """Shapley values from random orders, each taken forwards and backwards.

    The mean of an order and its reverse is free of sampling error where features interact in pairs at most. Every
    pair adds up to ``f(x) - f(x0)`` exactly. The standard error is that of the mean over the pairs.

    Args:
        n_samples: pairs of an order and its reverse, each 2 (d - 1) passes: the cost follows the number of
            features d. The default is that of the shap package's PermutationExplainer.
    """

    summary = "Shapley values from random orders in which features join, each with its reverse"
    source = (
        "Mitchell et al. 2022, Sampling Permutations for Shapley Value Estimation, section 2.3 (antithetic sampling)"
    )
    paired = True

    n_samples: Annotated[int, Range(1), Effort(3, 10, 40)] = 10

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """The input, the reference, and what lies between them in each order and its reverse."""
        return Cost(2 + 2 * self.n_samples * max(0, d - 1))


@dataclass(frozen=True)
class ExactShapley(OfCoalitions):
    """Shapley values from all ``2^d`` coalitions of d features, for up to 16 features: nothing is sampled."""

    summary = "Shapley values from all coalitions of up to 16 features"
    source = "Shapley 1953, A Value for n-Person Games; Lundberg and Lee 2017, equation 4"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: too many features.
        """
        from xaiexp.builtin.methods.shapley.permutations import all_coalitions

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        most = int(batch.features.counts.max())
        if most > LARGEST:
            raise Unsupported(
                f"exact_shapley takes all coalitions of up to {LARGEST} features, and these are {most}: choose fewer "
                "and larger ones, features=grid features.rows=3 features.columns=4, or use permutation_shap"
            )
        return all_coalitions(model, reference)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost | None:
        """All coalitions; unknown where there are too many."""
        return Cost(max(2, 2**d)) if d <= LARGEST else None
