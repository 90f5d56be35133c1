"""Infidelity: the error of attributions in predicting what perturbations do to the output.

Difference from Quantus: its ``Infidelity`` computes another number than Yeh et al. define; the definition is used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from xaiexp.builtin.removals.masking import RemovalChoice, RemovesFeatures, modalities_of
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Scores
from xaiexp.core.parameters import Effort, Range
from xaiexp.core.vocabulary import Modality

if TYPE_CHECKING:
    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["Infidelity"]


@dataclass(frozen=True)
class Infidelity(RemovesFeatures):
    """The error of the attributions in predicting what a perturbation I does to the output, at least 0.

    ``E_I[(beta * I.phi - (f(x) - f(x - I)))^2]`` over ``n_samples`` perturbations, in squared units of the output. For
    sensitivities, ``I.phi`` is the sum of ``I_e * phi_e`` over elements. A contribution ``phi_j`` of feature j refers
    to the whole step ``D = x - x0`` from its reference (the mean of several; 0 in model space if no reference was
    read). It enters in proportion to the part of that step that I makes: ``<I_j, D_j> / <D_j, D_j> * phi_j``, and 0
    where ``D_j`` is 0. The exact attributions of a linear model, of either kind, have infidelity 0. The auxiliary value
    ``shift`` is described in :mod:`xaiexp.builtin.removals.data_distance`.

    Args:
        perturbation: ``removal`` replaces a random subset of the features by the removal's reference r,
            ``I = x - r``, its size uniform in 1 to all; ``noise`` is normal, on every element of a feature;
            ``square`` replaces a random square of an image, whatever the features, by r; ``baseline_difference`` is the
            whole difference to a noisy reference, ``I = x - (r + noise)``.
        removal: what r is: a removal by name, or with parameters as ``{name: blur, sigma: 3}``; of one without a
            reference, such as ``noisy_linear``, ``square`` and ``baseline_difference`` use the values for no kept
            feature; ``auto`` is blur for images, mean for tables and time series, zero for texts.
        n_samples: perturbations per example.
        noise_level: standard deviation of the noise relative to the range of the data.
        square: the largest side of a square relative to the image's shorter side; sides are uniform from one pixel.
        normalize: multiply each example's attributions by the beta that minimises the value,
            ``E[(I.phi) df] / E[(I.phi)^2]`` (it may be negative; 0 for a map that predicts no change). Only the
            proportions of the attributions count then. Otherwise beta is 1.
    """

    summary = "error of attributions in predicting what perturbations do to the output"
    source = "Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, definition 2.1; beta: section 2.2"
    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = True
    re_explains = False
    unit = "output^2"
    auxiliary = ("shift",)

    perturbation: Literal["removal", "noise", "square", "baseline_difference"] = "removal"
    removal: RemovalChoice = "auto"
    n_samples: Annotated[int, Range(1), Effort(20, 64, 256)] = 64
    noise_level: Annotated[float, Range(0, exclusive=True)] = 0.2
    square: Annotated[float, Range(0, 1)] = 0.3
    normalize: bool = True

    @property
    def scale_invariant(self) -> bool:
        """The optimal beta cancels any factor."""
        return self.normalize

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Squares are defined for images only; noisy linear imputation needs neighbours."""
        if self.perturbation == "square":
            return ("image",)
        return modalities_of("auto" if self.perturbation == "noise" else self.removal)

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations; NaN for those without signs."""
        from xaiexp.builtin.metrics.faithfulness.infidelity_formulas import infidelities, perturbation_for

        perturb, reference = perturbation_for(
            self.perturbation, batch, rng, self.removal, self.noise_level, self.square
        )
        values, shift = infidelities(model, batch, explanations, self.n_samples, perturb, reference, self.normalize)
        return Scores(values, {"shift": shift})

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass for each sample, whatever the number of explanations."""
        return Cost(forward=self.n_samples)
