"""Linear imputation (Rong et al. 2022, section 4) without the noise, by a direct sparse solver."""

from __future__ import annotations

import numpy as np
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

NEIGHBOURS = [(-1, 0, 1 / 6), (1, 0, 1 / 6), (0, -1, 1 / 6), (0, 1, 1 / 6)] + [
    (i, j, 1 / 12) for i in (-1, 1) for j in (-1, 1)
]


def impute(plane, known):
    """``plane [H, W]`` in which every pixel that is not ``known`` is the weighted mean of its neighbours."""
    height, width = plane.shape
    number = {place: k for k, place in enumerate(zip(*np.nonzero(~known), strict=True))}
    if not number:
        return plane.copy()
    matrix, right = lil_matrix((len(number), len(number))), np.zeros(len(number))
    for (i, j), k in number.items():
        for di, dj, weight in NEIGHBOURS:
            other = (i + di, j + dj)
            if not (0 <= other[0] < height and 0 <= other[1] < width):
                continue
            matrix[k, k] += weight
            if other in number:
                matrix[k, number[other]] -= weight
            else:
                right[k] += weight * plane[other]
    out = plane.copy()
    solution = spsolve(matrix.tocsc(), right)
    for place, k in number.items():
        out[place] = solution[k]
    return out
