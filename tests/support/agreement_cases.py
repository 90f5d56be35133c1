"""Agreements, maps with many ties, and the definitions in loops, for tests of agreements."""

from __future__ import annotations

import torch
from reference import agreements_loops as loops

from xaiexp.builtin.agreements import COMPONENTS
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
    PairwiseRankAgreement,
    Pearson,
    RankCorrelation,
    Spearman,
)

TOP_K = (FeatureAgreement, RankAgreement, SignAgreement, SignedRankAgreement, TopKIou)
PAIRED = [cls for cls in COMPONENTS if not (cls.needs_grid or cls.joint)]
EVERY = [
    *(cls() for cls in PAIRED),
    KendallTau(of="magnitudes"),
    KendallTau(n_pairs=None),
    RankBiasedOverlap(p=0.7),
    TopKIouAdjusted(k=4),
]


def by_loops(agreement, a, b):
    """The value of two maps ``[d]`` from the definition, in loops."""
    a, b = list(map(float, a)), list(map(float, b))
    k = getattr(agreement, "k", None) or max(1, len(a) // 10)
    match agreement:
        case FeatureAgreement():
            return loops.feature_agreement(a, b, k)
        case SignAgreement():
            return loops.feature_agreement(a, b, k, signed=True)
        case RankAgreement():
            return loops.rank_agreement(a, b, k)
        case SignedRankAgreement():
            return loops.rank_agreement(a, b, k, signed=True)
        case TopKIou():
            return loops.top_k_iou(a, b, k)
        case TopKIouAdjusted():
            return loops.top_k_iou_adjusted(a, b, k)
        case RankBiasedOverlap(p=p):
            return loops.rank_biased_overlap(a, b, p)
        case Pearson():
            return loops.pearson(a, b)
        case Spearman():
            return loops.pearson(a, b, ranks_first=True)
        case Cosine():
            return loops.cosine(a, b)
        case RankCorrelation():
            return loops.rank_correlation(a, b)
        case PairwiseRankAgreement():
            return loops.pairwise_rank_agreement(a, b)
        case KendallTau(of="values"):
            return loops.kendall_tau(a, b)
        case _:
            return loops.kendall_tau(list(map(abs, a)), list(map(abs, b)))


def tied_maps(m, n, d, seed=0, high=3):
    """Small integers, so that ties, zeros and both signs are common."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-high, high + 1, (m, n, d), generator=generator).double()
