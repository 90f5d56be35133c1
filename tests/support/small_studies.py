"""A small study to run, and the base of the components that tests bring along."""

from __future__ import annotations

from typing import ClassVar

import xaiexp
from xaiexp.contract.kinds import Method

SMALL = [
    "model=digits_mlp",
    "examples=12",
    "method=[saliency,integrated_gradients,random]",
    "baseline=[zero,mean]",
    "metric=[infidelity,deletion,sparseness]",
    "agreement=[rank_correlation,sign_agreement]",
    "tracking.uri=off",
    "report=false",
]


def run(*more):
    return xaiexp.run([*SMALL, *more], quiet=True)


def passes(result):
    told = result.record["passes"]
    parts = [told["attributions"], told["predictions_and_references"], *told["metrics"].values()]
    return sum(p["forward"] + p["backward"] for p in parts)


class Facts(Method):
    """What the broken methods below have in common."""

    summary: ClassVar[str] = "breaks"
    source: ClassVar[str] = "made up"
    needs: ClassVar[frozenset[str]] = frozenset()
    reads_baseline: ClassVar[bool] = False
    signed: ClassVar[bool] = True
    complete: ClassVar[bool] = False
    multiplied_by_inputs: ClassVar[bool] = True
