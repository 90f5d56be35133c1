"""Completeness: whether attributions add up to the difference of the output that they explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.kinds import Metric
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["Completeness"]


@dataclass(frozen=True)
class Completeness(Metric):
    """The gap between the sum of the attributions and the difference of the output: ``|sum_j phi_j - (f(x) - f(x0))|``.

    At least 0, in units of the explained output. ``f(x0)`` is the mean over the references where there are several.
    NaN for attributions that are not signed contributions or have no reference, and for attributions of a layer whose
    method does not declare completeness.
    """

    summary = "how far attributions are from adding up to f(x) - f(reference)"
    source = "Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks, proposition 1"
    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = True
    scale_invariant = False
    re_explains = False
    unit = "output"
    spaces = ("input", "layer")

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations; a reference that several share is evaluated once."""
        from xaiexp.builtin.metrics.axioms.completeness_formulas import completeness_gaps

        return completeness_gaps(model, batch, explanations)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each distinct reference, whose number is known from the explanations only."""
        return None
