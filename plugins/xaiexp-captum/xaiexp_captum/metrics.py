"""Captum's two metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.plugin import Batch, Cost, Draws, Effort, Explanation, Handle, Metric, Range

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Infidelity", "SensitivityMax"]


@dataclass(frozen=True)
class Infidelity(Metric):
    """The squared error of the change of the score that attributions predict for noise, by Captum's ``infidelity``.

    Perturbations are those of Captum's documentation, normal noise; its ``infidelity_perturb_func_decorator`` divides
    them by ``x - reference`` (by ``x`` without one) for methods whose attributions are multiplied by the inputs. With
    several references their mean counts.

    Args:
        n_perturb_samples: number of noisy versions of the input.
        noise: standard deviation of the noise, in model space.
        normalize: whether attributions are scaled by the factor that minimises the error.
    """

    name = "captum_infidelity"
    summary = "squared error of the change of the score that attributions predict for noise (Captum)"
    source = "Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, definition 2.1; captum.metrics"
    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = True
    re_explains = False
    unit = "output²"

    n_perturb_samples: Annotated[int, Range(1), Effort(10, 10, 100)] = 10
    noise: Annotated[float, Range(0, exclusive=True)] = 0.003
    normalize: bool = False

    @property
    def scale_invariant(self) -> bool:
        """Where attributions are scaled."""
        return self.normalize

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Metric.score_all`; the scores of noisy inputs are computed once for all."""
        import torch

        from xaiexp_captum.perturbed import infidelity

        rows = [
            [infidelity(self, model, explanation, number, rng) for number in range(len(batch))]
            for explanation in explanations
        ]
        return torch.tensor(rows, dtype=batch.inputs.dtype, device=batch.device)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost:
        """One pass for each noisy version, and of the input, of each explanation: Captum shares none."""
        return Cost((self.n_perturb_samples + 1) * explanations)


@dataclass(frozen=True)
class SensitivityMax(Metric):
    """The largest relative change of the map within a small neighbourhood, by Captum's ``sensitivity_max``.

    Args:
        perturb_radius: half the side of the cube from which perturbations are drawn, in model space.
        n_perturb_samples: number of perturbed inputs.
    """

    name = "captum_sensitivity_max"
    summary = "the largest relative change of the map in a small neighbourhood of the input (Captum)"
    source = "Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, definition 3.1; captum.metrics"
    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = False
    scale_invariant = True
    re_explains = True
    unit = "1"

    perturb_radius: Annotated[float, Range(0, exclusive=True)] = 0.02
    n_perturb_samples: Annotated[int, Range(1), Effort(10, 10, 50)] = 10

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Metric.score_all`; NaN where a map is 0 or cannot be repeated."""
        import torch

        from xaiexp_captum.perturbed import sensitivities

        return torch.stack([sensitivities(self, model, batch, explanation, rng) for explanation in explanations])

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost:
        """None of its own."""
        return Cost(0)
