"""A plugin for xaiexp: layer-wise relevance propagation (LRP) by zennit."""

from __future__ import annotations

from xaiexp.plugin import Component, hookimpl
from xaiexp_zennit.methods import (
    LrpEpsilonAlpha2Beta1,
    LrpEpsilonAlpha2Beta1Flat,
    LrpEpsilonGammaBox,
    LrpEpsilonPlus,
    LrpEpsilonPlusFlat,
)

__all__ = ["xaiexp_components"]


@hookimpl
def xaiexp_components() -> list[type[Component]]:
    """The composites."""
    return [
        LrpEpsilonPlus,
        LrpEpsilonPlusFlat,
        LrpEpsilonAlpha2Beta1,
        LrpEpsilonAlpha2Beta1Flat,
        LrpEpsilonGammaBox,
    ]
