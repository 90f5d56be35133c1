"""Sanity checks: whether an explanation changes with what it explains; the formulas are in :mod:`.sanity`.

Magnitudes or signed values are compared, by Spearman's rank correlation (ties have their average rank) or, for
pictures, by structural similarity. What a method says of the other network or the other class costs as much as the
explanation itself, each time. NaN where the method is not at hand, and where one of two maps is the same everywhere.
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
    """How alike the explanation is to those of networks with parameters drawn anew, in [-1, 1]; less is better.

    Parameters are drawn from the normal distribution with the mean and standard deviation of their own tensor, which
    keeps the scale of the activations, where the initialiser of the paper would not; tensors whose values are all equal
    stay as they are, and so do buffers (running statistics). The numbers follow from the study's seed and the
    parameter's name: the same for every explanation and example. The study's network is not touched: there is one copy
    at a time. Layers are those with parameters of their own, in the order in which the network runs them. A stage at
    which a map is the same everywhere is left out of the mean.

    With ``order="efficient"`` it is another measure, at least -1, and more is better: the relative rise
    ``(H' - H) / H`` of the entropy of the map's histogram from the trained network to the fully random one (efficient
    MPRT). It costs one explanation in place of ``stages``, and depends on no similarity. The other proposal of that
    paper, smooth MPRT, is what this metric says of a method that averages over noise (``smooth_grad``), as often as
    layers times noise: it is not built in a second time.

    Args:
        order: which layers are drawn anew: ever more of them from the output on (``top_down``) or from the input on
            (``bottom_up``), one alone (``independent``), or all at once (``efficient``).
        stages: at how many evenly spaced layers explanations are compared; more than there are layers means each.
        average: the mean over the stages, or the value at the last of them (all layers, or the last alone).
        similarity: ``spearman`` or ``ssim``.
        of: whether ``magnitudes`` are compared or signed ``values``.
        bins: of the histogram (efficient).
    """

    summary = "how alike explanations are to those of networks with parameters drawn anew"
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
        """Similarity should be low, the rise of entropy high."""
        return self.order == "efficient"

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Of a similarity, or of a relative rise."""
        return (-1.0, None) if self.order == "efficient" else (-1.0, 1.0)

    @property
    def needs_sign(self) -> bool:
        """Magnitudes are defined without signs."""
        return self.of == "values"

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Structural similarity is of pictures."""
        return ("image",) if self.similarity == "ssim" and self.order != "efficient" else MODALITIES

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations; every network is made once for all."""
        from xaiexp.builtin.metrics.randomisation.randomisation_formulas import rises, similarities_under

        if self.order == "efficient":
            return rises(model, batch, explanations, rng, self.bins, self.of)
        return similarities_under(
            model, batch, explanations, rng, self.order, self.stages, self.average, self.similarity, self.of
        )

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One, to see in which order the layers run; re-explaining comes on top."""
        return Cost(forward=1)


@dataclass(frozen=True)
class RandomLogit(Metric):
    """How alike the explanation is to that of another class, drawn at random for each example, in [-1, 1].

    Less is better. NaN where the model has a single class. With two classes whose scores are each other's negative, the
    magnitudes of a right explanation are the same for both: signed values tell them apart.

    Args:
        similarity: ``spearman`` or ``ssim``.
        of: whether signed ``values`` are compared or ``magnitudes``.
    """

    summary = "how alike explanations are to those of another class, drawn at random"
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
        """Structural similarity is of pictures."""
        return ("image",) if self.similarity == "ssim" else MODALITIES

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations; every one meets the same other class."""
        from xaiexp.builtin.metrics.randomisation.randomisation_formulas import similarities_between_classes

        return similarities_between_classes(model, batch, explanations, rng, self.similarity, self.of)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """None of its own: all it costs is explaining once more."""
        return Cost(forward=0)
