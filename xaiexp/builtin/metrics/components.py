"""Measures of one explanation; the formulas are in the modules beside this one.

What holds for all of them: one number per example, in the inputs' dtype; NaN where undefined; random numbers per
example, the same for every explanation; passes that depend on no explanation are made once for all of them. The
model's scores at the inputs themselves are known to the handle and cost nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from xaiexp.contract import Metric
from xaiexp.parameters import Range
from xaiexp.types import Batch, Cost, Explanation

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.draws import Draws
    from xaiexp.passes import Handle

__all__ = ["Completeness", "Deletion", "Infidelity", "Insertion", "SensitivityMax", "Sparseness"]

Removal = Literal["auto", "blur", "mean", "zero"]


@dataclass(frozen=True)
class Infidelity(Metric):
    """How far the attributions are from foretelling what a perturbation I does to the output, at least 0.

    ``E_I[(beta * I.phi - (f(x) - f(x - I)))^2]`` over ``n_samples`` perturbations, in squared units of the output.
    ``I.phi`` is the sum of ``I_e * phi_e`` over elements for sensitivities. A contribution ``phi_j`` of feature j is
    meant for the whole step ``D = x - x0`` from its reference (the mean of several; 0 in model space where it read
    none), so it enters in proportion to the part of that step that I makes: ``<I_j, D_j> / <D_j, D_j> * phi_j``,
    and 0 where ``D_j`` is 0. The exact attributions of a linear model, of either kind, have infidelity 0.

    Args:
        perturbation: ``removal`` sends a random subset of the features to the removal's reference r,
            ``I = x - r``, its size uniform in 1 to all; ``noise`` is normal, on every element of a feature.
        removal: what r is: ``blur``, ``mean`` of the data or ``zero`` in data space; ``auto`` is blur for
            pictures, mean for tables and series, zero for texts.
        n_samples: perturbations per example.
        noise_level: standard deviation of the noise relative to the range of the data.
        normalize: whether each example's attributions are first multiplied by the beta that makes the value
            smallest, ``E[(I.phi) df] / E[(I.phi)^2]`` (it may be negative; 0 for a map that foretells nothing),
            so that only their proportions count. Otherwise beta is 1.
    """

    summary = "how far attributions are from foretelling what perturbations do to the output"
    source = "Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, definition 2.1; beta: section 2.2"
    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = True
    re_explains = False
    unit = "output^2"

    perturbation: Literal["removal", "noise"] = "removal"
    removal: Removal = "auto"
    n_samples: Annotated[int, Range(1)] = 64
    noise_level: Annotated[float, Range(0, exclusive=True)] = 0.2
    normalize: bool = True

    @property
    def scale_invariant(self) -> bool:  # type: ignore[override]  # a fact that a parameter decides
        """The best beta undoes any factor."""
        return self.normalize

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations; NaN for those without signs."""
        from xaiexp.builtin.metrics.infidelity import infidelities

        noise = self.noise_level if self.perturbation == "noise" else None
        return infidelities(model, batch, explanations, rng, self.n_samples, self.removal, noise, self.normalize)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each sample, however many explanations there are."""
        return Cost(forward=self.n_samples)


@dataclass(frozen=True)
class SensitivityMax(Metric):
    """The largest relative change of the attributions near the input: ``max_s ||phi(x_s) - phi(x)|| / ||phi(x)||``.

    Over ``n_perturb_samples`` points ``x_s``, uniform in the L-infinity ball around the input; norms are Euclidean,
    over features. At least 0, without unit. NaN for a map of zeros, and where the method is not at hand.

    Args:
        perturb_radius: radius of the ball relative to the range of the data.
        n_perturb_samples: points per example.
    """

    summary = "the largest relative change of the attributions in a small ball around the input"
    source = "Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, definition 3; relative as in Captum"
    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = False
    scale_invariant = True
    re_explains = True
    unit = "1"

    perturb_radius: Annotated[float, Range(0, exclusive=True)] = 0.02
    n_perturb_samples: Annotated[int, Range(1)] = 10

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations."""
        from xaiexp.builtin.metrics.sensitivity import largest_changes

        return largest_changes(model, batch, explanations, rng, self.perturb_radius, self.n_perturb_samples)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """None of its own: all it costs is re-explaining, ``n_perturb_samples`` times."""
        return Cost(forward=0)


