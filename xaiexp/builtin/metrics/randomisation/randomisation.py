"""Sanity checks: whether an explanation changes with the network's parameters or the explained class.

Magnitudes or signed values are compared, by Spearman's rank correlation (ties get their average rank) or, for images,
by structural similarity. Each comparison explains the batch once more, which costs as much as the explanation itself.
NaN where the explanation's method is not available to explain again, and where one of the two maps is constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from xaiexp.contract.kinds import Metric
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation
from xaiexp.core.parameters import Effort, Range
from xaiexp.core.vocabulary import MODALITIES, Modality

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["ParameterRandomisation", "RandomLogit"]


@dataclass(frozen=True)
class ParameterRandomisation(Metric):
    """The similarity of the explanation to explanations of networks with random parameters, in [-1, 1]; low is better.

    Each parameter tensor is replaced by draws from the normal distribution with the tensor's own mean and standard
    deviation. This keeps the scale of the activations, which the initialiser of the paper would not. Tensors whose
    values are all equal are kept, and so are buffers (running statistics). The random numbers depend on the study's
    seed and the parameter's name, so they are the same for every explanation and example. A copy of the study's network
    is randomised, one copy at a time. Only layers with parameters of their own are randomised, in the order in which
    the network runs them. Stages at which a map is constant are excluded from the mean.

    ``order="efficient"`` computes another metric, efficient MPRT: the relative rise ``(H' - H) / H`` of the entropy of
    the map's histogram from the trained network to the fully randomised one; at least -1, high is better. It costs one
    explanation instead of ``stages`` and uses no similarity. Smooth MPRT of the same paper is not a separate order: it
    equals this metric for a method that averages over noise (``smooth_grad``).

    Args:
        order: which layers are randomised: cumulatively from the output (``top_down``) or from the input
            (``bottom_up``), one at a time (``independent``), or all at once (``efficient``).
        stages: the number of evenly spaced layers at which explanations are compared, at most the number of layers.
        average: take the mean over the stages, or else the value at the last one (all layers, or the last one alone).
        similarity: ``spearman`` or ``ssim``.
        of: compare ``magnitudes`` or signed ``values``.
        bins: the number of bins of the histogram (``efficient``).
    """

    summary = "similarity of explanations to those of networks with randomised parameters"
    source = "Adebayo et al. 2018, Sanity Checks for Saliency Maps, section 3; efficient: Hedström et al. 2024 (eMPRT)"
    scale_invariant = True
    re_explains = True
    unit = "1"
    needs = frozenset({"modules"})
    spaces = ("input", "layer", "neuron")

    order: Literal["top_down", "bottom_up", "independent", "efficient"] = "top_down"
    stages: Annotated[int, Range(1), Effort(2, 4, 16)] = 4
    average: bool = True
    similarity: Literal["spearman", "ssim"] = "spearman"
    of: Literal["magnitudes", "values"] = "magnitudes"
    bins: Annotated[int, Range(2)] = 100

    @property
    def higher_is_better(self) -> bool:
        """False for a similarity, True for the rise of the entropy."""
        return self.order == "efficient"

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The bounds of a similarity, or of a relative rise."""
        return (-1.0, None) if self.order == "efficient" else (-1.0, 1.0)

    @property
    def needs_sign(self) -> bool:
        """Magnitudes are defined without signs."""
        return self.of == "values"

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Structural similarity is defined for images only."""
        return ("image",) if self.similarity == "ssim" and self.order != "efficient" else MODALITIES

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations; each randomised network is shared by all of them."""
        from xaiexp.builtin.metrics.randomisation.randomisation_formulas import (
            entropy_rises,
            similarities_when_randomised,
        )

        if self.order == "efficient":
            return entropy_rises(model, batch, explanations, rng, self.bins, self.of)
        return similarities_when_randomised(
            model, batch, explanations, rng, self.order, self.stages, self.average, self.similarity, self.of
        )

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass, which records the order of the layers; explaining again is not included."""
        return Cost(forward=1)


@dataclass(frozen=True)
class RandomLogit(Metric):
    """The similarity of the explanation to that of another class, drawn at random for each example, in [-1, 1].

    Low is better. NaN where the model has a single class. For two classes whose scores are each other's negative, the
    magnitudes of a correct explanation are equal for both classes; signed values distinguish them.

    Args:
        similarity: ``spearman`` or ``ssim``.
        of: compare signed ``values`` or ``magnitudes``.
    """

    summary = "similarity of explanations to those of another class, drawn at random"
    source = "Sixt et al. 2020, When Explanations Lie, section 4.2 (random logit)"
    higher_is_better = False
    bounds = (-1.0, 1.0)
    scale_invariant = True
    re_explains = True
    unit = "1"
    spaces = ("input", "layer")

    similarity: Literal["spearman", "ssim"] = "spearman"
    of: Literal["magnitudes", "values"] = "values"

    @property
    def needs_sign(self) -> bool:
        """Magnitudes are defined without signs."""
        return self.of == "values"

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Structural similarity is defined for images only."""
        return ("image",) if self.similarity == "ssim" else MODALITIES

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations; all are compared with the same other class."""
        from xaiexp.builtin.metrics.randomisation.randomisation_formulas import similarities_to_other_class

        return similarities_to_other_class(model, batch, explanations, rng, self.similarity, self.of)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """No passes of its own; explaining once more is not included."""
        return Cost(forward=0)
