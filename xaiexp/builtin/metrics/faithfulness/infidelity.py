"""Faithfulness by perturbation: infidelity, and the gap that noise on the top features makes.

With each value comes ``shift``, how far the perturbed inputs leave the data on average (see
:mod:`xaiexp.builtin.removals.data_distance`): 1 is as far as examples are from each other, NaN where the model has no
penultimate layer or there are no data to compare with.

A note on peers: ``Infidelity`` of Quantus is another number than that of Yeh et al., whose definition is the one here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from xaiexp.builtin.removals.masking import Removal, modalities_of, number
from xaiexp.contract.kinds import Metric
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Scores
from xaiexp.core.parameters import Effort, Range
from xaiexp.core.vocabulary import Modality

if TYPE_CHECKING:
    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["Infidelity", "PredictionGapImportant", "PredictionGapUnimportant"]


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
            ``I = x - r``, its size uniform in 1 to all; ``noise`` is normal, on every element of a feature;
            ``square`` sends a random square of a picture, whatever the features, to r; ``baseline_difference`` is the
            whole way to a noisy reference, ``I = x - (r + noise)``.
        removal: what r is: the name of a baseline with one reference, in data space; ``noisy_linear``, which depends
            on what is left (``square`` and ``baseline_difference`` take what it makes of nothing); ``auto`` is blur
            for pictures, mean for tables and series, zero for texts.
        n_samples: perturbations per example.
        noise_level: standard deviation of the noise relative to the range of the data.
        square: the largest side of a square relative to the picture's shorter side; sides are uniform from one pixel.
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
    auxiliary = ("shift",)

    perturbation: Literal["removal", "noise", "square", "baseline_difference"] = "removal"
    removal: Removal = "auto"
    n_samples: Annotated[int, Range(1), Effort(20, 64, 256)] = 64
    noise_level: Annotated[float, Range(0, exclusive=True)] = 0.2
    square: Annotated[float, Range(0, 1)] = 0.3
    normalize: bool = True

    @property
    def scale_invariant(self) -> bool:
        """The best beta undoes any factor."""
        return self.normalize

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Squares are of pictures; noisy linear imputation needs neighbours."""
        if self.perturbation == "square":
            return ("image",)
        return modalities_of("auto" if self.perturbation == "noise" else self.removal)

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations; NaN for those without signs."""
        from xaiexp.builtin.metrics.faithfulness.infidelity_formulas import infidelities, perturbing

        how = perturbing(self.perturbation, batch, rng, self.removal, self.noise_level, self.square)
        values, shift = infidelities(model, batch, explanations, self.n_samples, *how, self.normalize)
        return Scores(values, {"shift": shift})

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each sample, however many explanations there are."""
        return Cost(forward=self.n_samples)


@dataclass(frozen=True)
class _PredictionGap(Metric):
    """The mean change of the probability under normal noise on some features.

    Args:
        n_samples: noisy inputs per example.
        share: of the features that are the top, by magnitude, rounded up.
        noise_level: standard deviation of the noise relative to the range of the data.
    """

    bounds = (0.0, 1.0)
    needs_sign = False
    scale_invariant = True
    re_explains = False
    unit = "probability"
    auxiliary = ("shift",)
    important: ClassVar[bool]

    n_samples: Annotated[int, Range(1), Effort(5, 16, 64)] = 16
    share: Annotated[float, Range(0, 1)] = 0.3
    noise_level: Annotated[float, Range(0, exclusive=True)] = 0.1

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations; the noise is the same for all."""
        from xaiexp.builtin.metrics.faithfulness.prediction_gap_formulas import prediction_gaps, top
        from xaiexp.builtin.metrics.removal_curves import undefined

        chosen = top(explanations, batch, rng, self.share)
        touched = chosen & batch.features.valid if self.important else ~chosen & batch.features.valid
        told = prediction_gaps(model, batch, rng, touched, self.n_samples, self.noise_level)
        nothing = undefined(batch, explanations)
        values, shift = (x.masked_fill(nothing, float("nan")).to(batch.inputs.dtype) for x in told)
        return Scores(values, {"shift": shift})

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One for each sample and explanation; none where no feature is left for the noise."""
        top = number(self.share, d)
        return Cost(forward=self.n_samples * explanations if (top if self.important else d - top) > 0 else 0)


@dataclass(frozen=True)
class PredictionGapImportant(_PredictionGap):
    """How far the probability moves under noise on the top features (PGI), in [0, 1]: far is good.

    ``E[|p(x) - p(x + noise on the top features)|]``, top by magnitude. Ties are broken at random, alike for all
    explanations.

    Args:
        n_samples: noisy inputs per example.
        share: of the features that are the top, rounded up.
        noise_level: standard deviation of the noise relative to the range of the data.
    """

    summary = "mean change of the probability under noise on the top features (PGI)"
    source = "Agarwal et al. 2022, OpenXAI, section 3 (PGI); Petsiuk et al. 2018; Dai et al. 2022"
    higher_is_better = True
    important = True


@dataclass(frozen=True)
class PredictionGapUnimportant(_PredictionGap):
    """How far the probability moves under noise on all but the top features (PGU), in [0, 1]: little is good.

    As :class:`PredictionGapImportant`. NaN where all features are top.

    Args:
        n_samples: noisy inputs per example.
        share: of the features that are the top and left alone, rounded up.
        noise_level: standard deviation of the noise relative to the range of the data.
    """

    summary = "mean change of the probability under noise on all but the top features (PGU)"
    source = "Agarwal et al. 2022, OpenXAI, section 3 (PGU); Dai et al. 2022"
    higher_is_better = False
    important = False
