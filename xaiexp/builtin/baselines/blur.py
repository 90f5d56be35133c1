"""The baseline ``blur``: the input blurred by a Gaussian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.gaussian_blur import default_sigma, gaussian_blur
from xaiexp.contract.kinds import Baseline
from xaiexp.core.batches import Batch
from xaiexp.core.parameters import Range
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws

__all__ = ["Blur"]


@dataclass(frozen=True)
class Blur(Baseline):
    """The input blurred by a Gaussian, ``[N, *shape]``: mean colours are kept, shapes become unrecognisable.

    Args:
        sigma: standard deviation in pixels of the model's input (time steps for series); null takes
            0.75 * sqrt(longest side).
    """

    summary = "the input blurred by a Gaussian until shapes are unrecognisable (images and series)"
    source = "Fong and Vedaldi 2017, equation 4; Sturmfels, Lundberg, Lee 2020 (Distill)"
    modalities = ("image", "series")

    sigma: Annotated[float, Range(0, exclusive=True)] | None = None

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, in model space.

        Raises:
            Unsupported: the inputs are neither images nor series.
        """
        if batch.inputs.ndim not in (3, 4) or batch.background.modality not in self.modalities:
            raise Unsupported(
                f"baseline 'blur' needs images or series, but the inputs are {batch.background.modality} of shape "
                f"{list(batch.shape)}: use baseline 'mean' or 'zero'"
            )
        sigma = default_sigma(batch.shape[1:]) if self.sigma is None else self.sigma
        return gaussian_blur(batch.inputs.detach(), sigma)
