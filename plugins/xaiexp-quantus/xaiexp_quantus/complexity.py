"""Quantus' metrics of complexity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from xaiexp.plugin import Range
from xaiexp_quantus.metric import ScoredAlone

__all__ = [
    "Complexity",
    "EffectiveComplexity",
    "Sparseness",
]


@dataclass(frozen=True)
class Sparseness(ScoredAlone):
    """The Gini index of the attributions.

    Computed by ``quantus.Sparseness``.

    Args:
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_sparseness"
    summary = "Gini index of the map (Quantus)"
    source = "Chalasani et al. 2020, Concise Explanations of Neural Networks; quantus.Sparseness"
    higher_is_better = True
    bounds = (0.0, 1.0)
    unit = "1"

    abs: bool = True
    normalise: bool = True


@dataclass(frozen=True)
class Complexity(ScoredAlone):
    """The entropy of the shares of the attributions.

    Computed by ``quantus.Complexity``.

    Args:
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_complexity"
    summary = "entropy of the map (Quantus)"
    source = "Bhatt et al. 2020, Evaluating and Aggregating Explanations; quantus.Complexity"
    higher_is_better = False
    bounds = (0.0, None)
    unit = "1"

    abs: bool = True
    normalise: bool = True


@dataclass(frozen=True)
class EffectiveComplexity(ScoredAlone):
    """The number of attributions above a threshold.

    Computed by ``quantus.EffectiveComplexity``.

    Args:
        eps: threshold below which a value counts as 0.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_effective_complexity"
    summary = "number of elements above a threshold (Quantus)"
    source = "Nguyen and Martinez 2020, On Quantitative Aspects of Model Interpretability; quantus.EffectiveComplexity"
    higher_is_better = False
    bounds = (0.0, None)
    unit = "1"

    eps: Annotated[float, Range(0)] = 1e-05
    abs: bool = True
    normalise: bool = True
