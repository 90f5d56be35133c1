"""The baseline ``series_mean``: the mean of each series over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.kinds import Baseline
from xaiexp.core.batches import Batch
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws

__all__ = ["SeriesMean"]


@dataclass(frozen=True)
class SeriesMean(Baseline):
    """The mean of each series over time, per channel, repeated at every step, ``[N, C, T]``."""

    summary = "the mean of the series itself over time, per channel"
    source = "Mujkanovic et al. 2020 (timeXplain), the mean as synthetic void information"
    modalities = ("series",)

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, C, T]``, in model space.

        Raises:
            Unsupported: the inputs are not series.
        """
        if batch.inputs.ndim != 3 or batch.background.modality not in self.modalities:
            raise Unsupported(
                f"baseline 'series_mean' needs series, but the inputs are {batch.background.modality} of shape "
                f"{list(batch.shape)}: use baseline 'mean' or 'zero'"
            )
        inputs = batch.inputs.detach()
        return inputs.mean(dim=-1, keepdim=True).expand_as(inputs).clone()
