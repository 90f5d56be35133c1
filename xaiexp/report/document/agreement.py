"""Agreement of a study: for every measure the matrix of all pairs, its order by clusters, and the values by example."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xaiexp.core.record import AgreementFacts
from xaiexp.report.document import parts
from xaiexp.report.document.binary import Binary
from xaiexp.report.document.metrics import RowIndex
from xaiexp.report.results import is_joint, joint_sentence
from xaiexp.report.studies import CELL, StudyFolder
from xaiexp.statistics.clustering import clustered
from xaiexp.statistics.summary import by_cluster

__all__ = ["agreements"]


def agreements(
    study: StudyFolder, cells: Mapping[tuple[str, str], int], index: RowIndex, binary: Binary, room: int
) -> tuple[tuple[parts.Measure, ...], int]:
    """Every measure, and how many of them are without values by example.

    Args:
        study: the study.
        cells: method and baseline to the number of the cell.
        index: of the scores.
        binary: gets matrices and values.
        room: bytes that values by example may take; measures beyond it have their matrix alone.
    """
    found, without = [], 0
    for name, rows in study.agreement.groupby("measure", sort=False, observed=True):
        measure = str(name)
        facts = study.record.agreements.get(measure, AgreementFacts())
        bounds = (None, None) if facts.bounds is None else facts.bounds
        if is_joint(rows):
            none = binary.exact([])
            joint = joint_sentence(by_cluster(rows, study.clusters))
            found.append(parts.Measure(measure, facts.summary, bounds, joint, (), none, none, (), None))
            continue
        values, numbers = _by_pair(rows, cells, index)
        matrix, defined = _matrix(values, len(numbers))
        fine, fits = 2 * values.size <= room, values.size <= room
        room -= values.size * (1 + fine) if fits else 0
        without += not fits
        found.append(
            parts.Measure(
                name=measure,
                summary=facts.summary,
                bounds=bounds,
                joint="",
                cells=numbers,
                matrix=binary.exact(matrix),
                defined=binary.whole(defined.ravel()),
                order=clustered(matrix, bounds),
                values=binary.in_steps(values, fine) if fits else None,
            )
        )
    return tuple(found), without


def _by_pair(
    rows: pd.DataFrame, cells: Mapping[tuple[str, str], int], index: RowIndex
) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Values ``[pairs, rows]`` of all pairs of the cells that occur, and the numbers of these cells in order."""
    all_cells = pd.MultiIndex.from_tuples(list(cells))
    a, b = (
        all_cells.get_indexer(pd.MultiIndex.from_arrays([rows[f"{name}_{side}"].astype(str) for name in CELL]))
        for side in "ab"
    )
    numbers = np.unique(np.concatenate([a, b]))
    numbers = numbers[numbers >= 0]
    count = len(numbers)
    place_of = np.full(len(cells) + 1, -1)
    place_of[numbers] = np.arange(count)
    i, j = np.sort(np.stack([place_of[a], place_of[b]]), axis=0)
    places = _places(rows, index)
    values = np.full((count * (count - 1) // 2, len(index)), math.nan)
    kept = (i >= 0) & (i < j) & (places >= 0)
    pair = i * count - i * (i + 1) // 2 + (j - i - 1)
    values[pair[kept], places[kept]] = rows["value"].to_numpy(dtype=np.float64)[kept]
    return values, tuple(numbers.tolist())


def _places(rows: pd.DataFrame, index: RowIndex) -> NDArray[Any]:
    """The row of every value. Without targets, those of an example follow each other as in the scores."""
    if not index.pairs:
        return np.full(len(rows), -1)
    examples = rows["example"].astype(str)
    if "target" in rows.columns:
        wanted = pd.MultiIndex.from_arrays([examples, rows["target"].astype(int)])
        return pd.MultiIndex.from_tuples(index.pairs).get_indexer(wanted)
    first = {example: i for i, (example, _) in reversed(list(enumerate(index.pairs)))}
    codes, names = pd.factorize(examples)
    return np.array([*(first.get(name, -1) for name in names), -1], dtype=np.int64)[codes]


def _matrix(values: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Means and numbers of defined rows, ``[cells, cells]``."""
    defined = np.isfinite(values).sum(axis=1)
    sums = np.where(np.isfinite(values), values, 0.0).sum(axis=1)
    means = np.divide(sums, defined, out=np.full(len(values), math.nan), where=defined > 0)
    matrix, counts = np.full((count, count), math.nan), np.zeros((count, count), dtype=np.int64)
    i, j = np.triu_indices(count, 1)
    matrix[i, j] = matrix[j, i] = means
    counts[i, j] = counts[j, i] = defined
    return matrix, counts
