"""KernelSHAP and LIME: linear surrogate models fitted to the scores of coalitions of features."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.methods.shapley.shapley_values import CoalitionMethod
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.core.parameters import Effort, Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.builtin.methods.shapley.coalition_regression import CoalitionRegression
    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["KernelShap", "Lime", "lime_pairs", "shapley_pairs"]


def shapley_pairs(d: int, n_samples: int | None, sample_factor: float = 1.0) -> tuple[int, bool]:
    """The number of pairs of coalitions of KernelSHAP for d features, and whether these are all pairs.

    >>> shapley_pairs(3, None), shapley_pairs(64, None), shapley_pairs(64, None, 4.0)
    ((3, True), (1088, False), (4352, False))
    """
    return _pairs(d, 2**d - 2 if d < 62 else None, n_samples, sample_factor)


def lime_pairs(d: int, n_samples: int | None, sample_factor: float = 1.0) -> tuple[int, bool]:
    """The number of pairs of coalitions of LIME for d features, and whether these are all pairs.

    >>> lime_pairs(3, None), lime_pairs(64, 1000)
    ((4, True), (500, False))
    """
    return _pairs(d, 2**d if d < 62 else None, n_samples, sample_factor)


def _pairs(d: int, coalitions: int | None, n_samples: int | None, sample_factor: float) -> tuple[int, bool]:
    # With fewer than 3 d samples the equations are close to singular.
    budget = max(3 * d, round(sample_factor * (2 * d + 2048))) if n_samples is None else n_samples
    if d < 2:
        return 0, True
    if coalitions is not None and coalitions <= budget:
        return coalitions // 2, True
    return budget // 2, False


@dataclass(frozen=True)
class _Surrogate(CoalitionMethod):
    """Base class: a linear model fitted to the scores of pairs of coalitions."""

    n_samples: Annotated[int, Range(2)] | None = None
    sample_factor: Annotated[float, Range(0.01), Effort(0.32, 1.0, 4.0)] = 1.0

    @abstractmethod
    def _pairs(self, d: int) -> tuple[int, bool]:
        """The number of pairs for d features, and whether these are all pairs."""

    @abstractmethod
    def _regression(self, counts: Tensor, width: int, pairs: list[tuple[int, bool]]) -> CoalitionRegression:
        """The fit; see :meth:`xaiexp.builtin.methods.shapley.coalition_regression.CoalitionRegression.of`."""

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: there are too many features, or too few samples for a unique solution.
        """
        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        counts = batch.features.counts.expand(len(batch))
        pairs = [self._pairs(d) for d in counts.tolist()]
        return self._regression(counts, batch.features.d, pairs).estimate(model, reference, rng)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One for the input, for the reference and for each coalition."""
        return Cost(2 + 2 * self._pairs(d)[0])


@dataclass(frozen=True)
class KernelShap(_Surrogate):
    """Shapley values by weighted least squares over coalitions of features; they sum to ``f(x) - f(x0)``.

    The smallest and largest coalitions are used whole as far as the samples allow. The others are drawn at random, by
    size and without replacement, in pairs of a coalition and its complement.

    Args:
        n_samples: number of coalitions, rounded down to pairs of a coalition and its complement; null is
            ``2 d + 2048`` for d features, as in the shap package. If there are no more coalitions than that, all are
            used and the values are exact.
        sample_factor: multiplies the number that null stands for, which is at least ``3 d``.
    """

    summary = "Shapley values by weighted least squares over coalitions of features"
    source = "Lundberg and Lee 2017, A Unified Approach to Interpreting Model Predictions, theorem 2"

    def _pairs(self, d: int) -> tuple[int, bool]:
        return shapley_pairs(d, self.n_samples, self.sample_factor)

    def _regression(self, counts: Tensor, width: int, pairs: list[tuple[int, bool]]) -> CoalitionRegression:
        from xaiexp.builtin.methods.shapley.shapley_regression import ShapleyRegression

        return ShapleyRegression.of(counts, width, pairs)


@dataclass(frozen=True)
class Lime(_Surrogate):
    """A linear model of the scores of coalitions of features, fitted close to the input.

    Every feature is present with probability 1/2. The weight of a coalition is ``exp(-D^2 / (2 kernel_width^2))``
    with D its cosine distance from the full coalition. Coalitions are sampled in pairs with their complements.

    Args:
        n_samples: number of coalitions, rounded down to pairs; null is ``2 d + 2048`` for d features. If there are no
            more coalitions than that, all are used.
        sample_factor: multiplies the number that null stands for, which is at least ``3 d``.
        kernel_width: width of the kernel, in units of the cosine distance (0 to 1).
        alpha: ridge penalty, in units of the weighted mean of squared indicators; 0 is ordinary least squares.
    """

    summary = "the coefficients of a linear model fitted to coalitions of features close to the input"
    source = "Ribeiro et al. 2016, Why Should I Trust You?, equations 1 and 2; the kernel and its width of the code"
    complete = False

    kernel_width: Annotated[float, Range(0.01)] = 0.25
    alpha: Annotated[float, Range(0.0)] = 0.0

    def _pairs(self, d: int) -> tuple[int, bool]:
        return lime_pairs(d, self.n_samples, self.sample_factor)

    def _regression(self, counts: Tensor, width: int, pairs: list[tuple[int, bool]]) -> CoalitionRegression:
        from xaiexp.builtin.methods.shapley.lime_regression import LimeRegression

        return LimeRegression.of(counts, width, pairs, kernel_width=self.kernel_width, alpha=self.alpha)
