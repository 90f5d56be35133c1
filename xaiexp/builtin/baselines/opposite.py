"""What another class looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xaiexp.contract.kinds import Baseline
from xaiexp.core.batches import Batch
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws

__all__ = ["OppositeClass", "distances"]


def distances(inputs: Tensor, pool: Tensor) -> Tensor:
    """Squared Euclidean distances ``[N, P]``, float64, between ``inputs [N, *shape]`` and ``pool [P, *shape]``.

    One member of the pool at a time: exact where they are equal, and the same for an example in any company.
    """
    import torch

    rows = inputs.flatten(1).double()
    return torch.stack([(rows - other).square().sum(dim=1) for other in pool.flatten(1).double()], dim=1)


@dataclass(frozen=True)
class OppositeClass(Baseline):
    """An example of the data that belongs to another class than the explained one, ``[N, *shape]``.

    The difference from it is what speaks for the explained class rather than another one. An example that equals
    the explained one is passed over: it may be the same, whose label the model got wrong.

    Args:
        of: ``nearest``: the nearest one by Euclidean distance (the nearest unlike neighbour); ``mean``: the average
            over all that belong to other classes, which is the other class's where there are two.
    """

    summary = "the nearest example of another class, or the average of the other classes"
    source = "Delaney, Greene, Keane 2021 (native guides, nearest unlike neighbour)"
    modalities = ("image", "table", "series")

    of: Literal["nearest", "mean"] = "nearest"

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space.

        Raises:
            Unsupported: there are no labelled data of this shape, or none of another class.
        """
        import torch

        pool, labels = batch.background.pool, batch.background.labels
        if pool is None or labels is None or not bool((labels >= 0).any()):
            raise Unsupported(
                "baseline 'opposite_class' needs labelled examples of the data, and there are none: "
                "use baseline 'mean' or 'zero'"
            )
        if tuple(pool.shape[1:]) != batch.shape:
            raise Unsupported(
                f"baseline 'opposite_class' needs inputs of one shape: these are {list(batch.shape)}, "
                f"those to choose from are {list(pool.shape[1:])}"
            )
        pool, labels = pool.to(batch.inputs), labels.to(batch.device)
        apart = distances(batch.inputs.detach(), pool)
        other = (labels >= 0) & (labels != batch.targets.unsqueeze(1)) & (apart > 0)
        alone = ~other.any(dim=1)
        if bool(alone.any()):
            raise Unsupported(
                f"baseline 'opposite_class' needs examples of another class than {int(batch.targets[alone][0])}, and "
                f"there are none among the {len(pool)} that stand for the data: use baseline 'mean'"
            )
        if self.of == "nearest":
            return pool[apart.masked_fill(~other, torch.inf).argmin(dim=1)]
        share = other.double() / other.sum(dim=1, keepdim=True)
        return (share @ pool.flatten(1).double()).view(batch.inputs.shape).to(batch.inputs.dtype)
