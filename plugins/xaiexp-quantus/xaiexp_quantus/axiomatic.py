"""Quantus' axiomatic metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from xaiexp.plugin import Range
from xaiexp_quantus.metric import ScoredAlone

__all__ = [
    "Completeness",
    "NonSensitivity",
]


@dataclass(frozen=True)
class Completeness(ScoredAlone):
    """1 where attributions sum to the change of the score exactly, else 0.

    Computed by ``quantus.Completeness``.

    Args:
        perturb_baseline: what replaces elements: black (0), white (1), mean, uniform or random values.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_completeness"
    summary = "whether the attributions add up exactly (Quantus)"
    source = "Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks; quantus.Completeness"
    higher_is_better = True
    bounds = (0.0, 1.0)
    unit = "1"

    perturb_baseline: Literal["black", "white", "mean", "uniform", "random"] = "black"
    abs: bool = False
    normalise: bool = True


@dataclass(frozen=True)
class NonSensitivity(ScoredAlone):
    """The number of elements whose attribution is 0 and whose influence is not, or the other way round.

    Computed by ``quantus.NonSensitivity``.

    Args:
        eps: threshold below which a value counts as 0.
        features_in_step: number of elements that are replaced in one step; it must divide their number.
        perturb_baseline: what replaces elements: black (0), white (1), mean, uniform or random values.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_non_sensitivity"
    summary = "number of elements that are zero in one of map and influence only (Quantus)"
    source = "Nguyen and Martinez 2020, On Quantitative Aspects of Model Interpretability; quantus.NonSensitivity"
    higher_is_better = False
    bounds = (0.0, None)
    unit = "1"

    eps: Annotated[float, Range(0)] = 1e-05
    features_in_step: Annotated[int, Range(1)] = 1
    perturb_baseline: Literal["black", "white", "mean", "uniform", "random"] = "black"
    abs: bool = True
    normalise: bool = True
