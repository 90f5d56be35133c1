"""Base classes of the metrics that remove features."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

from xaiexp.builtin.removals.choice import RemovalChoice, canonical, removal_of
from xaiexp.contract.kinds import Metric
from xaiexp.core.vocabulary import Modality

__all__ = ["Masking", "RemovalChoice", "RemovesFeatures", "feature_count", "modalities_of"]


def modalities_of(removal: RemovalChoice) -> tuple[Modality, ...]:
    """The modalities that a removal supports."""
    return removal_of(removal).modalities


def feature_count(share: float, count: int) -> int:
    """The number of features that is a share of ``count`` features, rounded up.

    >>> [feature_count(share, 30) for share in (0.01, 0.1, 0.5, 1.0)]
    [1, 3, 15, 30]
    """
    # Subtracts a small number before rounding up: 0.1 * 30 is 3.0000000000000004.
    return min(count, math.ceil(share * count - 1e-9))


@dataclass(frozen=True)
class RemovesFeatures(Metric):
    """Base of the metrics with the parameter ``removal``."""

    # A property, because a dataclass field of the base class would come first among the parameters of each metric.
    @property
    @abstractmethod
    def removal(self) -> RemovalChoice:
        """What a removed feature is replaced with: a parameter of every subclass."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "removal", canonical(f"{self.kind}.{self.name}.removal", self.removal))


@dataclass(frozen=True)
class Masking(RemovesFeatures):
    """Base of the metrics that evaluate inputs without some of their features.

    The auxiliary value ``shift`` is the mean distance of the masked inputs from the data, see
    :mod:`xaiexp.builtin.removals.data_distance`.
    """

    scale_invariant = True
    re_explains = False
    auxiliary = ("shift",)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Those of the removal."""
        return modalities_of(self.removal)
