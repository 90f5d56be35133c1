"""Layer-wise relevance propagation through zennit, for xaiexp."""

from __future__ import annotations

import xaiexp
from xaiexp.contract import Component
from xaiexp_zennit.methods import (
    LrpEpsilonAlpha2Beta1,
    LrpEpsilonAlpha2Beta1Flat,
    LrpEpsilonGammaBox,
    LrpEpsilonPlus,
    LrpEpsilonPlusFlat,
)

__all__ = ["xaiexp_components"]


@xaiexp.hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The composites."""
    return [
        LrpEpsilonPlus,
        LrpEpsilonPlusFlat,
        LrpEpsilonAlpha2Beta1,
        LrpEpsilonAlpha2Beta1Flat,
        LrpEpsilonGammaBox,
    ]
