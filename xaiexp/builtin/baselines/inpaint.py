"""The baseline ``inpaint``: every feature interpolated from its surroundings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.kinds import Baseline
from xaiexp.core.batches import Batch
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from xaiexp.core.draws import Draws

__all__ = ["Inpaint", "harmonic_interpolation"]


def _adjacent_pairs(shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of adjacent elements of a lattice, as flat indices."""
    import numpy as np

    index = np.arange(int(np.prod(shape))).reshape(shape)
    pairs = [(np.delete(index, -1, axis).ravel(), np.delete(index, 0, axis).ravel()) for axis in range(len(shape))]
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return first, second


def harmonic_interpolation(planes: NDArray[np.floating], features: NDArray[np.integer]) -> NDArray[np.float64]:
    """Interpolate every feature of a lattice harmonically from its surroundings, as if only this feature were missing.

    Within a feature the solution satisfies the discrete Laplace equation: every element is the mean of its neighbours,
    and neighbours outside of the feature keep their original values. The solution is smooth and lies between the lowest
    and the highest surrounding value; in one dimension it is linear interpolation. Elements at the
    border have no neighbours beyond it.

    Args:
        planes: ``[K, *lattice]``, K channels of one or more inputs over one lattice ``(H, W)`` or ``(T,)``.
        features: int ``[*lattice]``, the feature of each element; elements with negative numbers keep their values.

    Returns:
        ``[K, *lattice]``, float64.

    Raises:
        Unsupported: a feature fills the whole lattice and has no surroundings.
    """
    import numpy as np
    from scipy import sparse
    from scipy.sparse.linalg import splu

    values, flat = planes.reshape(len(planes), -1).T.astype(np.float64), features.ravel()
    size = len(flat)
    first, second = _adjacent_pairs(features.shape)
    within = flat[first] == flat[second]
    adjacency = sparse.coo_array((np.ones(2 * len(first)), (np.r_[first, second], np.r_[second, first])), (size, size))
    one, other = first[within], second[within]
    within_features = sparse.coo_array(
        (np.ones(2 * within.sum()), (np.r_[one, other], np.r_[other, one])), (size, size)
    )
    missing = flat >= 0
    boundary = (adjacency - within_features).tocsr()[missing]
    if not boundary.nnz:
        if not missing.any():
            return planes.astype(np.float64)
        raise Unsupported(
            "baseline 'inpaint' needs surroundings, but a feature fills the whole input: use smaller features"
        )
    degree: NDArray[np.float64] = np.asarray(adjacency.sum(axis=1)).ravel()
    system = (sparse.diags_array(degree) - within_features).tocsr()[missing][:, missing]
    values[missing] = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A").solve(boundary @ values)
    return values.T.reshape(planes.shape)


@dataclass(frozen=True)
class Inpaint(Baseline):
    """Every feature interpolated from its surroundings, ``[N, *shape]``.

    Each feature of the study (pixel, tile, superpixel, step, window) is filled as if only this feature were missing, by
    harmonic interpolation per channel (:func:`harmonic_interpolation`). A reference contains the fills of all features.
    Removing one feature gives the input with that feature inpainted. Removing several adjacent features is an
    approximation: the fill of each was computed from the original values of the others, so the reference as a whole is
    a coarse version of the input, coarser for larger features.
    """

    summary = "every feature filled in from its surroundings, by harmonic interpolation"
    source = "Agarwal and Nguyen 2020 (removal by inpainting); Chan and Shen 2002 (harmonic inpainting)"
    modalities = ("image", "series")

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space; solved on the CPU in float64.

        Raises:
            Unsupported: the inputs are neither images nor series, or a feature fills the whole input.
        """
        import numpy as np
        import torch

        if batch.inputs.ndim not in (3, 4) or batch.background.modality not in self.modalities:
            raise Unsupported(
                f"baseline 'inpaint' needs images or series, but the inputs are {batch.background.modality} of shape "
                f"{list(batch.shape)}: use baseline 'mean' or 'zero'"
            )
        planes = batch.inputs.detach().cpu().numpy()
        index = batch.features.index.cpu().numpy()
        filled = np.empty(planes.shape)
        for features, rows, channels in _distinct_maps(index, len(planes)):
            selected = planes[np.ix_(rows, channels)]
            interpolated = harmonic_interpolation(selected.reshape(-1, *selected.shape[2:]), features)
            filled[np.ix_(rows, channels)] = interpolated.reshape(selected.shape)
        return torch.from_numpy(filled).to(batch.inputs)


def _distinct_maps(index: NDArray[np.int64], examples: int) -> Iterator[tuple[NDArray[np.int64], list[int], list[int]]]:
    """The distinct maps ``[*lattice]`` in ``index [N or 1, C, *lattice]``, with the examples and channels of each.

    Solving is expensive, and most maps are shared by all channels and by several examples.
    """
    rows_by_map: dict[bytes, list[int]] = {}
    for row in range(examples if len(index) > 1 else 1):
        rows_by_map.setdefault(index[row].tobytes(), []).append(row)
    for rows in rows_by_map.values():
        maps = index[rows[0]]
        examples_of_map = rows if len(index) > 1 else list(range(examples))
        if bool((maps == maps[:1]).all()):
            yield maps[0], examples_of_map, list(range(len(maps)))
        else:
            yield from ((features, examples_of_map, [channel]) for channel, features in enumerate(maps))
