"""Sentences of a verdict beside its tests: the best mean, what is shown to be equal, and the null study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xaiexp.statistics.multiple_comparisons.comparison import Comparison
from xaiexp.statistics.multiple_comparisons.equivalence import shown, within
from xaiexp.statistics.multiple_comparisons.null_study import NullRate, null_rate
from xaiexp.statistics.multiple_comparisons.simultaneous import simultaneous
from xaiexp.statistics.tolerance import difference

__all__ = [
    "best_mean",
    "equal_and_unknown",
    "first_three",
    "null_columns",
    "null_study",
    "null_warning",
    "null_words",
    "shown_pairs",
]

FloatArray = NDArray[np.float64]


def first_three(items: Sequence[str], noun: str = "pairs") -> str:
    """Up to three items, and how many more there are."""
    more = len(items) - 3
    return "; ".join(items[:3]) + (f" (and {more} more {noun if more > 1 else noun.removesuffix('s')})" * (more > 0))


def best_mean(values: FloatArray, compared: Comparison, seed: int, names: Sequence[str]) -> str:
    """The mean of the cell with the best one, with an interval that holds although it was chosen for being the best.

    It is simultaneous for the means of all ranked cells. An interval of one mean alone misses the best of 12 equal
    cells in about a fifth of all studies.
    """
    best, ranked = compared.order[0], sorted(compared.ranked)
    family = simultaneous(values[ranked][:, compared.common], seed=seed, level=compared.level)
    i = ranked.index(best)
    low, high = family.low[i], family.high[i]
    interval = "" if math.isinf(family.critical) else f" [{low:.3g}, {high:.3g}]"
    return f"mean of {names[best]}: {compared.means[best]:.3g}{interval}, corrected for being the best of {len(ranked)}"


def shown_pairs(compared: Comparison, margin: float) -> list[str]:
    """``different``, ``equal`` or ``unknown`` for every pair of cells, in the order of ``compared.pairs``."""
    return shown(compared.pairs.low, compared.pairs.high, margin)


def equal_and_unknown(compared: Comparison, margin: float, names: Sequence[str]) -> list[str]:
    """Which pairs of ranked cells are equal within the margin, and of how many nothing is known."""
    pairs, found = compared.pairs, shown_pairs(compared, margin)
    ranked = [i for i in range(len(found)) if {int(pairs.left[i]), int(pairs.right[i])} <= set(compared.ranked)]

    def listed(indices: Sequence[int]) -> str:
        return first_three([f"{names[pairs.left[i]]} and {names[pairs.right[i]]}" for i in indices])

    inside = within(pairs.low, pairs.high, margin)
    equal = [i for i in ranked if found[i] == "equal"]
    small = [i for i in ranked if found[i] == "different" and inside[i]]
    unknown = sum(found[i] == "unknown" for i in ranked)
    words = [f"shown equal within {margin:g}: {listed(equal) or 'no pair'}"]
    if small:
        words.append(f"different, but by less than {margin:g}: {listed(small)}")
    return [*words, f"neither different nor equal: {unknown} of {len(ranked)} pairs"] if unknown else words


def null_study(
    values: FloatArray,
    compared: Comparison,
    higher_is_better: bool,
    families: Mapping[int, Sequence[int]],
    *,
    seed: int,
    draws: int,
) -> tuple[NullRate, list[tuple[int, NullRate]]]:
    """The rates of false separations, if all cells had equal means: among all pairs, and against each control.

    Args:
        values: float64 ``[cells, N]``.
        compared: its comparison.
        higher_is_better: the direction of the values.
        families: control to the cells that are compared with it.
        seed: of the resampling.
        draws: samples.
    """
    chosen, ranked = values[:, compared.common], np.array(sorted(compared.ranked))
    left, right = (ranked[side] for side in np.triu_indices(len(ranked), 1))
    level = compared.level
    pairs = null_rate(difference(chosen[left], chosen[right]), seed=seed, draws=draws, level=level)
    against = []
    for control, others in families.items():
        gains = difference(chosen[list(others)], np.broadcast_to(chosen[control], (len(others), chosen.shape[1])))
        gains = gains if higher_is_better else -gains
        against.append((control, null_rate(gains, seed=seed, draws=draws, one_sided=True, level=level)))
    return pairs, against


def null_columns(rate: NullRate) -> dict[str, float]:
    """The columns of ``verdicts.csv``."""
    return {"null_rate": rate.rate, "null_low": rate.low, "null_high": rate.high}


def null_words(
    pairs: NullRate, against: Sequence[tuple[int, NullRate]], names: Sequence[str], level: float
) -> list[str]:
    """The rates in a sentence; none where there is no rate."""
    if not (found := _known(pairs, against, names)):
        return []
    rates = " and ".join(f"{what} in {_percent(rate)}" for what, rate in found)
    samples = found[0][1].draws
    return [
        f"on scores like these with equal means {rates} of {samples} samples (promised: at most {100 * level:.2g} %)"
    ]


def null_warning(
    pairs: NullRate, against: Sequence[tuple[int, NullRate]], names: Sequence[str], level: float
) -> list[str]:
    """A sentence that names the rates whose interval lies above what is promised; none where there is none."""
    above = [f"{what} in {_percent(rate)}" for what, rate in _known(pairs, against, names) if rate.low > level]
    return [
        f"warning: with equal means {each} of samples, more than the {100 * level:.2g} % that are promised"
        for each in above
    ]


def _known(
    pairs: NullRate, against: Sequence[tuple[int, NullRate]], names: Sequence[str]
) -> list[tuple[str, NullRate]]:
    found = [("two cells are separated", pairs), *((f"a cell is better than {names[i]}", rate) for i, rate in against)]
    return [(what, rate) for what, rate in found if not math.isnan(rate.rate)]


def _percent(rate: NullRate) -> str:
    return f"{100 * rate.rate:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"
