"""Fills from the marginal distribution of the data: removed features take the values of random examples."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from xaiexp.contract.removal import Fill
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.errors import Unsupported

__all__ = ["marginal_fills"]


def marginal_fills(batch: Batch, rng: Draws, draws: int) -> list[Fill]:
    """One fill per draw; each takes its values from an example of the data, drawn for each example with replacement.

    Raises:
        Unsupported: the background has no data of the inputs' shape.
    """
    pool = batch.background.pool
    if pool is None or not len(pool) or tuple(pool.shape[1:]) != batch.shape:
        raise Unsupported("removal 'marginal' draws from examples of the data of the inputs' shape: give background=")
    rows = rng.integers("marginal", len(pool), (), range(draws)).to(pool.device)
    return [_PoolFill(batch, pool, rows[:, k]) for k in range(draws)]


@dataclass(frozen=True)
class _PoolFill(Fill):
    """Replaces removed features with those of one example of the pool per example of the batch, ``rows [N]``."""

    batch: Batch
    pool: Tensor
    rows: Tensor

    def __call__(self, owners: Tensor, present: Tensor) -> Tensor:
        other = self.pool[self.rows[owners]].to(self.batch.inputs)
        return self.batch.features.rows(owners).keep(self.batch.inputs[owners], other, present)
