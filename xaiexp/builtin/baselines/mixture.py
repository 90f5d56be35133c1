"""Several baselines at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xaiexp.contract.kinds import Baseline
from xaiexp.core.batches import Batch
from xaiexp.core.vocabulary import MODALITIES, Modality
from xaiexp.errors import ParameterError

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws

__all__ = ["Mixture", "blended"]

_Name = Literal[
    "black",
    "blur",
    "constant",
    "dataset_sample",
    "gaussian",
    "inpaint",
    "mask_token",
    "max_distance",
    "mean",
    "neutral_sentence",
    "opposite_class",
    "pad_token",
    "series_mean",
    "uniform",
    "white",
    "zero",
]


def blended(parts: Sequence[Tensor]) -> Tensor:
    """References ``[N, R_i, *shape]`` of several baselines as one distribution ``[N, R, *shape]`` of equal parts.

    A baseline with fewer references than another has each of them several times: R is a multiple of every R_i.
    """
    import torch

    most = math.lcm(*(part.shape[1] for part in parts))
    return torch.cat([part.repeat_interleave(most // part.shape[1], dim=1) for part in parts], dim=1)


@dataclass(frozen=True)
class Mixture(Baseline):
    """The references of several baselines as one distribution, ``[N, R, *shape]``: attributions are averaged over it.

    Every baseline has the same weight. Where they have unlike numbers of references, those of the smaller ones are
    repeated to that end, and cost their passes again.

    Args:
        names: built-in baselines, each with its default parameters; at least one.
    """

    summary = "several baselines averaged, each with the same weight"
    source = "Sturmfels, Lundberg, Lee 2020 (Distill), section on averaging over multiple baselines"

    names: tuple[_Name, ...] = ("zero", "mean")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.names:
            raise ParameterError("baseline.mixture.names", "must name a baseline", hint="as [zero,blur]")

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What all of the named baselines are for."""
        parts = self.parts()
        return tuple(kind for kind in MODALITIES if all(kind in part.modalities for part in parts))

    def parts(self) -> tuple[Baseline, ...]:
        """The named baselines."""
        from xaiexp.builtin.baselines import COMPONENTS

        classes = {component.name: component for component in COMPONENTS}
        return tuple(classes[name]() for name in self.names)  # type: ignore[misc]  # all of them are baselines

    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """R references for each example, ``[N, R, *shape]``, in model space.

        Raises:
            Unsupported: what one of the named baselines cannot do.
        """
        drawn = []
        for place, part in enumerate(self.parts()):
            got = part.references(batch, rng.within(f"{place}/{part.name}"))
            drawn.append(got.unsqueeze(1) if got.shape == batch.inputs.shape else got)
        return blended(drawn)
