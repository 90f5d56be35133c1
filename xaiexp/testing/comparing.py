"""When two answers are the same."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.testing.check_types import demand

__all__ = ["apart", "same"]

_RELATIVE = 1e-4


def apart(got: Tensor, want: Tensor) -> float:
    """The largest difference relative to the largest number; infinite where shapes or NaNs differ."""
    got, want = got.detach().double().cpu(), want.detach().double().cpu()
    if got.shape != want.shape or not torch.equal(got.isnan(), want.isnan()):
        return float("inf")
    got, want = got.nan_to_num(), want.nan_to_num()
    if not got.numel():
        return 0.0
    scale = max(float(got.abs().max()), float(want.abs().max()), 1e-30)
    return float((got - want).abs().max()) / scale


def same(got: Tensor, want: Tensor, what: str, tolerance: float = _RELATIVE) -> None:
    """Demand that two tensors are equal up to rounding; NaN equals NaN.

    Raises:
        Broken: they are not.
    """
    far = apart(got, want)
    how = "shapes or undefined values differ" if far == float("inf") else f"by {far:.2g} of the largest value"
    demand(far <= tolerance, f"{what}: {how}")
