"""Random baselines: uniform over the range of the data, or the input with Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.baselines.range_ends import data_range_ends
from xaiexp.contract.kinds import Baseline
from xaiexp.core.batches import Batch
from xaiexp.core.parameters import Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws

__all__ = ["Gaussian", "Uniform"]


@dataclass(frozen=True)
class Uniform(Baseline):
    """Uniform random numbers between the lowest and highest values of the data, ``[N, R, *shape]``.

    Args:
        n_references: number of references (R), over which attributions are averaged.
    """

    summary = "uniform noise over the range of the data"
    source = "Sturmfels, Lundberg, Lee 2020 (Distill), uniform baseline"
    modalities = ("image", "table", "series")

    n_references: Annotated[int, Range(1)] = 1

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """R references for each example, ``[N, R, *shape]``, in model space.

        Raises:
            Unsupported: the range of the data is unknown.
        """
        low, high = data_range_ends(batch, self.name)
        u = rng.uniform("uniform", batch.shape, range(self.n_references)).to(batch.inputs)
        return low + u * (high - low)


@dataclass(frozen=True)
class Gaussian(Baseline):
    """The input plus Gaussian noise, ``x + noise_level * (high - low) * N(0, 1)``, ``[N, R, *shape]``.

    ``low`` and ``high`` are the range of the data. Values may lie outside this range, as in the source.

    Args:
        noise_level: standard deviation of the noise, as a fraction of the range of the data.
        n_references: number of references (R), over which attributions are averaged.
    """

    summary = "the input with Gaussian noise, in fractions of the range of the data"
    source = "Sturmfels, Lundberg, Lee 2020 (Distill), Gaussian baseline; noise level as in Smilkov et al. 2017"
    modalities = ("image", "table", "series")

    noise_level: Annotated[float, Range(0, exclusive=True)] = 0.5
    n_references: Annotated[int, Range(1)] = 1

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """R references for each example, ``[N, R, *shape]``, in model space.

        Raises:
            Unsupported: the range of the data is unknown.
        """
        low, high = data_range_ends(batch, self.name)
        z = rng.normal("gaussian", batch.shape, range(self.n_references)).to(batch.inputs)
        return batch.inputs.detach().unsqueeze(1) + self.noise_level * (high - low) * z
