"""Hierarchies of the features of an example, as linkage matrices of scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.hierarchy import average, single
from scipy.spatial.distance import pdist, squareform
from torch import Tensor

from xaiexp.plugin import Batch, Unsupported

__all__ = ["hierarchy"]

Table = NDArray[np.float64]


def hierarchy(shap: Any, batch: Batch, number: int, d: int, metric: str) -> Table:
    """The hierarchy ``[d - 1, 4]`` of the d features of an example.

    Args:
        shap: the module.
        batch: the batch, of images or of tables.
        number: the index of the example.
        d: the number of its features, at least 2.
        metric: the distance of the columns of a table.

    Raises:
        Unsupported: a table without other examples (background).
    """
    features = batch.features
    index = features.index[number if len(features.index) > 1 else 0].cpu()
    if batch.background.modality == "table":
        return _of_columns(batch.background.pool, index.flatten(), d, metric)
    if len(features.shape) == 2 and features.shape[0] * features.shape[1] == d:
        grid: Table = shap.maskers.Image(np.zeros((*features.shape, 1))).clustering
        return grid
    return _of_centres(index, d)


def _of_columns(pool: Tensor | None, index: Tensor, d: int, metric: str) -> Table:
    """Columns by their distances, those of a feature together, in a pool ``[P, F]`` of examples."""
    if pool is None or pool[0].numel() != len(index) or len(pool) < 2:
        raise Unsupported("there are no other examples (background) whose columns could be clustered")
    columns = pool.detach().flatten(1).double().cpu().numpy().T
    # A constant column has no correlation: it counts as uncorrelated with the others.
    condensed = pdist(columns, metric=metric)  # type: ignore[call-overload]  # the parameter has names of pdist
    distances = np.nan_to_num(squareform(condensed), nan=1.0)
    nearest = np.full((d, d), np.inf)
    rows, others = np.meshgrid(index.numpy(), index.numpy(), indexing="ij")
    inside = (rows >= 0) & (others >= 0)
    np.minimum.at(nearest, (rows[inside], others[inside]), distances[inside])
    np.fill_diagonal(nearest, 0.0)
    tree: Table = single(squareform(nearest, checks=False))
    return tree


def _of_centres(index: Tensor, d: int) -> Table:
    """Features of an image by the distances of their centres, ``index [C, H, W]``."""
    places = torch.stack(torch.meshgrid(*[torch.arange(s) for s in index.shape[-2:]], indexing="ij"), dim=-1)
    places = places.expand(*index.shape, 2).reshape(-1, 2).double()
    inside = index.flatten() >= 0
    sums = torch.zeros(d, 2, dtype=torch.float64).index_add_(0, index.flatten()[inside], places[inside])
    sizes = torch.bincount(index.flatten()[inside], minlength=d).unsqueeze(1)
    tree: Table = average(pdist((sums / sizes).numpy()))
    return tree
