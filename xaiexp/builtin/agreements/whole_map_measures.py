"""Agreement of whole maps: correlations, orders of pairs of features, structure, and the concordance of all maps.

Formulas in :mod:`.correlation_formulas`, :mod:`.feature_pair_formulas` and :mod:`.ssim_formula`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from xaiexp.builtin.agreements.paired_agreement import PairedAgreement, Pairs
from xaiexp.contract.kinds import Agreement
from xaiexp.core.parameters import Range
from xaiexp.errors import ParameterError

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.builtin.agreements.ranked_maps import RankedMaps

__all__ = [
    "Cosine",
    "KendallTau",
    "KendallW",
    "PairwiseRankAgreement",
    "Pearson",
    "RankCorrelation",
    "Spearman",
    "Ssim",
]


@dataclass(frozen=True)
class RankCorrelation(PairedAgreement):
    """Spearman's correlation of two maps' rankings by magnitude, in [-1, 1].

    As in the paper, features are ranked by importance, which is the magnitude of the attribution: the sign is not
    read. Ties get their average rank, so the value is that of ``scipy.stats.spearmanr(abs(a), abs(b))``.
    """

    summary = "Spearman's correlation of two rankings by magnitude"
    source = "Krishna et al. 2022, The Disagreement Problem, section 3 (rank correlation); Spearman 1904"
    bounds = (-1.0, 1.0)
    needs_sign = False

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.correlation_formulas import spearman

        return spearman(maps, pairs, signed=False)


@dataclass(frozen=True)
class Spearman(PairedAgreement):
    """Spearman's correlation of two maps' signed values, in [-1, 1]; equals ``scipy.stats.spearmanr``.

    ``rank_correlation`` is the same of magnitudes.
    """

    summary = "Spearman's rank correlation of two maps' signed values"
    source = "Spearman 1904; of attributions: Adebayo et al. 2018 (rank correlation without absolute values)"
    bounds = (-1.0, 1.0)
    needs_sign = True

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.correlation_formulas import spearman

        return spearman(maps, pairs, signed=True)


@dataclass(frozen=True)
class Pearson(PairedAgreement):
    """Pearson's correlation of two maps' signed values, in [-1, 1]; equals ``scipy.stats.pearsonr``."""

    summary = "Pearson's correlation of two maps' signed values"
    source = "Pearson 1895; of attributions: Adebayo et al. 2018"
    bounds = (-1.0, 1.0)
    needs_sign = True

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.correlation_formulas import pearson

        return pearson(maps, pairs)


@dataclass(frozen=True)
class Cosine(PairedAgreement):
    """The cosine of the angle between two maps, in [-1, 1]; NaN for a constant map, as in all measures."""

    summary = "the cosine of the angle between two maps"
    source = "Salton 1983; of attributions: Sixt et al. 2020, When Explanations Lie, section 3"
    bounds = (-1.0, 1.0)
    needs_sign = True

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.correlation_formulas import cosine

        return cosine(maps, pairs)


@dataclass(frozen=True)
class PairwiseRankAgreement(PairedAgreement):
    """The share of pairs of features that two maps put in the same order of magnitude, in [0, 1].

    A pair that ties in both maps has no order to agree on and is left out; one that ties in one map counts one half,
    the expectation over breaking the tie at random.

    Over all pairs of up to 512 features. Of more features, ``n_pairs`` pairs or a few more are sampled, the same for
    all maps, in which every feature occurs equally often: the standard error is at most 0.0014, and the time grows with
    the number of features, not with that of their pairs.

    Args:
        n_pairs: how many pairs of features suffice; null is all of them, counted for one pair of maps after the other.
    """

    summary = "the share of pairs of features that two maps put in the same order of magnitude"
    source = "Krishna et al. 2022, The Disagreement Problem, section 3 (pairwise rank agreement)"
    bounds = (0.0, 1.0)
    needs_sign = False

    n_pairs: Annotated[int, Range(1)] | None = 1 << 17

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.feature_pair_formulas import pairwise_rank_agreement

        return pairwise_rank_agreement(maps, pairs, self.n_pairs)


@dataclass(frozen=True)
class KendallTau(PairedAgreement):
    """Kendall's tau-b of two maps, in [-1, 1]; equals ``scipy.stats.kendalltau`` over the pairs that are taken.

    These are all pairs of up to 512 features, and ``n_pairs`` or a few more of more features, as in
    ``pairwise_rank_agreement``: the standard error is at most 0.0028.

    Args:
        of: the signed ``values``, from most against to most for the target (NaN for methods that are not
            signed), or their ``magnitudes``.
        n_pairs: how many pairs of features suffice; null is all of them, counted for one pair of maps after the other.
    """

    summary = "Kendall's rank correlation tau-b of two maps' signed values (or magnitudes)"
    source = "Kendall 1945 (tau-b); a sample of the pairs of features: Blom 1976"
    bounds = (-1.0, 1.0)

    of: Literal["values", "magnitudes"] = "values"
    n_pairs: Annotated[int, Range(1)] | None = 1 << 17

    @property
    def needs_sign(self) -> bool:
        """Magnitudes are defined without signs."""
        return self.of == "values"

    def _formula(self, maps: RankedMaps, pairs: Pairs) -> Tensor:
        from xaiexp.builtin.agreements.feature_pair_formulas import kendall_tau

        return kendall_tau(maps, pairs, self.n_pairs, signed=self.of == "values")


@dataclass(frozen=True)
class KendallW(Agreement):
    """Kendall's coefficient of concordance of all maps jointly, by magnitude, in [0, 1]; 1 is one ranking for all.

    Corrected for ties. M unrelated rankings give about ``1 / M``, so only values of equally many maps are comparable.
    """

    summary = "concordance of the rankings of all maps at once"
    source = "Kendall and Babington Smith 1939; ties as in Siegel and Castellan 1988, equation 9.19"
    bounds = (0.0, 1.0)
    needs_sign = False
    symmetric = True
    joint = True

    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """Agreement ``[N]`` of ``a`` and ``b``, each ``[N, d]``; NaN where undefined."""
        import torch

        return self.compare_jointly(torch.stack([a, b]))

    def compare_jointly(self, maps: Tensor) -> Tensor:
        """Agreement ``[N]`` of M maps ``[M, N, d]``; NaN where one of them ranks nothing."""
        from xaiexp.builtin.agreements.correlation_formulas import concordance
        from xaiexp.builtin.agreements.ranked_maps import RankedMaps

        if not maps.numel():
            return maps.new_full((maps.shape[1],), float("nan"))
        return concordance(RankedMaps.of(maps)).clamp(*self.bounds).to(maps.dtype)


@dataclass(frozen=True)
class Ssim(Agreement):
    """Structural similarity of two maps as images, in [-1, 1]; each is first divided by its largest magnitude.

    For features that lie in rows and columns (pixels, tiles); NaN for others, and for maps under three pixels.

    Args:
        window: side of the windows, odd; in smaller maps as large as they allow.
        of: the signed ``values`` (L = 2), or ``magnitudes`` (L = 1).
    """

    summary = "structural similarity of two maps as images"
    source = "Wang et al. 2004, Image Quality Assessment, equation 13; of attributions: Adebayo et al. 2018"
    bounds = (-1.0, 1.0)
    symmetric = True
    needs_grid = True

    window: Annotated[int, Range(3)] = 7
    of: Literal["values", "magnitudes"] = "magnitudes"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window % 2 == 0:
            raise ParameterError("agreement.ssim.window", "must be odd", got=self.window)

    @property
    def needs_sign(self) -> bool:
        """Magnitudes are defined without signs."""
        return self.of == "values"

    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """Agreement ``[N]`` of ``a`` and ``b``, each ``[N, H, W]``; NaN where undefined."""
        import torch

        return self.compare_all(torch.stack([a, b]), [(0, 1)])[0]

    def compare_all(self, maps: Tensor, pairs: Pairs) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, H, W]``; NaN where undefined."""
        from xaiexp.builtin.agreements.ssim_formula import structural_similarity

        return structural_similarity(maps, pairs, self.window, magnitudes=self.of == "magnitudes")
