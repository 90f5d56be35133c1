"""Built-in agreements: measures of how similar two (or all) attribution maps of the same example are.

``top_k_measures`` and ``whole_map_measures`` hold the components, what users configure; their formulas are in the
``*_formula(s)`` files. Every formula but that of SSIM reads a :class:`.ranked_maps.RankedMaps`, which computes what
several measures need (orders, ranks, products of all pairs of maps) once for all measures that are given the same
tensor. In all measures a map that ranks nothing (all values equal, or all magnitudes where these are ranked; a single
feature) has no agreement with anything: NaN. Except in SSIM the position of a feature has no influence, also where
attributions tie. All are symmetric, and a map that ranks something agrees with itself to the upper bound.
"""

from __future__ import annotations

from xaiexp.builtin.agreements.top_k_measures import (
    FeatureAgreement,
    RankAgreement,
    RankBiasedOverlap,
    SignAgreement,
    SignedRankAgreement,
    TopKIou,
    TopKIouAdjusted,
)
from xaiexp.builtin.agreements.whole_map_measures import (
    Cosine,
    KendallTau,
    KendallW,
    PairwiseRankAgreement,
    Pearson,
    RankCorrelation,
    Spearman,
    Ssim,
)
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    FeatureAgreement,
    RankAgreement,
    SignAgreement,
    SignedRankAgreement,
    RankCorrelation,
    PairwiseRankAgreement,
    KendallTau,
    TopKIou,
    TopKIouAdjusted,
    RankBiasedOverlap,
    Spearman,
    Pearson,
    Cosine,
    Ssim,
    KendallW,
)
