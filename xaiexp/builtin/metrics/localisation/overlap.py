"""Metrics of the overlap of attributions with the ground truth; see :class:`_Localisation` for what they share."""

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
    """Base of the metrics of the overlap of attributions with the ground truth.

    The ground truth is the mask that the dataset provides for an example (pixels, tokens, steps, columns). NaN, and
    counted as such, for an example without a mask, for a mask that is empty or covers everything, and for a map without
    evidence. Evidence is the positive part of the attributions, which supports the target, or their magnitudes; for
    methods without signs always the magnitudes. A feature may lie inside the ground truth in part: metrics of area use
    the share of its elements inside; metrics of rank count a feature as inside if at least half of its elements are.
    Where features tie, the value is the expectation over breaking ties at random, unless a metric states otherwise. The
    metrics make no passes.

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
        """The values ``[N]``; NaN for examples without ground truth."""
        from xaiexp.builtin.metrics.localisation.overlap_formulas import evidence

        if batch.masks is None or not batch.features.d:
            return batch.inputs.new_full((len(batch),), float("nan"))
        return self.overlap(batch, batch.masks, evidence(explanation, self.of)).to(batch.inputs.dtype)

    @abstractmethod
    def overlap(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The values ``[N]`` from evidence ``[N, d]``."""

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """No passes."""
        return Cost(forward=0)


