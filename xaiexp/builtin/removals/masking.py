"""What measures that remove features have in common: the removals, and the inputs that each of them is for."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

from xaiexp.contract.kinds import Metric
from xaiexp.core.vocabulary import MODALITIES, Modality

__all__ = ["Masking", "Removal", "modalities_of", "number"]

Removal = Literal[
    "auto",
    "blur",
    "mean",
    "zero",
    "constant",
    "black",
    "white",
    "max_distance",
    "inpaint",
    "pad_token",
    "mask_token",
    "noisy_linear",
]


def modalities_of(removal: str) -> tuple[Modality, ...]:
    """What a removal is for, as far as this metric can be asked."""
    return ("image", "series") if removal == "noisy_linear" else MODALITIES


def number(share: float, count: int) -> int:
    """How many of ``count`` features a share of them is: rounded up, so that it is never none of some.

    >>> [number(share, 30) for share in (0.01, 0.1, 0.5, 1.0)]
    [1, 3, 15, 30]
    """
    # Not a hair above a whole number: 0.1 * 30 is 3.0000000000000004.
    return min(count, math.ceil(share * count - 1e-9))


@dataclass(frozen=True)
class Masking(Metric):
    """A measure of inputs without some of their features.

    With its values comes ``shift``, how far the masked inputs leave the data.
    """

    scale_invariant = True
    re_explains = False
    auxiliary = ("shift",)

    # No field: it stands elsewhere among the parameters of each measure, and a field of the base would come first.
    @property
    @abstractmethod
    def removal(self) -> str:
        """What a removed feature becomes: a parameter of every such measure."""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Noisy linear imputation needs neighbours."""
        return modalities_of(self.removal)
