"""The baseline ``mixture``: the references of several baselines as one distribution."""

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

__all__ = ["Mixture", "combined_references"]

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


def combined_references(parts: Sequence[Tensor]) -> Tensor:
    """References ``[N, R_i, *shape]`` of several baselines as one distribution ``[N, R, *shape]`` with equal weights.

    R is the least common multiple of all R_i; the references of a baseline with fewer are repeated.
    """
    import torch

    total = math.lcm(*(part.shape[1] for part in parts))
    return torch.cat([part.repeat_interleave(total // part.shape[1], dim=1) for part in parts], dim=1)


@dataclass(frozen=True)
class Mixture(Baseline):
    """The references of several baselines as one distribution, ``[N, R, *shape]``.

    Attributions are averaged over all references. All baselines have the same weight. If their numbers of references
    differ, references are repeated, and each repetition costs its passes again.

    Args:
        names: names of built-in baselines, used with their default parameters; at least one.
    """

    summary = "several baselines, averaged with equal weights"
    source = "Sturmfels, Lundberg, Lee 2020 (Distill), section on averaging over multiple baselines"

    names: tuple[_Name, ...] = ("zero", "mean")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.names:
            raise ParameterError("baseline.mixture.names", "must name a baseline", hint="as [zero,blur]")

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities that all named baselines support."""
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
            Unsupported: one of the named baselines does not support the inputs.
        """
        drawn = []
        for position, part in enumerate(self.parts()):
            references = part.references(batch, rng.within(f"{position}/{part.name}"))
            drawn.append(references.unsqueeze(1) if references.shape == batch.inputs.shape else references)
        return combined_references(drawn)