@dataclass(frozen=True)
class PointingGame(_Localisation):
    """Whether the feature with the most evidence lies inside the ground truth: 1, 0, or in between if it does in part.

    For a feature of several elements, the value is the share of them inside the ground truth or near it. Features that
    tie count equally.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
        tolerance: the Euclidean distance from the ground truth that still counts, in pixels of the model's input (steps
            of a time series); the paper allows 15 for photos. Must be 0 for tables and texts.
    """

    summary = "whether the highest attribution lies in the ground truth, within a tolerance"
    source = "Zhang et al. 2018, Top-down Neural Attention by Excitation Backprop, section 4.1"

    tolerance: Annotated[int, Range(0)] = 0

    def overlap(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The share of the highest feature that lies near the ground truth."""
        from xaiexp.builtin.metrics.localisation.ground_truth import dilated, inside_shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import pointing_hits

        near = inside_shares(batch, dilated(masks, self.tolerance, batch.background.modality))
        return pointing_hits(evidence, inside_shares(batch, masks), near, batch.features.valid)


@dataclass(frozen=True)
class RelevanceMass(_Localisation):
    """The share of all evidence that lies inside the ground truth, in [0, 1].

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
    """

    summary = "the share of all evidence that lies inside the ground truth"
    source = "Arras et al. 2022, CLEVR-XAI, section 3.4 (relevance mass accuracy)"

    def overlap(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The share of the evidence inside."""
        from xaiexp.builtin.metrics.localisation.ground_truth import inside_shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import mass_inside

        return mass_inside(evidence, inside_shares(batch, masks), batch.features.valid)


@dataclass(frozen=True)
class EnergyPointingGame(_Localisation):
    """The share of all evidence that lies inside the smallest box around the ground truth, in [0, 1].

    ``relevance_mass`` with a box in place of the mask, for comparison with datasets that provide boxes only. The box
    encloses the whole mask: a rectangle in an image, or the interval from the first to the last marked step or token.
    The columns of a table form no box.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
    """

    summary = "the share of all evidence that lies inside the box around the ground truth"
    source = "Wang et al. 2020, Score-CAM, section 4.3 (energy-based pointing game)"
    modalities = ("image", "text", "series")

    def overlap(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The share of the evidence inside the box."""
        from xaiexp.builtin.metrics.localisation.ground_truth import bounding_boxes, inside_shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import mass_inside
        from xaiexp.errors import Unsupported

        if batch.background.modality not in self.modalities:
            raise Unsupported("the columns of a table have no order, so no box around some of them is defined")
        return mass_inside(evidence, inside_shares(batch, bounding_boxes(masks)), batch.features.valid)


@dataclass(frozen=True)
class RelevanceRank(_Localisation):
    """The share of the K features with the most evidence that lie inside a ground truth of K features, in [0, 1].

    NaN where no feature has half of its elements inside the ground truth, or all features have.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
    """

    summary = "the share of the K highest attributions that lie in the ground truth of K features"
    source = "Arras et al. 2022, CLEVR-XAI, section 3.4 (relevance rank accuracy)"

    def overlap(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The share of the ground truth among the top features."""
        from xaiexp.builtin.metrics.localisation.ground_truth import inside_shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import mostly_inside, top_k_share

        inside = mostly_inside(inside_shares(batch, masks))
        return top_k_share(evidence, inside.double(), batch.features.valid, inside.sum(dim=1))


@dataclass(frozen=True)
class TopKIntersection(_Localisation):
    """The share of the k features with the most evidence that lies inside the ground truth, by area.

    In [0, 1]; a ground truth of fewer than k features cannot reach 1. With ``concept_influence`` the value is divided
    by the ground truth's share of all features: 1 is chance, and the maximum depends on the size of the ground truth.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
        k: how many features are the top, limited to the number of features; null is a tenth of them, at least one.
        concept_influence: divide by the share that the ground truth has of all features.
    """

    summary = "the share of the k highest attributions that lies inside the ground truth"
    source = "Theiner et al. 2022, Interpretable Semantic Photo Geolocation, section 4.3 (concept influence)"

    k: Annotated[int, Range(1)] | None = None
    concept_influence: bool = False

    @property
    def bounds(self) -> tuple[float | None, float | None]:  # type: ignore[override]  # the base class states a constant
        """The concept influence has no upper bound."""
        return (0.0, None) if self.concept_influence else (0.0, 1.0)

    def overlap(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The share of the top features that is inside."""
        import torch

        from xaiexp.builtin.metrics.localisation.ground_truth import inside_shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import top_k_share

        share, valid = inside_shares(batch, masks), batch.features.valid
        counts = batch.features.counts.expand(len(batch))
        k = (counts // 10).clamp(min=1) if self.k is None else torch.full_like(counts, self.k)
        value = top_k_share(evidence, share, valid, k)
        return value / ((share * valid).sum(dim=1) / counts) if self.concept_influence else value


@dataclass(frozen=True)
class PrecisionAtK(_Localisation):
    """The share of the k features with the most evidence that lie inside the ground truth, in [0, 1].

    Used with rationales, the tokens that annotators marked. A ground truth of fewer than k features cannot reach 1.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
        k: how many features are evaluated, limited to the number of features.
    """

    summary = "the share of the k highest attributions that lie in the ground truth"
    source = (
        "Manning et al. 2008, Introduction to Information Retrieval, section 8.4; of rationales: Atanasova et al. 2020"
    )

    k: Annotated[int, Range(1)] = 5

    def overlap(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The precision among the first k."""
        import torch

        from xaiexp.builtin.metrics.localisation.ground_truth import inside_shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import mostly_inside, top_k_share

        inside = mostly_inside(inside_shares(batch, masks))
        return top_k_share(evidence, inside.double(), batch.features.valid, torch.full_like(batch.targets, self.k))


@dataclass(frozen=True)
class AveragePrecision(_Localisation):
    """The area under precision over recall of the ground truth's features, most evidence first, in [0, 1].

    A sum of steps, as ``sklearn.metrics.average_precision_score``: ties enter at the same step, so the value of a
    constant map is the ground truth's share of the features.

    Args:
        of: what counts as evidence: the ``positive`` part of the attributions, or their ``magnitudes``.
    """

    summary = "average precision of the ground truth's features, highest attributions first"
    source = (
        "Manning et al. 2008, Introduction to Information Retrieval, section 8.4; of rationales: DeYoung et al. 2020"
    )

    def overlap(self, batch: Batch, masks: Tensor, evidence: Tensor) -> Tensor:
        """The average precision."""
        from xaiexp.builtin.metrics.localisation.ground_truth import inside_shares
        from xaiexp.builtin.metrics.localisation.overlap_formulas import average_precision, mostly_inside

        return average_precision(evidence, mostly_inside(inside_shares(batch, masks)), batch.features.valid)
