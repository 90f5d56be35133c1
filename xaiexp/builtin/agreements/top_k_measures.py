"""Agreement of the features with the largest magnitudes; formulas in :mod:`.top_k_formulas`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from xaiexp.builtin.agreements.paired_agreement import PairedAgreement, Pairs
from xaiexp.core.parameters import Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.builtin.agreements.ranked_maps import RankedMaps

__all__ = [
    "FeatureAgreement",
    "RankAgreement",
    "RankBiasedOverlap",
    "SignAgreement",
    "SignedRankAgreement",
    "TopKIou",
    "TopKIouAdjusted",
]


@dataclass(frozen=True)
class _TopK(PairedAgreement):
    """A measure of the k largest magnitudes.

    Args:
        k: how many features are the top; null is a tenth of them, at least one. More than there are means all.
    """

    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)

    k: Annotated[int, Range(1)] | None = None


@dataclass(frozen=True)
class FeatureAgreement(_TopK):
    """The share of the top k features that two maps have in common, in [0, 1]: ``|A & B| / k``.

    A feature with attribution 0 is in no top k, so a map of fewer non-zero features has a smaller top; then k is
    the size of the larger of the two. Features that tie for the last places share them equally, and two maps share a
    feature to the extent of the smaller share: the exact expectation over breaking the ties at random where only one
    of the maps has them, and 1 for a map with itself.
    """

    summary = "the share of the top k features that two maps have in common"
    source = "Krishna et al. 2022, The Disagreement Problem, section 3 (feature agreement)"
    needs_sign = False

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.top_k_formulas import feature_agreement

        return feature_agreement(maps, pairs, self.k)


@dataclass(frozen=True)
class RankAgreement(_TopK):
    """The share of the top k places at which two maps have the same feature, in [0, 1].

    Zeros and ties as in ``feature_agreement``: t features that tie for places hold each of them with share 1/t.
    """

    summary = "the share of the top k places that two maps give to the same feature"
    source = "Krishna et al. 2022, The Disagreement Problem, section 3 (rank agreement)"
    needs_sign = False

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.top_k_formulas import rank_agreement

        return rank_agreement(maps, pairs, self.k)


@dataclass(frozen=True)
class SignAgreement(_TopK):
    """The share of the top k features that two maps have in common with the same sign, in [0, 1].

    Zeros and ties as in ``feature_agreement``.
    """

    summary = "the share of the top k features that two maps have in common, with the same sign"
    source = "Krishna et al. 2022, The Disagreement Problem, section 3 (sign agreement)"
    needs_sign = True

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.top_k_formulas import feature_agreement

        return feature_agreement(maps, pairs, self.k, signed=True)


@dataclass(frozen=True)
class SignedRankAgreement(_TopK):
    """The share of the top k places at which two maps have the same feature with the same sign, in [0, 1].

    Zeros and ties as in ``rank_agreement``.
    """

    summary = "the share of the top k places that two maps give to the same feature, with the same sign"
    source = "Krishna et al. 2022, The Disagreement Problem, section 3 (signed rank agreement)"
    needs_sign = True

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.top_k_formulas import rank_agreement

        return rank_agreement(maps, pairs, self.k, signed=True)


@dataclass(frozen=True)
class TopKIou(_TopK):
    """Intersection over union of the top k features of two maps, in [0, 1]: ``|A & B| / |A | B|``.

    Zeros and ties as in ``feature_agreement``: intersection and union add up the smaller and the larger share.
    Not corrected for chance: two random maps reach about ``k / (2 d - k)``.
    """

    summary = "intersection over union of the top k features of two maps"
    source = "Jaccard 1912; as a comparison of attributions: Ghorbani et al. 2019 (top-k intersection)"
    needs_sign = False

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.top_k_formulas import top_k_iou

        return top_k_iou(maps, pairs, self.k)


@dataclass(frozen=True)
class TopKIouAdjusted(_TopK):
    """Intersection over union of the top k features beyond chance: ``(IoU - E) / (1 - E)``, 0 for random maps.

    E is the expected value for random sets of the same sizes (hypergeometric). NaN where the top contains all features:
    chance and agreement are then the same. Zeros and ties as in ``top_k_iou``.

    Args:
        k: how many features are the top; null is a tenth of them, at least one.
    """

    summary = "intersection over union of the top k features, corrected for chance"
    source = "Jaccard 1912; correction for chance: Hubert and Arabie 1985, equation 3"
    bounds = (None, 1.0)
    needs_sign = False

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.top_k_formulas import top_k_iou_adjusted

        return top_k_iou_adjusted(maps, pairs, self.k)


@dataclass(frozen=True)
class RankBiasedOverlap(PairedAgreement):
    """Overlap of the tops of two rankings by magnitude, averaged over all depths with weights ``p^k``, in [0, 1].

    Args:
        p: persistence: the expected depth is ``1 / (1 - p)``, here 50 features. State it with the value.
    """

    summary = "overlap of the tops of two rankings at every depth, deeper ones weighing less"
    source = "Webber, Moffat, Zobel 2010, A Similarity Measure for Indefinite Rankings, equations 28 and 30"
    bounds = (0.0, 1.0)
    needs_sign = False

    p: Annotated[float, Range(0.01, 0.9999)] = 0.98

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.top_k_formulas import rank_biased_overlap

        return rank_biased_overlap(maps, pairs, self.p)
