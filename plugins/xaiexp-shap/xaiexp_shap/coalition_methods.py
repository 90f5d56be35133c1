"""shap's explainers that need scores only: features are replaced by those of the references."""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from xaiexp.plugin import Batch, Draws, Effort, Handle, Method, ParameterError, Range, Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp_shap.game import Game

__all__ = ["CoalitionMethod", "Exact", "Kernel", "Permutation", "Sampling"]


@dataclass(frozen=True)
class CoalitionMethod(Method):
    """Base class: an explainer of one example as a row of features; the references are its background data.

    The features are those of the study, and all elements of a feature are replaced together. Values sum to the score
    of the input minus the mean score of the references.
    """

    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could underflow
    reads_baseline = True
    reads_distribution = True
    signed = True
    complete = True
    multiplied_by_inputs = True

    @abstractmethod
    def values(self, shap: Any, game: Game, batch: Batch, number: int) -> Any:
        """The values of the features of an example, an array ``[d]`` or ``[1, d]``.

        Args:
            shap: the module.
            game: the scores of the example.
            batch: the batch.
            number: the index of the example in it.
        """

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`.

        Raises:
            Unsupported: there are too many features for the number of evaluations.
        """
        from xaiexp_shap.calls import by_example, library, quiet
        from xaiexp_shap.game import game_of

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        shap = library()

        def one(number: int) -> Tensor:
            game = game_of(model, reference, number)
            if not game.varying:  # each reference is the example: no feature changes the score
                return game.spread([0.0] * game.d)
            with quiet(), rng.legacy("shap", number):
                return game.spread(self.values(shap, game, batch, number))

        return by_example(batch, one)


@dataclass(frozen=True)
class Exact(CoalitionMethod):
    """Shapley values from all coalitions of the features that differ from a reference, by shap's ``ExactExplainer``.

    Args:
        max_evals: the largest number of coalitions, ``2^d`` for d such features.
    """

    name = "shap_exact"
    summary = "exact Shapley values from all coalitions of features (shap)"
    source = "Shapley 1953, A Value for n-Person Games; Lundberg and Lee 2017, equation 4; shap.ExactExplainer"

    max_evals: Annotated[int, Range(2)] = 100000

    def values(self, shap: Any, game: Game, batch: Batch, number: int) -> Any:
        """See the base class."""
        if 2**game.varying > self.max_evals:
            raise Unsupported(
                f"{game.varying} features differ from the references, which makes {2**game.varying} coalitions, and "
                f"max_evals is {self.max_evals}: choose larger features, features=grid, or use shap_permutation"
            )
        masker = shap.maskers.Independent(game.background, max_samples=len(game.background))
        return shap.ExactExplainer(game, masker)(game.row, max_evals=self.max_evals, silent=True).values


@dataclass(frozen=True)
class Kernel(CoalitionMethod):
    """Shapley values by weighted regression on coalitions, by shap's ``KernelExplainer``.

    Args:
        nsamples: number of coalitions; ``auto`` is 2048 and two for each feature. Each costs a pass for each reference.
        l1_reg: which features get a value: ``num_features(N)`` the N first of a lasso path, ``aic`` or ``bic`` a lasso
            chosen by that criterion, a number the penalty of a lasso, 0 all of them.
    """

    name = "shap_kernel"
    summary = "Shapley values by weighted regression on coalitions of features (shap)"
    source = (
        "Lundberg and Lee 2017, A Unified Approach to Interpreting Model Predictions, theorem 2; shap.KernelExplainer"
    )

    nsamples: Annotated[int, Range(2)] | Literal["auto"] = "auto"
    l1_reg: str | Annotated[float, Range(0)] = "num_features(10)"

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.l1_reg
        if isinstance(given, str) and not re.fullmatch(r"aic|bic|num_features\([1-9]\d*\)", given):
            where = f"method.{self.name}.l1_reg"
            raise ParameterError(where, "must be num_features(N), aic, bic or a number, 0 for none", got=given)

    def values(self, shap: Any, game: Game, batch: Batch, number: int) -> Any:
        """See the base class."""
        explainer = shap.KernelExplainer(game, game.background)
        return explainer.shap_values(game.row, nsamples=self.nsamples, l1_reg=self.l1_reg, silent=True)


@dataclass(frozen=True)
class Permutation(CoalitionMethod):
    """Shapley values from random orders of the features, each paired with its reverse, by ``PermutationExplainer``.

    Args:
        max_evals: number of coalitions, ``2 d + 1`` for each order of d features that differ from a reference; ``auto``
            is 20 for each feature. Each costs at most a pass for each reference.
    """

    name = "shap_permutation"
    summary = "Shapley values from random orders of the features and their reverse (shap)"
    source = (
        "Mitchell et al. 2022, Sampling Permutations for Shapley Value Estimation, section 2.3; "
        "shap.PermutationExplainer"
    )

    max_evals: Annotated[int, Range(3), Effort(500, 500, 5000)] | Literal["auto"] = 500

    def values(self, shap: Any, game: Game, batch: Batch, number: int) -> Any:
        """See the base class."""
        from xaiexp_shap.calls import seed

        least = 2 * game.varying + 1
        if self.max_evals != "auto" and self.max_evals < least:
            raise Unsupported(
                f"max_evals is {self.max_evals}, and one order of the {game.varying} features that differ from the "
                f"references takes {least}: raise it, or choose larger features, features=grid"
            )
        masker = shap.maskers.Independent(game.background, max_samples=len(game.background))
        explainer = shap.PermutationExplainer(game, masker, seed=seed())
        return explainer(game.row, max_evals=self.max_evals, silent=True).values


@dataclass(frozen=True)
class Sampling(CoalitionMethod):
    """Shapley values from random orders of the features and random references, by shap's ``SamplingExplainer``.

    First all features get equal numbers of samples, then each in proportion to its variance. shap corrects the values
    so that they sum to the change of the score; the value of a single feature depends on the references that were drawn
    also where the network is linear, so that the method does not state completeness.

    Args:
        nsamples: number of samples for all features together, each of two passes; ``auto`` is 1000 for each feature.
        min_samples_per_feature: samples of the first round for each feature; with fewer than 4 shap may divide by zero.
    """

    name = "shap_sampling"
    summary = "Shapley values from random orders of the features and random references (shap)"
    source = (
        "Strumbelj and Kononenko 2010, An Efficient Explanation of Individual Classifications; shap.SamplingExplainer"
    )

    complete = False

    nsamples: Annotated[int, Range(2), Effort(500, 2000, 20000)] | Literal["auto"] = 2000
    min_samples_per_feature: Annotated[int, Range(4)] = 100

    def values(self, shap: Any, game: Game, batch: Batch, number: int) -> Any:
        """See the base class."""
        if self.nsamples != "auto" and self.nsamples < 2 * game.varying:
            raise Unsupported(
                f"nsamples is {self.nsamples}, and {game.varying} features differ from the references: shap needs two "
                "samples for each; raise it, or choose larger features, features=grid"
            )
        explainer = shap.SamplingExplainer(game, game.background)
        return explainer.shap_values(
            game.row, nsamples=self.nsamples, min_samples_per_feature=self.min_samples_per_feature, silent=True
        )
