"""Quantus' metrics of randomisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from xaiexp.plugin import Range
from xaiexp_quantus.metric import OtherTargets, RandomWeights

__all__ = [
    "MPRT",
    "RandomLogit",
]


@dataclass(frozen=True)
class MPRT(RandomWeights):
    """Spearman's correlation of the map with that of networks with random layers, averaged.

    Computed by ``quantus.MPRT``.

    Args:
        layer_order: the order in which layers are randomised.
        seed: of the random weights or classes.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_mprt"
    summary = "similarity of the map while layers are randomised (Quantus)"
    source = "Adebayo et al. 2018, Sanity Checks for Saliency Maps; quantus.MPRT"
    higher_is_better = False
    bounds = (-1.0, 1.0)
    unit = "1"
    fixed = (("return_average_correlation", True),)

    layer_order: Literal["top_down", "bottom_up", "independent"] = "top_down"
    seed: Annotated[int, Range(0)] = 42
    abs: bool = True
    normalise: bool = True


@dataclass(frozen=True)
class RandomLogit(OtherTargets):
    """The structural similarity of the map and that of a random other class.

    Computed by ``quantus.RandomLogit``.

    Args:
        seed: of the random weights or classes.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_random_logit"
    summary = "similarity of the map to that of a random other class (Quantus)"
    source = "Sixt et al. 2020, When Explanations Lie; quantus.RandomLogit"
    higher_is_better = False
    bounds = (-1.0, 1.0)
    unit = "1"

    seed: Annotated[int, Range(0)] = 42
    abs: bool = False
    normalise: bool = True
