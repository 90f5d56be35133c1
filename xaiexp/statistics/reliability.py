"""The reliability of attributions that were estimated by sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["reliability"]


def reliability(values: Tensor, standard_error: Tensor, valid: Tensor) -> Tensor:
    """The fraction of the variance between features that is not sampling noise.

    Estimates ``1 - mean(se^2) / var(values)`` over the features of an example: the reliability of classical test theory
    (Lord and Novick 1968). Where sampling errors have mean 0 and are independent of the true attributions, it is the
    expected correlation between two independent runs of the method.

    Args:
        values: float ``[N, d]``, attributions of features.
        standard_error: float ``[N, d]``, their Monte Carlo standard errors, in the unit of ``values``.
        valid: bool ``[N or 1, d]``, False in columns that are not features of the example.

    Returns:
        float64 ``[N]`` in [0, 1] (a negative estimate is set to 0); NaN where an example has fewer than two features,
        all values are equal, or a standard error is NaN.
    """
    valid = valid.expand(values.shape)
    count = valid.sum(dim=1)
    values, noise = values.double() * valid, standard_error.double().square().masked_fill(~valid, 0.0)
    mean = values.sum(dim=1, keepdim=True) / count.unsqueeze(1)
    variance = ((values - mean).square() * valid).sum(dim=1) / (count - 1)
    estimate = (1 - noise.sum(dim=1) / count / variance).clamp(0.0, 1.0)
    return estimate.masked_fill((count < 2) | (variance == 0) | noise.isnan().any(dim=1), float("nan"))
