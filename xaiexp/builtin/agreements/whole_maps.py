"""Agreement of whole maps: correlations, the angle between them, structure, and rankings weighted from the top.

What :mod:`.components` says of all measures holds here too: a map that ranks nothing has no agreement (NaN), and no
measure but ``ssim`` depends on where a feature stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from xaiexp.contract.kinds import Agreement
from xaiexp.core.parameters import Range
from xaiexp.errors import ParameterError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Cosine", "KendallW", "Pearson", "RankBiasedOverlap", "Spearman", "Ssim", "TopKIouAdjusted"]


@dataclass(frozen=True)
class _Paired(Agreement):
    """Compares two maps as it compares any number of them."""

    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """Agreement ``[N]`` of ``a`` and ``b``; NaN where undefined."""
        import torch

        return self.compare_all(torch.stack([a, b]), [(0, 1)])[0]


@dataclass(frozen=True)
class Pearson(_Paired):
    """Pearson's correlation of two maps' signed values, in [-1, 1]; equals ``scipy.stats.pearsonr``."""

    summary = "Pearson's correlation of two maps' signed values"
    source = "Pearson 1895; of attributions: Adebayo et al. 2018"
    bounds = (-1.0, 1.0)
    needs_sign = True
    symmetric = True

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.products import pearson

        return pearson(maps, pairs)


@dataclass(frozen=True)
class Spearman(_Paired):
    """Spearman's correlation of two maps' signed values, in [-1, 1]; equals ``scipy.stats.spearmanr``.

    ``rank_correlation`` is the same of magnitudes.
    """

    summary = "Spearman's rank correlation of two maps' signed values"
    source = "Spearman 1904; of attributions: Adebayo et al. 2018 (rank correlation without absolute values)"
    bounds = (-1.0, 1.0)
    needs_sign = True
    symmetric = True

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.products import spearman

        return spearman(maps, pairs, magnitudes=False)


@dataclass(frozen=True)
class Cosine(_Paired):
    """The cosine of the angle between two maps, in [-1, 1]; of a map that is the same everywhere NaN, as of all."""

    summary = "the cosine of the angle between two maps"
    source = "Salton 1983; of attributions: Sixt et al. 2020, When Explanations Lie, section 3"
    bounds = (-1.0, 1.0)
    needs_sign = True
    symmetric = True

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.products import cosine

        return cosine(maps, pairs)


@dataclass(frozen=True)
class TopKIouAdjusted(_Paired):
    """Intersection over union of the top k features beyond chance: ``(IoU - E) / (1 - E)``, 0 for random maps.

    E is the expected value for random sets of the same sizes (hypergeometric). NaN where k takes in all features, so
    that chance cannot be told from agreement. Zeros and ties as in ``top_k_iou``.

    Args:
        k: how many features are the top; null is a tenth of them, at least one.
    """

    summary = "intersection over union of the top k features, corrected for chance"
    source = "Jaccard 1912; correction for chance: Hubert and Arabie 1985, equation 3"
    bounds = (None, 1.0)
    needs_sign = False
    symmetric = True

    k: Annotated[int, Range(1)] | None = None

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.overlap import top_k_iou_adjusted

        return top_k_iou_adjusted(maps, pairs, self.k)


@dataclass(frozen=True)
class RankBiasedOverlap(_Paired):
    """Overlap of the tops of two rankings by magnitude, averaged over all depths with weights ``p^k``, in [0, 1].

    Args:
        p: persistence: the expected depth is ``1 / (1 - p)``, here 50 features. State it with the value.
    """

    summary = "overlap of the tops of two rankings at every depth, deeper ones weighing less"
    source = "Webber, Moffat, Zobel 2010, A Similarity Measure for Indefinite Rankings, equations 28 and 30"
    bounds = (0.0, 1.0)
    needs_sign = False
    symmetric = True

    p: Annotated[float, Range(0.01, 0.9999)] = 0.98

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, d]``; NaN where undefined."""
        from xaiexp.builtin.agreements.overlap import rank_biased_overlap

        return rank_biased_overlap(maps, pairs, self.p)


@dataclass(frozen=True)
class Ssim(_Paired):
    """Structural similarity of two maps as pictures, in [-1, 1]; each is first divided by its largest magnitude.

    For features that lie in rows and columns (pixels, tiles); NaN for others, and for maps under three pixels.

    Args:
        window: side of the windows, odd; in smaller maps as large as they allow.
        of: the signed ``values`` (L = 2), or ``magnitudes`` (L = 1).
    """

    summary = "structural similarity of two maps as pictures"
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

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of the maps ``[M, N, H, W]``; NaN where undefined."""
        from xaiexp.builtin.agreements.structural_similarity import structural_similarity

        return structural_similarity(maps, pairs, self.window, magnitudes=self.of == "magnitudes")


@dataclass(frozen=True)
class KendallW(_Paired):
    """Kendall's coefficient of concordance of all maps at once, by magnitude, in [0, 1]; 1 is one ranking for all.

    Corrected for ties. M rankings that have nothing to do with each other give about ``1 / M``, so values are to be
    compared among equally many maps only.
    """

    summary = "concordance of the rankings of all maps at once"
    source = "Kendall and Babington Smith 1939; ties as in Siegel and Castellan 1988, equation 9.19"
    bounds = (0.0, 1.0)
    needs_sign = False
    symmetric = True
    joint = True

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of pairs, each taken together."""
        import torch

        return torch.stack([self.compare_jointly(maps[list(pair)]) for pair in pairs])

    def compare_jointly(self, maps: Tensor) -> Tensor:
        """Agreement ``[N]`` of M maps ``[M, N, d]``; NaN where one of them ranks nothing."""
        from xaiexp.builtin.agreements.products import concordance

        return concordance(maps)
