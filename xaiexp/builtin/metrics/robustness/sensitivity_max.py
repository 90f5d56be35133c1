"""Measures of what small changes do to an explanation; the formulas are in the modules beside this one.

What holds for those that explain points near the input again: the points are uniform in an L-infinity ball, whose
radius is relative to the range of the data, and the same for every explanation; what the model says there is evaluated
once for all of them; elements of no feature stay as they are; norms are Euclidean, over features. A map of zeros has
no stability (NaN), nor has an explanation whose method is not at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from xaiexp.contract.kinds import Metric
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation
from xaiexp.core.parameters import Effort, Range
from xaiexp.core.vocabulary import Space

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = [
    "InputInvariance",
    "LocalLipschitz",
    "RelativeInputStability",
    "RelativeOutputStability",
    "RelativeRepresentationStability",
    "SensitivityMax",
]


@dataclass(frozen=True)
class _Nearby(Metric):
    """A measure of how far attributions move from the input to points near it.

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
        """None of its own: all it costs is re-explaining, ``n_perturb_samples`` times."""
        return Cost(forward=0)


@dataclass(frozen=True)
class SensitivityMax(_Nearby):
    """The largest relative change of the attributions near the input: ``max_s ||phi(x_s) - phi(x)|| / ||phi(x)||``.

    Over ``n_perturb_samples`` points ``x_s``, uniform in the L-infinity ball around the input; norms are Euclidean,
    over features. At least 0, without unit. NaN for a map of zeros, and where the method is not at hand.

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
class LocalLipschitz(_Nearby):
    """The steepest change of the attributions near the input: ``max_s ||phi(x_s) - phi(x)|| / ||x_s - x||``.

    Over ``n_perturb_samples`` points ``x_s`` near the input; the lower norm is over elements, in model space. At
    least 0, in units of the attribution per unit of input: scales of attributions are compared with it, too.

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


@dataclass(frozen=True)
class _Relative(_Nearby):
    """The largest relative change of the attributions, per change of something else.

    Args:
        perturb_radius: radius of the ball relative to the range of the data.
        n_perturb_samples: points per example.
        eps_min: the least distance that counts.
        floor: where numbers are compared with what they were, those below this part of the largest of them count as
            that much.
    """

    against: ClassVar[Literal["input", "output", "representation"]]

    eps_min: Annotated[float, Range(0, exclusive=True)] = 1e-6
    floor: Annotated[float, Range(0, 1, exclusive=True)] = 0.1

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations."""
        from xaiexp.builtin.metrics.robustness.stability_formulas import relative_changes

        radius, count, least = self.perturb_radius, self.n_perturb_samples, (self.eps_min, self.floor)
        return relative_changes(model, batch, explanations, rng, radius, count, *least, self.against)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each point, however many explanations there are; re-explaining comes on top."""
        return Cost(forward=self.n_perturb_samples)


@dataclass(frozen=True)
class RelativeInputStability(_Relative):
    """The largest relative change of the attributions per relative change of the input.

    ``max_s ||(phi(x_s) - phi(x)) / phi(x)|| / max(||(x_s - x) / x||, eps_min)`` over the points near the input that
    keep its predicted class; ratios are taken feature by feature and element by element. At least 0, without unit.
    NaN where no point keeps the class, and for an input of zeros. The paper leaves open what a change is relative to
    where an attribution is 0 or next to it; without a floor such features outweigh all others by orders of magnitude.

    Args:
        perturb_radius: radius of the ball relative to the range of the data.
        n_perturb_samples: points per example.
        eps_min: the least distance that counts.
        floor: where numbers are compared with what they were, those below this part of the largest of them count as
            that much.
    """

    summary = "the largest relative change of the attributions per relative change of the input"
    source = "Agarwal et al. 2022, Rethinking Stability for Attribution-based Explanations, equation 2"
    unit = "1"
    against = "input"


@dataclass(frozen=True)
class RelativeOutputStability(_Relative):
    """The largest relative change of the attributions per change of the logits.

    ``max_s ||(phi(x_s) - phi(x)) / phi(x)|| / max(||h(x_s) - h(x)||, eps_min)``; all else as in
    ``relative_input_stability``. At least 0, per unit of the logits.

    Args:
        perturb_radius: radius of the ball relative to the range of the data.
        n_perturb_samples: points per example.
        eps_min: the least distance that counts.
        floor: where numbers are compared with what they were, those below this part of the largest of them count as
            that much.
    """

    summary = "the largest relative change of the attributions per change of the logits"
    source = "Agarwal et al. 2022, Rethinking Stability for Attribution-based Explanations, equation 5"
    unit = "1/logit"
    against = "output"
    spaces = ("input", "layer")


@dataclass(frozen=True)
class RelativeRepresentationStability(_Relative):
    """The largest relative change of the attributions per relative change of the penultimate layer.

    ``max_s ||(phi(x_s) - phi(x)) / phi(x)|| / max(||(L(x_s) - L(x)) / L(x)||, eps_min)``; L is what the model's last
    linear layer reads, and all else as in ``relative_input_stability``. At least 0, without unit.

    Args:
        perturb_radius: radius of the ball relative to the range of the data.
        n_perturb_samples: points per example.
        eps_min: the least distance that counts.
        floor: where numbers are compared with what they were, those below this part of the largest of them count as
            that much.
    """

    summary = "the largest relative change of the attributions per relative change of the penultimate layer"
    source = "Agarwal et al. 2022, Rethinking Stability for Attribution-based Explanations, equation 3"
    unit = "1"
    against = "representation"
    needs = frozenset({"modules"})

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """Two for each point, logits and representation, and the representation of the input."""
        return Cost(forward=2 * self.n_perturb_samples + 1)


@dataclass(frozen=True)
class InputInvariance(Metric):
    """How far attributions change with a shift of the input that the network undoes, relative to their norm.

    ``||phi_g(x) - phi_f(x - c)|| / ||phi_f(x - c)||`` with ``g(x) = f(x - c)``, at least 0, without unit: both explain
    the same number, and 0 is a method that is input invariant. The network g is a copy that subtracts c first, which is
    what correcting the first layer's bias does. References are those that the cell's baseline gives for x and for
    ``x - c``: one that does not move with the input (zero) makes a method of contributions depend on the shift, as in
    the paper. A method that reads the first layer's own input sees no shift at all. NaN for a map of zeros.

    Args:
        shift: c relative to the range of the data, on every element of the input.
    """

    summary = "how far attributions change with a constant shift of the input that the network undoes"
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
        """The values ``[M, N]`` of M explanations; the corrected network is made once."""
        from xaiexp.builtin.metrics.robustness.invariance_formulas import shift_changes

        return shift_changes(model, batch, explanations, self.shift)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """None of its own: all it costs is re-explaining twice."""
        return Cost(forward=0)
