"""An order of cells by hierarchical clustering of their agreement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["clustered"]


def clustered(matrix: NDArray[np.float64], bounds: tuple[float | None, float | None] = (None, None)) -> tuple[int, ...]:
    """An order in which cells that agree lie side by side.

    Hierarchical clustering with average linkage of the dissimilarity: the largest possible agreement less the
    agreement. Undefined pairs are as dissimilar as the least similar one.

    Args:
        matrix: symmetric ``[n, n]``.
        bounds: of the measure; without an upper end, the largest agreement of the matrix stands in for it.
    """
    count = len(matrix)
    if count < 3:
        return tuple(range(count))
    from scipy.cluster.hierarchy import leaves_list, linkage

    above = matrix[np.triu_indices(count, 1)]
    known = above[np.isfinite(above)]
    if not known.size:
        return tuple(range(count))
    top = known.max() if bounds[1] is None else bounds[1]
    distances = np.maximum(top - np.where(np.isfinite(above), above, known.min()), 0.0)
    return tuple(leaves_list(linkage(distances, "average", optimal_ordering=count <= 60)).tolist())
