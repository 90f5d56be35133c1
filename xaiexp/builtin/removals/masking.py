"""Base class of the metrics that remove features, and the names of the removals."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

from xaiexp.contract.kinds import Metric
from xaiexp.core.vocabulary import MODALITIES, Modality

__all__ = ["Masking", "Removal", "feature_count", "modalities_of"]

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
    """The modalities that a removal supports, as far as its name decides them."""
    return ("image", "series") if removal == "noisy_linear" else MODALITIES


def feature_count(share: float, count: int) -> int:
    """The number of features that is a share of ``count`` features, rounded up.

    >>> [feature_count(share, 30) for share in (0.01, 0.1, 0.5, 1.0)]
    [1, 3, 15, 30]
    """
    # Subtracts a small number before rounding up: 0.1 * 30 is 3.0000000000000004.
    return min(count, math.ceil(share * count - 1e-9))


@dataclass(frozen=True)
class Masking(Metric):
    """Base of the metrics that evaluate inputs without some of their features.

    The auxiliary value ``shift`` is the mean distance of the masked inputs from the data, see
    :mod:`xaiexp.builtin.removals.data_distance`.
    """

    scale_invariant = True
    re_explains = False
    auxiliary = ("shift",)

    # A property, because a dataclass field of the base class would come first among the parameters of each metric.
    @property
    @abstractmethod
    def removal(self) -> str:
        """What a removed feature is replaced with: a parameter of every subclass."""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Noisy linear imputation needs neighbours; other removals support every modality."""
        return modalities_of(self.removal)
