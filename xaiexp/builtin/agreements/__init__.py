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
from xaiexp.contract import Component

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
)
