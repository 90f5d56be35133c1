"""Quantus' metrics of robustness; every sample explains again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from xaiexp.plugin import Range
from xaiexp_quantus.metric import Robustness

__all__ = [
    "AvgSensitivity",
    "LocalLipschitzEstimate",
    "MaxSensitivity",
    "RelativeInputStability",
    "RelativeOutputStability",
]


@dataclass(frozen=True)
class LocalLipschitzEstimate(Robustness):
    """The largest change of the map over the change of the input under Gaussian noise.

    Computed by ``quantus.LocalLipschitzEstimate``.

    Args:
        nr_samples: number of samples.
        perturb_mean: mean of the noise, in model space.
        perturb_std: standard deviation of the noise, in model space.
        return_nan_when_prediction_changes: whether the value is NaN where a sample has another prediction.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_local_lipschitz_estimate"
    summary = "largest change of the map over the change of the input, Gaussian noise (Quantus)"
    source = (
        "Alvarez-Melis and Jaakkola 2018, On the Robustness of Interpretability Methods; quantus.LocalLipschitzEstimate"
    )
    higher_is_better = False
    bounds = (0.0, None)
    unit = "1"
    perturbation = "gaussian"
    relative = False

    nr_samples: Annotated[int, Range(1)] = 200
    perturb_mean: Annotated[float, Range(None)] = 0.0
    perturb_std: Annotated[float, Range(0)] = 0.1
    return_nan_when_prediction_changes: bool = False
    abs: bool = False
    normalise: bool = True


@dataclass(frozen=True)
class MaxSensitivity(Robustness):
    """The largest change of the map under uniform noise.

    Computed by ``quantus.MaxSensitivity``.

    Args:
        nr_samples: number of samples.
        lower_bound: radius of the uniform noise, in model space.
        return_nan_when_prediction_changes: whether the value is NaN where a sample has another prediction.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_max_sensitivity"
    summary = "largest change of the map over the norm of the input, uniform noise (Quantus)"
    source = "Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations; quantus.MaxSensitivity"
    higher_is_better = False
    bounds = (0.0, None)
    unit = "1"

    nr_samples: Annotated[int, Range(1)] = 200
    lower_bound: Annotated[float, Range(0)] = 0.2
    return_nan_when_prediction_changes: bool = False
    abs: bool = False
    normalise: bool = False


@dataclass(frozen=True)
class AvgSensitivity(Robustness):
    """The mean change of the map under uniform noise.

    Computed by ``quantus.AvgSensitivity``.

    Args:
        nr_samples: number of samples.
        lower_bound: radius of the uniform noise, in model space.
        return_nan_when_prediction_changes: whether the value is NaN where a sample has another prediction.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_avg_sensitivity"
    summary = "mean change of the map over the norm of the input, uniform noise (Quantus)"
    source = "Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations; quantus.AvgSensitivity"
    higher_is_better = False
    bounds = (0.0, None)
    unit = "1"

    nr_samples: Annotated[int, Range(1)] = 200
    lower_bound: Annotated[float, Range(0)] = 0.2
    return_nan_when_prediction_changes: bool = False
    abs: bool = False
    normalise: bool = False


@dataclass(frozen=True)
class RelativeInputStability(Robustness):
    """The largest relative change of the map over that of the input.

    Computed by ``quantus.RelativeInputStability``.

    Args:
        nr_samples: number of samples.
        eps_min: smallest denominator.
        return_nan_when_prediction_changes: whether the value is NaN where a sample has another prediction.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_relative_input_stability"
    summary = "largest relative change of the map over that of the input (Quantus)"
    source = "Agarwal et al. 2022, Rethinking Stability; quantus.RelativeInputStability"
    higher_is_better = False
    bounds = (0.0, None)
    unit = "1"

    nr_samples: Annotated[int, Range(1)] = 200
    eps_min: Annotated[float, Range(0)] = 1e-06
    return_nan_when_prediction_changes: bool = True
    abs: bool = False
    normalise: bool = False


@dataclass(frozen=True)
class RelativeOutputStability(Robustness):
    """The largest relative change of the map over that of the outputs.

    Computed by ``quantus.RelativeOutputStability``.

    Args:
        nr_samples: number of samples.
        eps_min: smallest denominator.
        return_nan_when_prediction_changes: whether the value is NaN where a sample has another prediction.
        abs: whether absolute attributions are scored.
        normalise: whether attributions are divided by their largest absolute value.
    """

    name = "quantus_relative_output_stability"
    summary = "largest relative change of the map over that of the outputs (Quantus)"
    source = "Agarwal et al. 2022, Rethinking Stability; quantus.RelativeOutputStability"
    higher_is_better = False
    bounds = (0.0, None)
    unit = "1"

    nr_samples: Annotated[int, Range(1)] = 200
    eps_min: Annotated[float, Range(0)] = 1e-06
    return_nan_when_prediction_changes: bool = True
    abs: bool = False
    normalise: bool = False
