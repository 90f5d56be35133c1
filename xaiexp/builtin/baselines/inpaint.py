"""Every feature as its surroundings suggest it."""

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

__all__ = ["Inpaint", "harmonic"]


def _neighbours(shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of places that lie side by side along an axis of a lattice, as flat indices."""
    import numpy as np

    place = np.arange(int(np.prod(shape))).reshape(shape)
    pairs = [(np.delete(place, -1, axis).ravel(), np.delete(place, 0, axis).ravel()) for axis in range(len(shape))]
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return first, second


def harmonic(planes: NDArray[np.floating], features: NDArray[np.integer]) -> NDArray[np.float64]:
    """Fill every feature of a lattice from what stands around it, each as if it alone were missing.

    Within a feature the discrete Laplace equation holds: every element is the average of its neighbours, and those
    that lie outside of the feature have their own values. So a fill is smooth, stays between the lowest and the
    highest value around, and in one dimension is the straight line between the two neighbours of a stretch. Beyond
    the border of the picture there are no neighbours.

    Args:
        planes: ``[K, *lattice]``, K channels of one or more inputs over one lattice ``(H, W)`` or ``(T,)``.
        features: int ``[*lattice]``, the feature of each place; negative ones belong to none and keep their values.

    Returns:
        ``[K, *lattice]``, float64.

    Raises:
        Unsupported: a feature fills the whole lattice, so that nothing stands around it.
    """
    import numpy as np
    from scipy import sparse
    from scipy.sparse.linalg import splu

    values, flat = planes.reshape(len(planes), -1).T.astype(np.float64), features.ravel()
    size = len(flat)
    first, second = _neighbours(features.shape)
    same = flat[first] == flat[second]
    every = sparse.coo_array((np.ones(2 * len(first)), (np.r_[first, second], np.r_[second, first])), (size, size))
    inner = sparse.coo_array(
        (np.ones(2 * same.sum()), (np.r_[first[same], second[same]], np.r_[second[same], first[same]])), (size, size)
    )
    missing = flat >= 0
    around = (every - inner).tocsr()[missing]
    if not around.nnz:
        if not missing.any():
            return planes.astype(np.float64)
        raise Unsupported(
            "baseline 'inpaint' needs surroundings, and a feature fills the whole input: use smaller ones"
        )
    degree: NDArray[np.float64] = np.asarray(every.sum(axis=1)).ravel()
    system = (sparse.diags_array(degree) - inner).tocsr()[missing][:, missing]
    values[missing] = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A").solve(around @ values)
    return values.T.reshape(planes.shape)


@dataclass(frozen=True)
class Inpaint(Baseline):
    """Every feature as its surroundings suggest it, ``[N, *shape]``: a picture or series with each feature filled in.

    A reference is one whole input, for which nothing around it suggests anything. So each feature of the study
    (pixel, tile, superpixel, step, window) is filled in as if it alone were missing, by harmonic interpolation of the
    values around it (every element the average of its neighbours), channel by channel, and all fills stand side by
    side in one reference. Removing one feature then shows the input with that feature painted over. Removing several
    that touch shows fills that know of one another's content: the reference as a whole is a coarse picture of the
    input, the coarser the larger the features.
    """

    summary = "every feature filled in from its surroundings, by harmonic interpolation"
    source = "Agarwal and Nguyen 2020 (removal by inpainting); Chan and Shen 2002 (harmonic inpainting)"
    modalities = ("image", "series")

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space; solved on the CPU in float64.

        Raises:
            Unsupported: the inputs are neither pictures nor series, or a feature fills the whole input.
        """
        import numpy as np
        import torch

        if batch.inputs.ndim not in (3, 4) or batch.background.modality not in self.modalities:
            raise Unsupported(
                f"baseline 'inpaint' needs pictures or series, and the inputs are {batch.background.modality} of shape "
                f"{list(batch.shape)}: use baseline 'mean' or 'zero'"
            )
        planes = batch.inputs.detach().cpu().numpy()
        index = batch.features.index.cpu().numpy()
        filled = np.empty(planes.shape)
        for features, rows, channels in _shared(index, len(planes)):
            part = planes[np.ix_(rows, channels)]
            done = harmonic(part.reshape(-1, *part.shape[2:]), features)
            filled[np.ix_(rows, channels)] = done.reshape(part.shape)
        return torch.from_numpy(filled).to(batch.inputs)


def _shared(index: NDArray[np.int64], examples: int) -> Iterator[tuple[NDArray[np.int64], list[int], list[int]]]:
    """The maps ``[*lattice]`` of ``index [N or 1, C, *lattice]``, each once, with the examples and channels it is for.

    Solving is dear, and one map mostly serves for all channels, and for all examples or all versions of one.
    """
    alike: dict[bytes, list[int]] = {}
    for row in range(examples if len(index) > 1 else 1):
        alike.setdefault(index[row].tobytes(), []).append(row)
    for rows in alike.values():
        maps = index[rows[0]]
        served = rows if len(index) > 1 else list(range(examples))
        if bool((maps == maps[:1]).all()):
            yield maps[0], served, list(range(len(maps)))
        else:
            yield from ((features, served, [channel]) for channel, features in enumerate(maps))
