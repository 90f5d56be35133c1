"""Methods that fit a linear model to the scores of coalitions of features."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.methods.shapley.shapley_values import OfCoalitions
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.core.parameters import Effort, Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.builtin.methods.shapley.coalitions import Regression
    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["KernelShap", "Lime", "lime_pairs", "shapley_pairs"]


def shapley_pairs(d: int, n_samples: int | None, sample_factor: float = 1.0) -> tuple[int, bool]:
    """How many pairs of coalitions KernelSHAP takes for d features, and whether these are all there are.

    >>> shapley_pairs(3, None), shapley_pairs(64, None), shapley_pairs(64, None, 4.0)
    ((3, True), (1088, False), (4352, False))
    """
    return _pairs(d, 2**d - 2 if d < 62 else None, n_samples, sample_factor)


def lime_pairs(d: int, n_samples: int | None, sample_factor: float = 1.0) -> tuple[int, bool]:
    """How many pairs of coalitions LIME takes for d features, and whether these are all there are.

    >>> lime_pairs(3, None), lime_pairs(64, 1000)
    ((4, True), (500, False))
    """
    return _pairs(d, 2**d if d < 62 else None, n_samples, sample_factor)


def _pairs(d: int, all_of_them: int | None, n_samples: int | None, sample_factor: float) -> tuple[int, bool]:
    # Below 3 d the equations come close to having no single solution.
    budget = max(3 * d, round(sample_factor * (2 * d + 2048))) if n_samples is None else n_samples
    if d < 2:
        return 0, True
    if all_of_them is not None and all_of_them <= budget:
        return all_of_them // 2, True
    return budget // 2, False


@dataclass(frozen=True)
class _Surrogate(OfCoalitions):
    """What the two share: a model fitted to pairs of coalitions."""

    n_samples: Annotated[int, Range(2)] | None = None
    sample_factor: Annotated[float, Range(0.01), Effort(0.32, 1.0, 4.0)] = 1.0

    @abstractmethod
    def _pairs(self, d: int) -> tuple[int, bool]:
        """How many pairs are taken for d features, and whether these are all there are."""

    @abstractmethod
    def _regression(self, counts: Tensor, width: int, taken: list[tuple[int, bool]]) -> Regression:
        """The fit; see :meth:`xaiexp.builtin.methods.shapley.coalitions.Regression.of`."""

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: too many features, or too few samples to tell them apart.
        """
        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        counts = batch.features.counts.expand(len(batch))
        taken = [self._pairs(d) for d in counts.tolist()]
        return self._regression(counts, batch.features.d, taken).estimate(model, reference, rng)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """The input, the reference and the coalitions."""
        return Cost(2 + 2 * self._pairs(d)[0])


@dataclass(frozen=True)
class KernelShap(_Surrogate):
    """Shapley values by weighted least squares over coalitions of features, adding up to ``f(x) - f(x0)``.

    Args:
        n_samples: coalitions, rounded down to pairs of a coalition and its complement; null is ``2 d + 2048`` for
            d features, as in the shap package. Where there are no more than these, all are taken and the values
            are exact.
        sample_factor: multiplies what null stands for (which never falls below ``3 d``).
    """

    summary = "Shapley values by weighted least squares over coalitions of features"
    source = "Lundberg and Lee 2017, A Unified Approach to Interpreting Model Predictions, theorem 2"

    def _pairs(self, d: int) -> tuple[int, bool]:
        return shapley_pairs(d, self.n_samples, self.sample_factor)

    def _regression(self, counts: Tensor, width: int, taken: list[tuple[int, bool]]) -> Regression:
        from xaiexp.builtin.methods.shapley.regressions import ShapleyRegression

        return ShapleyRegression.of(counts, width, taken)


@dataclass(frozen=True)
class Lime(_Surrogate):
    """A linear model of the scores of coalitions of features, fitted close to the input.

    Every feature is present with probability one half; a coalition weighs ``exp(-D^2 / (2 kernel_width^2))`` with
    D its cosine distance from the full one. Coalitions come in pairs with their complements.

    Args:
        n_samples: coalitions, rounded down to pairs; null is ``2 d + 2048`` for d features. Where there are no
            more than these, all are taken.
        sample_factor: multiplies what null stands for (which never falls below ``3 d``).
        kernel_width: in units of the cosine distance, which runs from 0 to 1.
        alpha: ridge penalty, in units of the weighted mean of squared presences; 0 is plain least squares.
    """

    summary = "the coefficients of a linear model fitted to coalitions of features close to the input"
    source = "Ribeiro et al. 2016, Why Should I Trust You?, equations 1 and 2; the kernel and its width of the code"
    complete = False

    kernel_width: Annotated[float, Range(0.01)] = 0.25
    alpha: Annotated[float, Range(0.0)] = 0.0

    def _pairs(self, d: int) -> tuple[int, bool]:
        return lime_pairs(d, self.n_samples, self.sample_factor)

    def _regression(self, counts: Tensor, width: int, taken: list[tuple[int, bool]]) -> Regression:
        from xaiexp.builtin.methods.shapley.regressions import LimeRegression

        return LimeRegression.of(counts, width, taken, kernel_width=self.kernel_width, alpha=self.alpha)
