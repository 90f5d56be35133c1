"""The mean agreement of all pairs of cells as a matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.core.ids import CellId

__all__ = ["Matrix", "agreement_matrix"]


@dataclass(frozen=True)
class Matrix:
    """How far the cells agree, by one measure.

    Args:
        names: of the cells, ``k`` of them.
        means: float ``[k, k]``, symmetric; NaN where undefined, and on the diagonal.
        defined, undefined: int ``[k, k]``, how many examples went into each mean, and how many could not.
    """

    names: tuple[str, ...]
    means: NDArray[np.float64]
    defined: NDArray[np.int64]
    undefined: NDArray[np.int64]


def agreement_matrix(frame: pd.DataFrame, measure: str) -> Matrix:
    """The agreement of every pair of cells, averaged over all examples for which it is defined.

    Args:
        frame: the rows of ``agreement.parquet``; each pair occurs once, in either order.
        measure: which measure.
    """
    rows = frame[frame["measure"] == measure]
    first = [str(CellId(*pair)) for pair in zip(rows["method_a"], rows["baseline_a"], strict=True)]
    second = [str(CellId(*pair)) for pair in zip(rows["method_b"], rows["baseline_b"], strict=True)]
    names = tuple(dict.fromkeys(name for pair in zip(first, second, strict=True) for name in pair))
    place = {name: i for i, name in enumerate(names)}
    values = rows["value"].to_numpy(dtype=np.float64)
    known = np.isfinite(values)
    a, b = (np.array([place[name] for name in side], dtype=np.int64) for side in (first, second))
    sums = np.zeros((len(names), len(names)))
    defined, undefined = (np.zeros(sums.shape, dtype=np.int64) for _ in range(2))
    for i, j in ((a, b), (b, a)):
        np.add.at(sums, (i[known], j[known]), values[known])
        np.add.at(defined, (i[known], j[known]), 1)
        np.add.at(undefined, (i[~known], j[~known]), 1)
    means = np.divide(sums, defined, out=np.full_like(sums, np.nan), where=defined > 0)
    np.fill_diagonal(means, np.nan)
    return Matrix(names, means, defined, undefined)
