"""The built-in agreements."""

from __future__ import annotations

from xaiexp.builtin.agreements.components import (
    FeatureAgreement,
    KendallTau,
    PairwiseRankAgreement,
    RankAgreement,
    RankCorrelation,
    SignAgreement,
    SignedRankAgreement,
    TopKIou,
)
from xaiexp.builtin.agreements.whole_maps import (
    Cosine,
    KendallW,
    Pearson,
    RankBiasedOverlap,
    Spearman,
    Ssim,
    TopKIouAdjusted,
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
