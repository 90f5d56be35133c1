"""The baseline ``opposite_class``: examples of a class other than the explained one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xaiexp.contract.kinds import Baseline
from xaiexp.core.batches import Batch
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws

__all__ = ["OppositeClass", "squared_distances"]


def squared_distances(inputs: Tensor, pool: Tensor) -> Tensor:
    """Squared Euclidean distances ``[N, P]``, float64, between ``inputs [N, *shape]`` and ``pool [P, *shape]``.

    Computed for one member of the pool at a time: exactly 0 for equal inputs, and independent of the batch.
    """
    import torch

    rows = inputs.flatten(1).double()
    return torch.stack([(rows - other).square().sum(dim=1) for other in pool.flatten(1).double()], dim=1)


@dataclass(frozen=True)
class OppositeClass(Baseline):
    """An example of a class other than the explained one, ``[N, *shape]``.

    Attributions then explain the difference between the two classes. Examples identical to the explained one are
    excluded: it may itself be in the data, with a label that the model does not predict.

    Args:
        of: ``nearest``: the nearest example by Euclidean distance (the nearest unlike neighbour); ``mean``: the mean of
            all examples of other classes.
    """

    summary = "the nearest example of another class, or the mean of the other classes"
    source = "Delaney, Greene, Keane 2021 (native guides, nearest unlike neighbour)"
    modalities = ("image", "table", "series")

    of: Literal["nearest", "mean"] = "nearest"

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space.

        Raises:
            Unsupported: there are no labelled examples of this shape, or none of another class.
        """
        import torch

        pool, labels = batch.background.pool, batch.background.labels
        if pool is None or labels is None or not bool((labels >= 0).any()):
            raise Unsupported(
                "baseline 'opposite_class' needs labelled examples of the data, but there are none: "
                "use baseline 'mean' or 'zero'"
            )
        if tuple(pool.shape[1:]) != batch.shape:
            raise Unsupported(
                f"baseline 'opposite_class' needs inputs of one shape: the inputs are {list(batch.shape)}, "
                f"the examples to choose from {list(pool.shape[1:])}"
            )
        pool, labels = pool.to(batch.inputs), labels.to(batch.device)
        distances = squared_distances(batch.inputs.detach(), pool)
        other = (labels >= 0) & (labels != batch.targets.unsqueeze(1)) & (distances > 0)
        without_other = ~other.any(dim=1)
        if bool(without_other.any()):
            raise Unsupported(
                f"baseline 'opposite_class' needs examples of a class other than "
                f"{int(batch.targets[without_other][0])}, but there are none among the {len(pool)} examples of the "
                "background: use baseline 'mean'"
            )
        if self.of == "nearest":
            return pool[distances.masked_fill(~other, torch.inf).argmin(dim=1)]
        share = other.double() / other.sum(dim=1, keepdim=True)
        return (share @ pool.flatten(1).double()).view(batch.inputs.shape).to(batch.inputs.dtype)
