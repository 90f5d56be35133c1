"""Agreement of two explanations of one example, over the top of them or in pairs of features.

The formulas are in :mod:`.top_k`, :mod:`.products` and :mod:`.pair_orders`.

What holds for all of them:

- A map that ranks nothing (all attributions equal, or a single feature) has no agreement with anything: NaN.
  "Equal" is meant of what the measure ranks: magnitudes, or signed values in ``kendall_tau``.
- Features are never told apart by their position: where attributions tie, no measure depends on their order.
- Every measure is symmetric, and a map that ranks something agrees with itself to the upper bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from xaiexp.contract.kinds import Agreement
from xaiexp.core.parameters import Range

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "FeatureAgreement",
    "KendallTau",
    "PairwiseRankAgreement",
    "RankAgreement",
    "RankCorrelation",
    "SignAgreement",
    "SignedRankAgreement",
    "TopKIou",
]


@dataclass(frozen=True)
class _Paired(Agreement):
    """Compares two maps as it compares any number of them."""

    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """Agreement ``[N]`` of ``a`` and ``b``, each ``[N, d]``; NaN where undefined."""
        import torch

        return self.compare_all(torch.stack([a, b]), [(0, 1)])[0]


@dataclass(frozen=True)
class _TopK(_Paired):
    """What the measures over the k largest magnitudes have in common (see :mod:`.top_k`).

    Args:
        k: how many features are the top; null is a tenth of them, at least one. More than there are means all.
    """

    bounds = (0.0, 1.0)
    symmetric = True

    k: Annotated[int, Range(1)] | None = None


@dataclass(frozen=True)
class FeatureAgreement(_TopK):
    """The share of the top k features that two maps have in common, in [0, 1]: ``|A & B| / k``.

    A feature with attribution 0 is in no top k, so a map of fewer non-zero features has a smaller top; then k is
    the size of the larger of the two. Features that tie for the last places hold them in equal shares, and two
    maps share a feature to the extent of the smaller share: the exact expectation over breaking the ties at random
    where only one of the maps has them, and 1 for a map with itself.
    """

    summary = "the share of the top k features that two maps have in common"
    source = "Krishna et al. 2022, The Disagreement Problem, section 3 (feature agreement)"
    needs_sign = False

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.top_k import feature_agreement

        return feature_agreement(maps, pairs, self.k)


@dataclass(frozen=True)
class RankAgreement(_TopK):
    """The share of the top k places at which two maps have the same feature, in [0, 1].

    Zeros and ties as in ``feature_agreement``: t features that tie for places hold each of them with share 1/t.
    """

    summary = "the share of the top k places that two maps give to the same feature"
    source = "Krishna et al. 2022, The Disagreement Problem, section 3 (rank agreement)"
    needs_sign = False

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.top_k import rank_agreement

        return rank_agreement(maps, pairs, self.k)


@dataclass(frozen=True)
class SignAgreement(_TopK):
    """The share of the top k features that two maps have in common with the same sign, in [0, 1].

    Zeros and ties as in ``feature_agreement``.
    """

    summary = "the share of the top k features that two maps have in common, with the same sign"
    source = "Krishna et al. 2022, The Disagreement Problem, section 3 (sign agreement)"
    needs_sign = True

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.top_k import feature_agreement

        return feature_agreement(maps, pairs, self.k, signed=True)


@dataclass(frozen=True)
class SignedRankAgreement(_TopK):
    """The share of the top k places at which two maps have the same feature with the same sign, in [0, 1].

    Zeros and ties as in ``rank_agreement``.
    """

    summary = "the share of the top k places that two maps give to the same feature, with the same sign"
    source = "Krishna et al. 2022, The Disagreement Problem, section 3 (signed rank agreement)"
    needs_sign = True

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.top_k import rank_agreement

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

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.top_k import top_k_iou

        return top_k_iou(maps, pairs, self.k)


@dataclass(frozen=True)
class RankCorrelation(_Paired):
    """Spearman's correlation of two maps' rankings by magnitude, in [-1, 1].

    As in the paper, features are ranked by importance, which is the magnitude of the attribution: the sign is not
    read. Ties get their average rank, so the value is that of ``scipy.stats.spearmanr(abs(a), abs(b))``.
    """

    summary = "Spearman's correlation of two rankings by magnitude"
    source = "Krishna et al. 2022, The Disagreement Problem, section 3 (rank correlation); Spearman 1904"
    bounds = (-1.0, 1.0)
    needs_sign = False
    symmetric = True

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.products import spearman

        return spearman(maps, pairs, magnitudes=True)


@dataclass(frozen=True)
class PairwiseRankAgreement(_Paired):
    """The share of pairs of features that two maps put in the same order of magnitude, in [0, 1].

    A pair that ties in both maps has no order to agree on and is left out; one that ties in one map counts a half,
    the expectation over breaking the tie at random.

    Over all pairs of up to 512 features. Of more features, ``n_pairs`` pairs or a few more are taken, the same for all
    maps, in which every feature stands equally often: the standard error is at most 0.0014, and the time follows the
    number of features, not that of their pairs.

    Args:
        n_pairs: pairs of features that are enough; null is all of them, counted for one pair of maps after the other.
    """

    summary = "the share of pairs of features that two maps put in the same order of magnitude"
    source = "Krishna et al. 2022, The Disagreement Problem, section 3 (pairwise rank agreement)"
    bounds = (0.0, 1.0)
    needs_sign = False
    symmetric = True

    n_pairs: Annotated[int, Range(1)] | None = 1 << 17

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.pair_orders import pairwise_rank_agreement

        return pairwise_rank_agreement(maps, pairs, self.n_pairs)


@dataclass(frozen=True)
class KendallTau(_Paired):
    """Kendall's tau-b of two maps, in [-1, 1]; equals ``scipy.stats.kendalltau`` over the pairs that are taken.

    These are all pairs of up to 512 features, and ``n_pairs`` or a few more of more features, as in
    ``pairwise_rank_agreement``: the standard error is at most 0.0028.

    Args:
        of: the signed ``values``, from most against to most for the target (NaN for methods that are not
            signed), or their ``magnitudes``.
        n_pairs: pairs of features that are enough; null is all of them, counted for one pair of maps after the other.
    """

    summary = "Kendall's rank correlation tau-b of two maps' signed values (or magnitudes)"
    source = "Kendall 1945 (tau-b); a sample of the pairs of features: Blom 1976"
    bounds = (-1.0, 1.0)
    symmetric = True

    of: Literal["values", "magnitudes"] = "values"
    n_pairs: Annotated[int, Range(1)] | None = 1 << 17

    @property
    def needs_sign(self) -> bool:
        """Magnitudes are defined without signs."""
        return self.of == "values"

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.pair_orders import kendall_tau

        return kendall_tau(maps, pairs, self.n_pairs, self.of == "magnitudes")
