"""Compares the cells of one metric: which are ranked, in which order, and what the tests of their pairs separate."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xaiexp.statistics.multiple_comparisons.letters import compact_letters, rank_sets
from xaiexp.statistics.multiple_comparisons.simultaneous import simultaneous
from xaiexp.statistics.significance import MIN_EXAMPLES, Pairs, crossed_tests, paired_tests
from xaiexp.statistics.tolerance import difference

__all__ = ["LEVEL", "MIN_DEFINED", "Comparison", "better_for_other_seeds", "better_than", "compare"]

FloatArray = NDArray[np.float64]

LEVEL = 0.05
"""Family-wise error rate of the tests of one metric."""

MIN_DEFINED = 0.8
"""Smallest share of the examples on which a cell must be defined to be ranked."""


@dataclass(frozen=True)
class Comparison:
    """The cells of one metric, compared on the examples where all ranked cells are defined.

    Undefined scores are rarely missing at random, so that means over different examples are not comparable.

    Args:
        ranked: the cells that are defined on at least :data:`MIN_DEFINED` of the examples; an example where no cell is
            defined does not count.
        order: the ranked cells by their mean on the common examples, best first. No test supports this order.
        common: bool ``[N]``, the examples where all ranked cells are defined.
        means: float64 ``[cells]``, on the common examples; NaN for a cell without a rank.
        pairs: tests of all pairs. Those of ranked cells are on the common examples, with simultaneous intervals and p
            values; the others are on the examples where both are defined, and uncorrected only.
        better: bool ``[cells, cells]``, whether the cell of the row is significantly better than that of the column.
        letters: two ranked cells share a letter exactly where their difference is not significant; empty for a cell
            without a rank, and for all where one cell is ranked or there are fewer than :data:`MIN_EXAMPLES` common
            examples.
        ranks: float64 ``[2, cells]``, see :func:`~xaiexp.statistics.multiple_comparisons.letters.rank_sets`; NaN
            likewise.
        level: family-wise error rate of the tests.
    """

    ranked: tuple[int, ...]
    order: tuple[int, ...]
    common: NDArray[np.bool_]
    means: FloatArray
    pairs: Pairs
    better: NDArray[np.bool_]
    letters: tuple[str, ...]
    ranks: FloatArray
    level: float = LEVEL

    def pair(self, i: int, j: int) -> int:
        """The place of the pair of cells i and j in the arrays of ``pairs``."""
        return int(np.flatnonzero((self.pairs.left == min(i, j)) & (self.pairs.right == max(i, j)))[0])

    def separated(self, i: int, j: int) -> bool:
        """Whether the difference of two cells is significant."""
        return bool(self.better[i, j] or self.better[j, i])


def compare(
    values: FloatArray, higher_is_better: bool, *, seed: int, metrics: int = 1, signed_rank: bool = False
) -> Comparison:
    """Compare all cells of one metric.

    Args:
        values: float64 ``[cells, N]``, NaN where undefined.
        higher_is_better: the direction of the values.
        seed: seed of the resampling of :func:`xaiexp.statistics.multiple_comparisons.simultaneous.simultaneous`.
        metrics: number of metrics over which :data:`LEVEL` is the family-wise error rate. Each gets an equal part of it
            (Bonferroni), so that letters, intervals and corrected p values still say the same.
        signed_rank: whether to compute Wilcoxon's signed-rank test as well.
    """
    values = np.asarray(values, dtype=np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    compared = _compared(values.tobytes(), values.shape, higher_is_better, seed, metrics)
    if not signed_rank:
        return compared
    pairs = replace(compared.pairs, p_signed_rank=paired_tests(_restricted(values, compared), True).p_signed_rank)
    return replace(compared, pairs=pairs)


def _restricted(values: FloatArray, compared: Comparison) -> FloatArray:
    """The values with NaN where a ranked cell is not compared."""
    restricted = values.copy()
    restricted[np.ix_(np.array(compared.ranked, dtype=np.int64), np.flatnonzero(~compared.common))] = np.nan
    return restricted


@functools.lru_cache(maxsize=32)
def _compared(content: bytes, shape: tuple[int, ...], higher_is_better: bool, seed: int, metrics: int) -> Comparison:
    """As :func:`compare`, without the signed-rank test; summary, verdict and pairs of a study all ask for the same."""
    values = np.frombuffer(content).reshape(shape)
    level = LEVEL / metrics
    known = ~np.isnan(values)
    some = int(known.any(axis=0).sum())
    ranked = [i for i in range(len(values)) if some and known[i].sum() >= MIN_DEFINED * some]
    rows = np.array(ranked, dtype=np.int64)
    common = np.asarray(known[rows].all(axis=0) & known.any(axis=0))
    if not ranked:
        common[:] = False
    restricted = values.copy()
    restricted[np.ix_(rows, np.flatnonzero(~common))] = np.nan
    means = np.full(len(values), np.nan)
    if common.any():
        means[rows] = values[rows][:, common].mean(axis=1)
    order = sorted(ranked, key=lambda i: -means[i] if higher_is_better else means[i]) if common.any() else []
    pairs = paired_tests(restricted)
    pairs = replace(pairs, p_adjusted=np.full(len(pairs.p), np.nan))
    better = np.zeros((len(values), len(values)), dtype=bool)
    letters: Sequence[str] = [""] * len(values)
    ranks = np.full((2, len(values)), np.nan)
    if common.sum() >= MIN_EXAMPLES and len(ranked) > 1:
        of_ranked = np.isin(pairs.left, ranked) & np.isin(pairs.right, ranked)
        if of_ranked.any():
            left, right = pairs.left[of_ranked], pairs.right[of_ranked]
            family = simultaneous(difference(values[left][:, common], values[right][:, common]), seed=seed, level=level)
            pairs = replace(
                pairs,
                p_adjusted=_spread(np.minimum(1.0, metrics * family.p), of_ranked),
                low=_spread(family.low, of_ranked),
                high=_spread(family.high, of_ranked),
                detectable=_spread(family.detectable, of_ranked),
            )
            left_is_better = family.separated & ((family.mean > 0) == higher_is_better)
            better[left, right] = left_is_better
            better[right, left] = family.separated & ~left_is_better
        letters, ranks = compact_letters(better | better.T, order), rank_sets(better, order)
    return Comparison(tuple(ranked), tuple(order), common, means, pairs, better, tuple(letters), ranks, level)


def better_than(
    values: FloatArray, compared: Comparison, control: int, higher_is_better: bool, *, seed: int, others: Sequence[int]
) -> list[int]:
    """The cells that are significantly better than a control: a family of one-sided tests of its own.

    It asks fewer questions than the tests of all pairs, and finds more. A cell that all pairs show to be better is
    always among the results.

    Args:
        values: as for :func:`compare`.
        compared: its result; the tests are on its common examples.
        control: a ranked cell.
        higher_is_better: the direction of the values.
        seed: seed of the resampling.
        others: the ranked cells that are compared with the control.
    """
    if not len(others) or compared.common.sum() < MIN_EXAMPLES:
        return []
    chosen = values[:, compared.common]
    gains = difference(chosen[list(others)], np.broadcast_to(chosen[control], (len(others), chosen.shape[1])))
    family = simultaneous(gains if higher_is_better else -gains, seed=seed, one_sided=True, level=compared.level)
    return [i for i, found in zip(others, family.separated, strict=True) if found or compared.better[i, control]]


def better_for_other_seeds(by_seed: FloatArray, compared: Comparison, higher_is_better: bool) -> NDArray[np.bool_]:
    """Which cells are better for other examples and other seeds, bool ``[cells, cells]`` as in :class:`Comparison`.

    Tests: :func:`xaiexp.statistics.significance.crossed_tests` on the common examples, with Holm's correction.

    Args:
        by_seed: float64 ``[cells, N, S]``, NaN where undefined.
        compared: of the means over the seeds.
        higher_is_better: the direction of the values.
    """
    better = np.zeros_like(compared.better)
    order = np.array(sorted(compared.ranked), dtype=np.int64)
    pairs = crossed_tests(by_seed[np.ix_(order, np.flatnonzero(compared.common))])
    significant = pairs.p_adjusted <= compared.level
    left_is_better = significant & ((pairs.difference > 0) == higher_is_better)
    better[order[pairs.left], order[pairs.right]] = left_is_better
    better[order[pairs.right], order[pairs.left]] = significant & ~left_is_better
    return better


def _spread(part: FloatArray, chosen: NDArray[np.bool_]) -> FloatArray:
    """The values of the chosen pairs among NaN."""
    out = np.full(len(chosen), np.nan)
    out[chosen] = part
    return out
