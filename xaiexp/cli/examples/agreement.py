"""The agreement mine for xaiexp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xaiexp.plugin import Agreement, Component, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

XAIEXP_API = 1  # the version of the plugin contract that this plugin requires


@dataclass(frozen=True)
class Mine(Agreement):
    """Lin's concordance correlation: 1 where two maps are equal, lower where scale or location differ.

    It is NaN where a map is constant.
    """

    summary = "concordance correlation of two maps"
    source = "Lin 1989, equation 1"
    bounds: ClassVar[tuple[float | None, float | None]] = (-1.0, 1.0)
    needs_sign, symmetric = True, True

    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """``[N]`` of maps ``[N, d]``."""
        x, y = a.double(), b.double()
        shift = x.mean(dim=1) - y.mean(dim=1)
        x, y = x - x.mean(dim=1, keepdim=True), y - y.mean(dim=1, keepdim=True)
        values = 2 * (x * y).mean(dim=1) / (x.square().mean(dim=1) + y.square().mean(dim=1) + shift.square())
        constant = (a == a[:, :1]).all(dim=1) | (b == b[:, :1]).all(dim=1)
        return values.masked_fill(constant, float("nan"))


@hookimpl
def xaiexp_components() -> Sequence[type[Component]]:
    """The components of this plugin."""
    return [Mine]
