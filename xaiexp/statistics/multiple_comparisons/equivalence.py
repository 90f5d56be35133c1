"""Which differences are shown: two cells are different, equal within a margin, or neither is known.

Two one-sided tests (Schuirmann 1987) show that a difference lies within ``(-margin, margin)``. Both reject where its
interval lies within these bounds. The intervals here are simultaneous two-sided ones with a coverage of 95 %, where an
interval of 90 % would do for a single pair: so everything that is called different or equal holds together, with the
family-wise error rate of the intervals (Berger and Hsu 1996).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["shown", "within"]

FloatArray = NDArray[np.float64]


def within(low: FloatArray, high: FloatArray, margin: float) -> NDArray[np.bool_]:
    """Whether intervals ``[P]`` lie within ``(-margin, margin)``; False where a bound is NaN, or the margin 0."""
    return np.asarray((low > -margin) & (high < margin))


def shown(low: FloatArray, high: FloatArray, margin: float = 0.0) -> list[str]:
    """What simultaneous intervals of differences show.

    Args:
        low, high: float64 ``[P]``, their bounds; NaN where there is no test.
        margin: the smallest difference that matters, in the unit of the scores; 0 where none is known.

    Returns:
        For each interval ``different``, where it excludes 0; ``equal``, where it includes 0 and lies within
        ``(-margin, margin)``; ``unknown`` otherwise.

    >>> shown(np.array([0.1, -0.1, -0.1]), np.array([0.3, 0.1, 0.3]), margin=0.2)
    ['different', 'equal', 'unknown']
    """
    different, equal = (low > 0) | (high < 0), within(low, high, margin)
    return ["different" if d else "equal" if e else "unknown" for d, e in zip(different, equal, strict=True)]
