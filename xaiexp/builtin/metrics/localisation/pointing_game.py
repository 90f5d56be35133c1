"""Measures of whether attributions lie where the truth is; the formulas are in :mod:`.truth` and :mod:`.overlap`.

What holds for all of them: the truth is the mask that comes with an example (pixels, tokens, steps, columns). An
example without a mask, and one whose mask is empty or everything, has no value (NaN, counted), nor has a map without
evidence. Evidence is the positive part of the attributions, what speaks for the target, or their magnitudes; of methods
without signs always the magnitudes. Features may be larger than the truth: measures of area count the share of a
feature's elements that lie inside it, measures of rank take a feature to be in the truth where at least half of its
elements are. Ties are no choice: the value is the expectation over breaking them at random, unless a measure says
otherwise. No passes.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from xaiexp.contract.kinds import Metric
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation
from xaiexp.core.parameters import Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = [
    "AveragePrecision",
    "EnergyPointingGame",
    "PointingGame",
    "PrecisionAtK",
    "RelevanceMass",
    "RelevanceRank",
    "TopKIntersection",
]

Sign = Literal["positive", "magnitudes"]


@dataclass(frozen=True)
class _Localisation(Metric):
    """Whether attributions lie where the truth is.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
    """

    higher_is_better = True
    bounds = (0.0, 1.0)
    needs_sign = False
    scale_invariant = True
    re_explains = False
    unit = "1"

    of: Sign = "positive"

    def score(self, model: Handle, batch: Batch, explanation: Explanation, rng: Draws) -> Tensor:
        """The values ``[N]``; NaN for examples without truth."""
        from xaiexp.builtin.metrics.localisation.overlap_formulas import evidence

        if batch.masks is None or not batch.features.d:
            return batch.inputs.new_full((len(batch),), float("nan"))
        return self.located(batch, batch.masks, evidence(explanation, self.of)).to(batch.inputs.dtype)

    @abstractmethod
    def located(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The values ``[N]`` of evidence ``[N, d]``."""

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """None at all."""
        return Cost(forward=0)


