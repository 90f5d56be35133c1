"""Quantus' metrics of faithfulness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from xaiexp.plugin import Range
from xaiexp_quantus.metric import ScoredAlone

__all__ = [
    "FaithfulnessCorrelation",
    "FaithfulnessEstimate",
    "Infidelity",
    "Monotonicity",
    "MonotonicityCorrelation",
    "PixelFlipping",
]


@dataclass(frozen=True)
class FaithfulnessCorrelation(ScoredAlone):
    """Pearson's correlation of summed attributions and changes of the score.

    Computed by ``quantus.FaithfulnessCorrelation``.

    Args:
        nr_runs: number of random subsets.
        subset_size: number of elements of a subset; it must be smaller than the input.
        perturb_baseline: what replaces elements: black (0), white (1), mean, uniform or random values.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_faithfulness_correlation"
    summary = "correlation of summed attributions and changes of the score for random subsets (Quantus)"
    source = "Bhatt et al. 2020, Evaluating and Aggregating Explanations; quantus.FaithfulnessCorrelation"
    higher_is_better = True
    bounds = (-1.0, 1.0)
    unit = "1"

    nr_runs: Annotated[int, Range(2)] = 100
    subset_size: Annotated[int, Range(1)] = 224
    perturb_baseline: Literal["black", "white", "mean", "uniform", "random"] = "black"
    abs: bool = False
    normalise: bool = True


@dataclass(frozen=True)
class FaithfulnessEstimate(ScoredAlone):
    """Pearson's correlation of attributions and changes of the score in the order of attributions.

    Computed by ``quantus.FaithfulnessEstimate``.

    Args:
        features_in_step: number of elements that are replaced in one step; it must divide their number.
        perturb_baseline: what replaces elements: black (0), white (1), mean, uniform or random values.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_faithfulness_estimate"
    summary = "correlation of attributions and changes of the score, one step at a time (Quantus)"
    source = "Alvarez-Melis and Jaakkola 2018, Towards Robust Interpretability; quantus.FaithfulnessEstimate"
    higher_is_better = True
    bounds = (-1.0, 1.0)
    unit = "1"

    features_in_step: Annotated[int, Range(1)] = 1
    perturb_baseline: Literal["black", "white", "mean", "uniform", "random"] = "black"
    abs: bool = False
    normalise: bool = True


@dataclass(frozen=True)
class PixelFlipping(ScoredAlone):
    """The area under the score while elements are replaced, those with the largest attributions first.

    Computed by ``quantus.PixelFlipping``.

    Args:
        features_in_step: number of elements that are replaced in one step; it must divide their number.
        perturb_baseline: what replaces elements: black (0), white (1), mean, uniform or random values.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_pixel_flipping"
    summary = "area under the score while elements are replaced, highest first (Quantus)"
    source = "Bach et al. 2015, On Pixel-Wise Explanations; quantus.PixelFlipping"
    higher_is_better = False
    bounds = (None, None)
    unit = "output"
    fixed = (("return_auc_per_sample", True),)

    features_in_step: Annotated[int, Range(1)] = 1
    perturb_baseline: Literal["black", "white", "mean", "uniform", "random"] = "black"
    abs: bool = False
    normalise: bool = True


@dataclass(frozen=True)
class Monotonicity(ScoredAlone):
    """1 where the score never falls while elements are added to the baseline in ascending order, else 0.

    Computed by ``quantus.Monotonicity``.

    Args:
        features_in_step: number of elements that are replaced in one step; it must divide their number.
        perturb_baseline: what replaces elements: black (0), white (1), mean, uniform or random values.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_monotonicity"
    summary = "whether the score rises with every element that is added, lowest first (Quantus)"
    source = "Arya et al. 2019, One Explanation Does Not Fit All; quantus.Monotonicity"
    higher_is_better = True
    bounds = (0.0, 1.0)
    unit = "1"

    features_in_step: Annotated[int, Range(1)] = 1
    perturb_baseline: Literal["black", "white", "mean", "uniform", "random"] = "black"
    abs: bool = True
    normalise: bool = True


@dataclass(frozen=True)
class MonotonicityCorrelation(ScoredAlone):
    """Spearman's correlation of attributions and the mean squared change of the score.

    Computed by ``quantus.MonotonicityCorrelation``.

    Args:
        eps: threshold below which a value counts as 0.
        nr_samples: number of samples.
        features_in_step: number of elements that are replaced in one step; it must divide their number.
        perturb_baseline: what replaces elements: black (0), white (1), mean, uniform or random values.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_monotonicity_correlation"
    summary = "rank correlation of attributions and the variance of the score (Quantus)"
    source = (
        "Nguyen and Martinez 2020, On Quantitative Aspects of Model Interpretability; quantus.MonotonicityCorrelation"
    )
    higher_is_better = True
    bounds = (-1.0, 1.0)
    unit = "1"

    eps: Annotated[float, Range(0)] = 1e-05
    nr_samples: Annotated[int, Range(1)] = 100
    features_in_step: Annotated[int, Range(1)] = 1
    perturb_baseline: Literal["black", "white", "mean", "uniform", "random"] = "uniform"
    abs: bool = True
    normalise: bool = True


@dataclass(frozen=True)
class Infidelity(ScoredAlone):
    """The mean squared error of predicted changes of the score for replaced squares.

    Computed by ``quantus.Infidelity``.

    Args:
        loss_func: the measure of the error.
        n_perturb_samples: number of perturbations.
        perturb_baseline: what replaces elements: black (0), white (1), mean, uniform or random values.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_infidelity"
    summary = "squared error of the change of the score that attributions predict for replaced squares (Quantus)"
    source = "Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations; quantus.Infidelity"
    higher_is_better = False
    bounds = (0.0, None)
    unit = "output²"
    modalities = ("image",)

    loss_func: Literal["mse"] = "mse"
    n_perturb_samples: Annotated[int, Range(1)] = 10
    perturb_baseline: Literal["black", "white", "mean", "uniform", "random"] = "black"
    abs: bool = False
    normalise: bool = False
