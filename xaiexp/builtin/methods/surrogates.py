"""Methods that fit a linear model to the scores of coalitions of features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.contract import Method
from xaiexp.parameters import Effort, Range
from xaiexp.types import Batch, Cost, Estimate

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.draws import Draws
    from xaiexp.passes import Handle

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
class KernelShap(Method):
    """Shapley values by weighted least squares over coalitions of features, adding up to ``f(x) - f(x0)``.

    Args:
        n_samples: coalitions, rounded down to pairs of a coalition and its complement; null is ``2 d + 2048`` for
            d features, as in the shap package. Where there are no more than these, all are taken and the values
            are exact.
        sample_factor: multiplies what null stands for (which never falls below ``3 d``).
    """

    summary = "Shapley values by weighted least squares over coalitions of features"
    source = "Lundberg and Lee 2017, A Unified Approach to Interpreting Model Predictions, theorem 2"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could vanish
    reads_baseline = True
    signed = True
    complete = True
    multiplied_by_inputs = True

    n_samples: Annotated[int, Range(2)] | None = None
    sample_factor: Annotated[float, Range(0.01), Effort(0.32, 1.0, 4.0)] = 1.0

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.Method.attribute`.

        Raises:
            Unsupported: too many features, or too few samples to tell them apart.
        """
        from xaiexp.builtin.methods.regressions import ShapleyRegression

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        counts = batch.features.counts.expand(len(batch))
        taken = [shapley_pairs(d, self.n_samples, self.sample_factor) for d in counts.tolist()]
        regression = ShapleyRegression.of(counts, batch.features.d, taken)
        return regression.estimate(model, reference, rng)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """The input, the reference and the coalitions."""
        return Cost(2 + 2 * shapley_pairs(d, self.n_samples, self.sample_factor)[0])


@dataclass(frozen=True)
class Lime(Method):
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
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could vanish
    reads_baseline = True
    signed = True
    complete = False
    multiplied_by_inputs = True

    n_samples: Annotated[int, Range(2)] | None = None
    sample_factor: Annotated[float, Range(0.01), Effort(0.32, 1.0, 4.0)] = 1.0
    kernel_width: Annotated[float, Range(0.01)] = 0.25
    alpha: Annotated[float, Range(0.0)] = 0.0

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.Method.attribute`.

        Raises:
            Unsupported: too many features, or too few samples to tell them apart.
        """
        from xaiexp.builtin.methods.regressions import LimeRegression

        assert reference is not None  # noqa: S101 -- the contract: it reads a baseline
        counts = batch.features.counts.expand(len(batch))
        taken = [lime_pairs(d, self.n_samples, self.sample_factor) for d in counts.tolist()]
        regression = LimeRegression.of(
            counts, batch.features.d, taken, kernel_width=self.kernel_width, alpha=self.alpha
        )
        return regression.estimate(model, reference, rng)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """The input, the reference and the coalitions."""
        return Cost(2 + 2 * lime_pairs(d, self.n_samples, self.sample_factor)[0])
