"""The mean agreement of all pairs of cells as a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    columns = [[f"method_{side}", f"baseline_{side}"] for side in "ab"]
    unique = rows[[*columns[0], *columns[1]]].drop_duplicates().astype(str)
    cells = dict.fromkeys(
        pair for row in unique.itertuples(index=False, name=None) for pair in ((row[0], row[1]), (row[2], row[3]))
    )
    names, known_cells = tuple(str(CellId(*cell)) for cell in cells), pd.MultiIndex.from_tuples(list(cells))
    values = rows["value"].to_numpy(dtype=np.float64)
    known = np.isfinite(values)
    a, b = (known_cells.get_indexer(pd.MultiIndex.from_frame(rows[side].astype(str))) for side in columns)
    count = len(names)

    def both_orders(chosen: np.ndarray[Any, Any], weights: np.ndarray[Any, Any] | None = None) -> Any:
        """Sums over the chosen rows for each pair, in both orders, ``[count, count]``."""
        one = np.bincount(a[chosen] * count + b[chosen], weights, minlength=count**2).reshape(count, count)
        return one + one.T

    sums = both_orders(known, values[known]).astype(np.float64)
    defined, undefined = both_orders(known), both_orders(~known)
    means = np.divide(sums, defined, out=np.full_like(sums, np.nan), where=defined > 0)
    np.fill_diagonal(means, np.nan)
    return Matrix(names, means, defined, undefined)
