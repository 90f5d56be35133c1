"""Metrics of relative stability: changes of the attributions relative to changes of input, output or representation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from xaiexp.builtin.metrics.robustness.sensitivity import NearbyPoints
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation
from xaiexp.core.parameters import Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["RelativeInputStability", "RelativeOutputStability", "RelativeRepresentationStability"]


@dataclass(frozen=True)
class _RelativeStability(NearbyPoints):
    """The largest relative change of the attributions per change of another quantity.

    Args:
        perturb_radius: radius of the ball relative to the range of the data.
        n_perturb_samples: points per example.
        eps_min: lower bound of the denominator.
        floor: lower bound of the values that a relative change is divided by, as a share of the largest of them.
    """

    against: ClassVar[Literal["input", "output", "representation"]]

    eps_min: Annotated[float, Range(0, exclusive=True)] = 1e-6
    floor: Annotated[float, Range(0, 1, exclusive=True)] = 0.1

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations."""
        from xaiexp.builtin.metrics.robustness.stability_formulas import relative_changes

        radius, count = self.perturb_radius, self.n_perturb_samples
        return relative_changes(model, batch, explanations, rng, radius, count, self.eps_min, self.floor, self.against)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each point, whatever the number of explanations; explaining again is not included."""
        return Cost(forward=self.n_perturb_samples)


@dataclass(frozen=True)
class RelativeInputStability(_RelativeStability):
    """The largest relative change of the attributions per relative change of the input.

    ``max_s ||(phi(x_s) - phi(x)) / phi(x)|| / max(||(x_s - x) / x||, eps_min)`` over the points near the input with the
    same predicted class; ratios are taken by feature and by element. At least 0, dimensionless. NaN where no point
    keeps the class, and for an input of zeros. The paper does not define the relative change of an attribution of 0.
    Without ``floor``, features with attributions near 0 exceed all others by orders of magnitude.

    Args:
        perturb_radius: radius of the ball relative to the range of the data.
        n_perturb_samples: points per example.
        eps_min: lower bound of the denominator.
        floor: lower bound of the values that a relative change is divided by, as a share of the largest of them.
    """

    summary = "the largest relative change of the attributions per relative change of the input"
    source = "Agarwal et al. 2022, Rethinking Stability for Attribution-based Explanations, equation 2"
    unit = "1"
    against = "input"


@dataclass(frozen=True)
class RelativeOutputStability(_RelativeStability):
    """The largest relative change of the attributions per change of the logits.

    ``max_s ||(phi(x_s) - phi(x)) / phi(x)|| / max(||h(x_s) - h(x)||, eps_min)``, otherwise as
    ``relative_input_stability``. At least 0, per unit of the logits.

    Args:
        perturb_radius: radius of the ball relative to the range of the data.
        n_perturb_samples: points per example.
        eps_min: lower bound of the denominator.
        floor: lower bound of the values that a relative change is divided by, as a share of the largest of them.
    """

    summary = "the largest relative change of the attributions per change of the logits"
    source = "Agarwal et al. 2022, Rethinking Stability for Attribution-based Explanations, equation 5"
    unit = "1/logit"
    against = "output"
    spaces = ("input", "layer")


@dataclass(frozen=True)
class RelativeRepresentationStability(_RelativeStability):
    """The largest relative change of the attributions per relative change of the penultimate layer.

    ``max_s ||(phi(x_s) - phi(x)) / phi(x)|| / max(||(L(x_s) - L(x)) / L(x)||, eps_min)``, where L is the input of the
    model's last linear layer; otherwise as ``relative_input_stability``. At least 0, dimensionless.

    Args:
        perturb_radius: radius of the ball relative to the range of the data.
        n_perturb_samples: points per example.
        eps_min: lower bound of the denominator.
        floor: lower bound of the values that a relative change is divided by, as a share of the largest of them.
    """

    summary = "the largest relative change of the attributions per relative change of the penultimate layer"
    source = "Agarwal et al. 2022, Rethinking Stability for Attribution-based Explanations, equation 3"
    unit = "1"
    against = "representation"
    needs = frozenset({"modules"})

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """Two passes for each point, for logits and representation, and one for the representation of the input."""
        return Cost(forward=2 * self.n_perturb_samples + 1)
