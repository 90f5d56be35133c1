"""Other examples of the data set as references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.contract.kinds import Baseline
from xaiexp.core.batches import Batch
from xaiexp.core.parameters import Range
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws

__all__ = ["DatasetSample"]


@dataclass(frozen=True)
class DatasetSample(Baseline):
    """Examples of the data set, drawn for each example with replacement, ``[N, R, *shape]``.

    Args:
        n_references: how many (R); attributions are averaged over them.
    """

    summary = "examples drawn from the data set (a distribution of references)"
    source = "Erion et al. 2021 (expected gradients), equation 3; Lundberg and Lee 2017 (background data)"
    modalities = ("image", "table", "series")

    n_references: Annotated[int, Range(1)] = 8

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """R references for each example, ``[N, R, *shape]``, in model space.

        Raises:
            Unsupported: there are no data to draw from, or their shape is another.
        """
        pool = batch.background.pool
        if pool is None or not len(pool):
            raise Unsupported(
                "baseline 'dataset_sample' needs examples of the data to draw from, and there are none: "
                "give background=, or use baseline 'zero' or 'uniform'"
            )
        if tuple(pool.shape[1:]) != batch.shape:
            raise Unsupported(
                f"baseline 'dataset_sample' needs inputs of one shape: these are {list(batch.shape)}, "
                f"those to draw from are {list(pool.shape[1:])}"
            )
        rows = rng.integers("dataset_sample", len(pool), (), range(self.n_references))
        return pool[rows.to(pool.device)].to(batch.inputs)