@dataclass(frozen=True)
class PointingGame(_Localisation):
    """Whether the feature with the most evidence lies in the truth: 1 or 0, between where it lies there in part.

    Of a feature of several elements it is the share of them that is in the truth or near it; features that tie count
    equally.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
        tolerance: how far from the truth still counts, in pixels of the model's input (steps of a series), as the
            crow flies; the paper allows 15 for photos. 0 for tables and texts.
    """

    summary = "whether the highest attribution lies in the truth, within a tolerance"
    source = "Zhang et al. 2018, Top-down Neural Attention by Excitation Backprop, section 4.1"

    tolerance: Annotated[int, Range(0)] = 0

    def located(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The share of the highest feature that is near the truth."""
        from xaiexp.builtin.metrics.localisation.ground_truth import grown, shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import hits

        near = shares(batch, grown(masks, self.tolerance, batch.background.modality))
        return hits(evidence, shares(batch, masks), near, batch.features.valid)


@dataclass(frozen=True)
class RelevanceMass(_Localisation):
    """The part of all evidence that lies inside the truth, in [0, 1].

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
    """

    summary = "the part of all evidence that lies inside the truth"
    source = "Arras et al. 2022, CLEVR-XAI, section 3.4 (relevance mass accuracy)"

    def located(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The mass inside."""
        from xaiexp.builtin.metrics.localisation.ground_truth import shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import mass

        return mass(evidence, shares(batch, masks), batch.features.valid)


@dataclass(frozen=True)
class EnergyPointingGame(_Localisation):
    """The part of all evidence that lies inside the smallest box around the truth, in [0, 1].

    ``relevance_mass`` with a box in place of the mask, as where only boxes are known: one box around everything that
    the mask marks, in the axes of the picture, or the stretch from the first to the last marked step or token. The
    columns of a table form no box.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
    """

    summary = "the part of all evidence that lies inside the box around the truth"
    source = "Wang et al. 2020, Score-CAM, section 4.3 (energy-based pointing game)"
    modalities = ("image", "text", "series")

    def located(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The mass inside the box."""
        from xaiexp.builtin.metrics.localisation.ground_truth import boxes, shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import mass
        from xaiexp.errors import Unsupported

        if batch.background.modality not in self.modalities:
            raise Unsupported("the columns of a table have no order, so there is no box around some of them")
        return mass(evidence, shares(batch, boxes(masks)), batch.features.valid)


@dataclass(frozen=True)
class RelevanceRank(_Localisation):
    """The share of the K features with the most evidence that are in the truth, which has K features, in [0, 1].

    NaN where no feature has half of its elements in the truth, or all have.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
    """

    summary = "the share of the truth among as many of the highest attributions"
    source = "Arras et al. 2022, CLEVR-XAI, section 3.4 (relevance rank accuracy)"

    def located(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The share of the truth that is found."""
        from xaiexp.builtin.metrics.localisation.ground_truth import shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import marked, top_share

        inside = marked(shares(batch, masks))
        return top_share(evidence, inside.double(), batch.features.valid, inside.sum(dim=1))


@dataclass(frozen=True)
class TopKIntersection(_Localisation):
    """The share of the k features with the most evidence that lies inside the truth, by area.

    In [0, 1]. A truth of fewer than k features cannot be met entirely. With ``concept_influence`` it is divided by the
    truth's share of all features: 1 is chance, and the largest value depends on the size of the truth.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
        k: how many features are the top; null is a tenth of them, at least one. More than there are means all.
        concept_influence: whether to divide by the share that the truth has of all features.
    """

    summary = "the share of the k highest attributions that lies inside the truth"
    source = "Theiner et al. 2022, Interpretable Semantic Photo Geolocation, section 4.3 (concept influence)"

    k: Annotated[int, Range(1)] | None = None
    concept_influence: bool = False

    @property
    def bounds(self) -> tuple[float | None, float | None]:  # type: ignore[override]  # the base class states a constant
        """The influence has no upper bound."""
        return (0.0, None) if self.concept_influence else (0.0, 1.0)

    def located(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The share of the top that is inside."""
        import torch

        from xaiexp.builtin.metrics.localisation.ground_truth import shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import top_share

        share, valid = shares(batch, masks), batch.features.valid
        counts = batch.features.counts.expand(len(batch))
        k = (counts // 10).clamp(min=1) if self.k is None else torch.full_like(counts, self.k)
        value = top_share(evidence, share, valid, k)
        return value / ((share * valid).sum(dim=1) / counts) if self.concept_influence else value


@dataclass(frozen=True)
class PrecisionAtK(_Localisation):
    """The share of the k features with the most evidence that are in the truth, in [0, 1].

    For rationales, the tokens that people marked. A truth of fewer than k features cannot reach 1.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
        k: how many features are looked at; all of them where an example has fewer.
    """

    summary = "the share of the k highest attributions that are in the truth"
    source = (
        "Manning et al. 2008, Introduction to Information Retrieval, section 8.4; of rationales: Atanasova et al. 2020"
    )

    k: Annotated[int, Range(1)] = 5

    def located(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The precision among the first k."""
        import torch

        from xaiexp.builtin.metrics.localisation.ground_truth import shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import marked, top_share

        inside = marked(shares(batch, masks))
        return top_share(evidence, inside.double(), batch.features.valid, torch.full_like(batch.targets, self.k))


@dataclass(frozen=True)
class AveragePrecision(_Localisation):
    """The area under precision over recall of the truth's features, most evidence first, in [0, 1].

    A sum of steps, as ``sklearn.metrics.average_precision_score``: features that tie enter together, so that a map that
    is the same everywhere has the truth's share of the features.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
    """

    summary = "average precision of the truth's features, highest attributions first"
    source = (
        "Manning et al. 2008, Introduction to Information Retrieval, section 8.4; of rationales: DeYoung et al. 2020"
    )

    def located(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The average precision."""
        from xaiexp.builtin.metrics.localisation.ground_truth import shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import average_precision, marked

        return average_precision(evidence, marked(shares(batch, masks)), batch.features.valid)
