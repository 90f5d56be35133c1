"""The baseline ``dataset_sample``: random examples of the dataset."""

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
    """Examples of the dataset, drawn with replacement for each explained example, ``[N, R, *shape]``.

    Args:
        n_references: number of references (R), over which attributions are averaged.
    """

    summary = "examples drawn from the dataset (a distribution of references)"
    source = "Erion et al. 2021 (expected gradients), equation 3; Lundberg and Lee 2017 (background data)"
    modalities = ("image", "table", "series")

    n_references: Annotated[int, Range(1)] = 8

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """R references for each example, ``[N, R, *shape]``, in model space.

        Raises:
            Unsupported: there are no examples to draw from, or they have another shape.
        """
        pool = batch.background.pool
        if pool is None or not len(pool):
            raise Unsupported(
                "baseline 'dataset_sample' needs examples of the data to draw from, but there are none: "
                "give background=, or use baseline 'zero' or 'uniform'"
            )
        if tuple(pool.shape[1:]) != batch.shape:
            raise Unsupported(
                f"baseline 'dataset_sample' needs inputs of one shape: the inputs are {list(batch.shape)}, "
                f"the examples to draw from {list(pool.shape[1:])}"
            )
        rows = rng.integers("dataset_sample", len(pool), (), range(self.n_references))
        return pool[rows.to(pool.device)].to(batch.inputs)
