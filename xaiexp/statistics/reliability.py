"""How much of an attribution map that was sampled is signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["reliability"]


def reliability(values: Tensor, standard_error: Tensor, valid: Tensor) -> Tensor:
    """The part of the differences between features that is not sampling noise, in [0, 1].

    ``1 - mean(se^2) / var(values)`` over the features of an example: the reliability of classical test theory
    (Lord and Novick 1968), which is the correlation to be expected between two independent runs.

    Args:
        values: attributions of features ``[N, d]``.
        standard_error: of each of them, ``[N, d]``.
        valid: bool ``[N or 1, d]``; other columns are no features.

    Returns:
        float64 ``[N]``; NaN with fewer than two features, equal values, or an unknown standard error.
    """
    valid = valid.expand(values.shape)
    count = valid.sum(dim=1)
    values, noise = values.double() * valid, standard_error.double().square().masked_fill(~valid, 0.0)
    mean = values.sum(dim=1, keepdim=True) / count.unsqueeze(1)
    spread = ((values - mean).square() * valid).sum(dim=1) / (count - 1)
    told = (1 - noise.sum(dim=1) / count / spread).clamp(0.0, 1.0)
    return told.masked_fill((count < 2) | (spread == 0) | noise.isnan().any(dim=1), float("nan"))