@dataclass(frozen=True)
class Completeness(Metric):
    """How far the attributions miss the difference they should add up to: ``|sum_j phi_j - (f(x) - f(x0))|``.

    At least 0, in units of the explained output. ``f(x0)`` is the mean over the references where there are several.
    NaN for attributions that are no signed contributions or were made without a reference.
    """

    summary = "how far attributions are from adding up to f(x) - f(reference)"
    source = "Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks, proposition 1"
    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = True
    scale_invariant = False
    re_explains = False
    unit = "output"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations; a reference that several share is evaluated once."""
        from xaiexp.builtin.metrics.completeness import gaps

        return gaps(model, batch, explanations)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each distinct reference, whose number the explanations decide."""
        return None


@dataclass(frozen=True)
class _Curve(Metric):
    """The area under the target's probability while features go from one state to the other, in [0, 1].

    Args:
        steps: at how many evenly spaced numbers of features the probability is taken, besides the start; examples
            with fewer features go one at a time.
        removal: what a removed feature becomes: ``blur``, ``mean`` of the data or ``zero`` in data space; ``auto``
            is blur for pictures, mean for tables and series, zero for texts.
    """

    bounds = (0.0, 1.0)
    needs_sign = False
    scale_invariant = True
    re_explains = False
    unit = "probability"
    inserts: ClassVar[bool]

    steps: Annotated[int, Range(1)] = 16
    removal: Removal = "auto"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The areas ``[M, N]`` of M explanations; all curves in one stream of full batches."""
        from xaiexp.builtin.metrics.curves import areas

        return areas(model, batch, explanations, rng, self.steps, self.removal, self.inserts)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """The points between the ends for every explanation, and the empty input once."""
        return Cost(forward=1 + explanations * (min(self.steps, d) - 1))


@dataclass(frozen=True)
class Deletion(_Curve):
    """The area under the target's probability as features are removed, highest attribution first, in [0, 1].

    By the trapezoidal rule over the fraction of features removed, 0 to 1; always the probability, whatever the study
    explains. A low area means that the features named first were needed. Ties are broken at random, by the same
    numbers for all explanations. NaN for an example without features.

    Args:
        steps: at how many evenly spaced numbers of features the probability is taken, besides the start; examples
            with fewer features go one at a time.
        removal: what a removed feature becomes: ``blur``, ``mean`` of the data or ``zero`` in data space; ``auto``
            is blur for pictures, mean for tables and series, zero for texts.
    """

    summary = "area under the target's probability as the highest attributions are removed first"
    source = "Petsiuk et al. 2018, RISE, section 4.1 (deletion)"
    higher_is_better = False
    inserts = False


@dataclass(frozen=True)
class Insertion(_Curve):
    """The area under the target's probability as features are put back, highest attribution first, in [0, 1].

    As :class:`Deletion`, from the removed input to the whole one: a high area means that the features named first
    were enough.

    Args:
        steps: at how many evenly spaced numbers of features the probability is taken, besides the start; examples
            with fewer features go one at a time.
        removal: what a removed feature is: ``blur``, ``mean`` of the data or ``zero`` in data space; ``auto`` is
            blur for pictures, mean for tables and series, zero for texts.
    """

    summary = "area under the target's probability as the highest attributions are put back first"
    source = "Petsiuk et al. 2018, RISE, section 4.1 (insertion)"
    higher_is_better = True
    inserts = True


@dataclass(frozen=True)
class Sparseness(Metric):
    """How unequally the magnitudes are shared among the features: their Gini index, in [0, 1), without unit.

    0 where all are equal, ``1 - 1/d`` where one feature of d has everything. NaN for a map of zeros.
    """

    summary = "how few features the attributions rest on (Gini index of the magnitudes)"
    source = "Chalasani et al. 2020, Concise Explanations of Neural Networks; Hurley and Rickard 2009, table I (Gini)"
    higher_is_better = True
    bounds = (0.0, 1.0)
    needs_sign = False
    scale_invariant = True
    re_explains = False
    unit = "1"

    def score(self, model: Handle, batch: Batch, explanation: Explanation, rng: Draws) -> Tensor:
        """The Gini index ``[N]``."""
        from xaiexp.builtin.metrics.sparseness import gini

        return gini(explanation.values, batch.features.valid).to(batch.inputs.dtype)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """None at all."""
        return Cost(forward=0)
