"""Input invariance: whether attributions change with an input shift that the network compensates."""

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

__all__ = ["InputInvariance"]


@dataclass(frozen=True)
class InputInvariance(Metric):
    """The relative change of the attributions under an input shift that the network compensates.

    ``||phi_g(x) - phi_f(x - c)|| / ||phi_f(x - c)||`` with ``g(x) = f(x - c)``, at least 0, dimensionless. Both
    explanations explain the same number; 0 means that the method is input invariant. The network g is a copy that
    subtracts c from its input, which is equivalent to correcting the bias of the first layer. References are computed
    by the cell's baseline for x and for ``x - c``. A reference that does not shift with the input (zero) makes a method
    of contributions depend on the shift, as in the paper. A method that reads the input of the first layer instead of
    the network's input does not see the shift. NaN for a map of zeros.

    Args:
        shift: c relative to the range of the data, added to every element of the input.
    """

    summary = "how far attributions change with a constant shift of the input that the network compensates"
    source = "Kindermans et al. 2019, The (Un)reliability of Saliency Methods, section 2"
    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = False
    scale_invariant = True
    re_explains = True
    unit = "1"
    needs = frozenset({"modules"})
    spaces = ("input", "layer", "neuron")

    shift: float = 0.02

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations; they share the compensated network."""
        from xaiexp.builtin.metrics.robustness.invariance_formulas import shift_changes

        return shift_changes(model, batch, explanations, self.shift)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """No passes of its own; explaining twice is not included."""
        return Cost(forward=0)
