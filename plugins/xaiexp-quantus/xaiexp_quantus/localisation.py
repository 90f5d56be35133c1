"""Quantus' metrics of localisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from xaiexp.plugin import Range
from xaiexp_quantus.metric import Masked

__all__ = [
    "AUC",
    "AttributionLocalisation",
    "PointingGame",
    "RelevanceMassAccuracy",
    "RelevanceRankAccuracy",
    "TopKIntersection",
]


@dataclass(frozen=True)
class PointingGame(Masked):
    """1 where the largest attribution lies in the mask, else 0.

    Computed by ``quantus.PointingGame``.

    Args:
        weighted: whether the value is divided by the share of the mask.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_pointing_game"
    summary = "whether the largest attribution lies in the mask (Quantus)"
    source = "Zhang et al. 2018, Excitation Backprop; quantus.PointingGame"
    higher_is_better = True
    bounds = (0.0, None)
    unit = "1"

    weighted: bool = False
    abs: bool = False
    normalise: bool = True


@dataclass(frozen=True)
class TopKIntersection(Masked):
    """The share of the k largest attributions that lie in the mask.

    Computed by ``quantus.TopKIntersection``.

    Args:
        k: number of elements with the largest attributions.
        concept_influence: whether the value is multiplied by the size of the input over that of the mask.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_top_k_intersection"
    summary = "share of the k largest attributions in the mask (Quantus)"
    source = "Theiner et al. 2021, Interpretable Semantic Photo Geolocation; quantus.TopKIntersection"
    higher_is_better = True
    bounds = (0.0, None)
    unit = "1"

    k: Annotated[int, Range(1)] = 1000
    concept_influence: bool = False
    abs: bool = False
    normalise: bool = True


@dataclass(frozen=True)
class RelevanceMassAccuracy(Masked):
    """The sum of the attributions in the mask over the sum of all.

    Computed by ``quantus.RelevanceMassAccuracy``.

    Args:
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_relevance_mass_accuracy"
    summary = "share of the attributions in the mask (Quantus)"
    source = "Arras et al. 2022, CLEVR-XAI; quantus.RelevanceMassAccuracy"
    higher_is_better = True
    bounds = (None, None)
    unit = "1"

    abs: bool = False
    normalise: bool = True


@dataclass(frozen=True)
class RelevanceRankAccuracy(Masked):
    """The share of the K largest attributions that lie in the mask of K elements.

    Computed by ``quantus.RelevanceRankAccuracy``.

    Args:
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_relevance_rank_accuracy"
    summary = "share of the largest attributions in the mask (Quantus)"
    source = "Arras et al. 2022, CLEVR-XAI; quantus.RelevanceRankAccuracy"
    higher_is_better = True
    bounds = (0.0, 1.0)
    unit = "1"

    abs: bool = False
    normalise: bool = True


@dataclass(frozen=True)
class AttributionLocalisation(Masked):
    """The positive attributions in the mask over all positive ones.

    Computed by ``quantus.AttributionLocalisation``.

    Args:
        weighted: whether the value is divided by the share of the mask.
        max_size: masks with a larger share of the input are not scored.
        positive_attributions: whether negative attributions count as 0.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_attribution_localisation"
    summary = "share of the positive attributions in the mask (Quantus)"
    source = "Kohlbrenner et al. 2020, Towards Best Practice; quantus.AttributionLocalisation"
    higher_is_better = True
    bounds = (None, None)
    unit = "1"

    weighted: bool = False
    max_size: Annotated[float, Range(0)] = 1.0
    positive_attributions: bool = False
    abs: bool = True
    normalise: bool = True


@dataclass(frozen=True)
class AUC(Masked):
    """The area under the ROC curve of attributions against the mask.

    Computed by ``quantus.AUC``.

    Args:
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_auc"
    summary = "area under the ROC curve of attributions against the mask (Quantus)"
    source = "Fawcett 2006, An Introduction to ROC Analysis; quantus.AUC"
    higher_is_better = True
    bounds = (0.0, 1.0)
    unit = "1"

    abs: bool = False
    normalise: bool = True
