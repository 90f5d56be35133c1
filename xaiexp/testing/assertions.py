"""Assertions of checks: conditions and equality of tensors up to rounding."""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.testing.definition import CheckFailure

__all__ = ["relative_difference", "require", "require_equal"]

_RELATIVE_TOLERANCE = 1e-4


def require(condition: object, message: str) -> None:
    """Assert that a condition holds.

    Raises:
        CheckFailure: it does not hold; with the message.
    """
    if not condition:
        raise CheckFailure(message)


def relative_difference(actual: Tensor, expected: Tensor) -> float:
    """The largest absolute difference divided by the largest absolute value of both tensors.

    Infinite where shapes or positions of NaN differ; NaN equals NaN.
    """
    actual, expected = actual.detach().double().cpu(), expected.detach().double().cpu()
    if actual.shape != expected.shape or not torch.equal(actual.isnan(), expected.isnan()):
        return float("inf")
    actual, expected = actual.nan_to_num(), expected.nan_to_num()
    if not actual.numel():
        return 0.0
    scale = max(float(actual.abs().max()), float(expected.abs().max()), 1e-30)
    return float((actual - expected).abs().max()) / scale


def require_equal(actual: Tensor, expected: Tensor, message: str, tolerance: float = _RELATIVE_TOLERANCE) -> None:
    """Assert that two tensors are equal up to a relative tolerance; NaN equals NaN.

    Raises:
        CheckFailure: they differ; with the message and the size of the difference.
    """
    difference = relative_difference(actual, expected)
    detail = (
        "shapes or positions of NaN differ"
        if difference == float("inf")
        else f"difference of {difference:.2g} relative to the largest value"
    )
    require(difference <= tolerance, f"{message}: {detail}")
