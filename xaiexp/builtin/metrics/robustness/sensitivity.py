"""Metrics of how far attributions change at points near the input: maximum sensitivity and local Lipschitz estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from xaiexp.contract.kinds import Metric
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation
from xaiexp.core.parameters import Effort, Range
from xaiexp.core.vocabulary import Space

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["LocalLipschitz", "NearbyPoints", "SensitivityMax"]


@dataclass(frozen=True)
class NearbyPoints(Metric):
    """Base of the metrics that compare the attributions of the input with those of points near it.

    The points are uniform in an L-infinity ball whose radius is relative to the range of the data. They are the same
    for every explanation, and the model's outputs there are evaluated once for all of them. Elements of no feature keep
    their values. Norms are Euclidean, over features. NaN for a map of zeros and for an explanation whose method is not
    available to explain again.

    Args:
        perturb_radius: radius of the ball relative to the range of the data.
        n_perturb_samples: points per example.
    """

    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = False
    scale_invariant = True
    re_explains = True
    spaces: ClassVar[tuple[Space, ...]] = ("input", "layer", "neuron")

    perturb_radius: Annotated[float, Range(0, exclusive=True)] = 0.02
    n_perturb_samples: Annotated[int, Range(1), Effort(3, 10, 40)] = 10

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """No passes of its own; explaining ``n_perturb_samples`` points again is not included."""
        return Cost(forward=0)


@dataclass(frozen=True)
class SensitivityMax(NearbyPoints):
    """The largest relative change of the attributions near the input: ``max_s ||phi(x_s) - phi(x)|| / ||phi(x)||``.

    The points ``x_s`` are ``n_perturb_samples`` uniform draws from the L-infinity ball around the input; norms are
    Euclidean, over features. At least 0, dimensionless. NaN for a map of zeros and where the method is not available.

    Args:
        perturb_radius: radius of the ball relative to the range of the data.
        n_perturb_samples: points per example.
    """

    summary = "the largest relative change of the attributions in a small ball around the input"
    source = "Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, definition 3; relative as in Captum"
    unit = "1"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations."""
        from xaiexp.builtin.metrics.robustness.sensitivity_formulas import largest_changes

        return largest_changes(model, batch, explanations, rng, self.perturb_radius, self.n_perturb_samples)


@dataclass(frozen=True)
class LocalLipschitz(NearbyPoints):
    """The steepest change of the attributions near the input: ``max_s ||phi(x_s) - phi(x)|| / ||x_s - x||``.

    Over ``n_perturb_samples`` points ``x_s`` near the input; the norm of the denominator is over elements, in model
    space. At least 0, in units of the attribution per unit of input, so it depends on the scale of the attributions.

    Args:
        perturb_radius: radius of the ball relative to the range of the data.
        n_perturb_samples: points per example.
    """

    summary = "the steepest change of the attributions per unit of input in a small ball (local Lipschitz estimate)"
    source = "Alvarez-Melis and Jaakkola 2018, On the Robustness of Interpretability Methods, equation 2"
    scale_invariant = False
    unit = "attribution/input"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations."""
        from xaiexp.builtin.metrics.robustness.sensitivity_formulas import steepest_changes

        return steepest_changes(model, batch, explanations, rng, self.perturb_radius, self.n_perturb_samples)
