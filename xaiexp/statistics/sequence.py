"""Intervals of mean differences that hold at every look, however many examples are added between the looks.

A confidence sequence by a union bound (Darling and Robbins 1967): the k-th look takes simultaneous intervals at the
level ``level / (k (k + 1))``. These levels add up to ``level``, so that all intervals of all looks hold together with
the probability ``1 - level``, whenever one stops and for whatever reason. The next look comes after half as many
examples again, which keeps the looks few and the intervals short. Nothing has to be known about the bounds of the
scores; each look is as valid as :func:`xaiexp.statistics.multiple_comparisons.simultaneous.simultaneous` is for its
number of examples, therefore the first one waits for :data:`FIRST_LOOK` examples. ``benchmarks/claims.py`` measures the
errors over all looks.

Asymptotic confidence sequences (Waudby-Smith et al. 2024) give intervals for every single example. At few looks they
are wider, and from 32 examples on they err in 7 to 10 % of sequences where half of the scores are zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xaiexp.statistics.multiple_comparisons.simultaneous import simultaneous

__all__ = ["FIRST_LOOK", "ConfidenceSequence", "fixed_intervals"]

FloatArray = NDArray[np.float64]

FIRST_LOOK = 32
"""Examples of the first look."""

_GROWTH = 1.5
_TAIL = 10  # resamples beyond the critical value, at least


@dataclass
class ConfidenceSequence:
    """Intervals of P mean differences that hold together over all looks.

    Args:
        pairs: P.
        level: probability that any interval of any look misses its mean difference.
        seed: of the resampling.

    Attributes:
        looks: how many there were.
        examples: of the last look.
        low, high: float64 ``[P]``, the intersection of the intervals of all looks; infinite before the first one.
    """

    pairs: int
    level: float
    seed: int

    def __post_init__(self) -> None:
        self.looks, self.examples = 0, 0
        self.low, self.high = np.full(self.pairs, -np.inf), np.full(self.pairs, np.inf)

    def due(self, n: int) -> bool:
        """Whether there is a look at n examples, given the looks before."""
        return n >= max(FIRST_LOOK, _GROWTH * self.examples)

    @property
    def next_level(self) -> float:
        """The level of the intervals of the next look."""
        return self.level / ((self.looks + 1) * (self.looks + 2))

    def look(self, differences: FloatArray) -> None:
        """Look at the differences of all examples so far, ``[P, n]``, paired by example, without NaN."""
        level = self.next_level
        self.looks, self.examples = self.looks + 1, differences.shape[1]
        low, high = fixed_intervals(differences, level, self.seed)
        self.low, self.high = np.maximum(self.low, low), np.minimum(self.high, high)


def fixed_intervals(differences: FloatArray, level: float, seed: int) -> tuple[FloatArray, FloatArray]:
    """Simultaneous intervals ``[P]`` of the mean differences ``[P, n]``, for a fixed number of examples.

    Those of :func:`~xaiexp.statistics.multiple_comparisons.simultaneous.simultaneous`; a single pair is
    resampled too, so that its interval allows for skew differences.
    """
    both = np.concatenate([differences, -differences])  # largest |t| of the same pairs
    family = simultaneous(both, seed=seed, level=level, draws=max(1999, round(_TAIL / level) - 1))
    return family.low[: len(differences)], family.high[: len(differences)]
