"""Captum's metrics, called for one explanation of one example."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import captum.metrics
import torch
from torch import Tensor

from xaiexp.plugin import Batch, Draws, Explanation, Handle
from xaiexp_captum.calls import quiet

if TYPE_CHECKING:
    from xaiexp_captum.metrics import Infidelity, SensitivityMax

__all__ = ["infidelity", "sensitivities"]


def infidelity(metric: Infidelity, model: Handle, explanation: Explanation, number: int, rng: Draws) -> float:
    """Captum's infidelity of the explanation of one example; NaN for an example without features."""
    example = model.example(number)
    if not len(example.positions):
        return float("nan")

    def perturb(inputs: Tensor, _baselines: Tensor | None = None) -> Tensor:
        return inputs - torch.randn(inputs.shape).to(inputs) * metric.noise

    reference = explanation.reference
    with quiet(), rng.legacy("captum", number):
        found = captum.metrics.infidelity(
            example,
            captum.metrics.infidelity_perturb_func_decorator(explanation.multiplied_by_inputs)(perturb),
            example.inputs,
            example.vectors(explanation.elements[number : number + 1]),
            baselines=None if reference is None else example.vectors(reference[number].mean(dim=0, keepdim=True)),
            n_perturb_samples=metric.n_perturb_samples,
            normalize=metric.normalize,
        )
    return float(found)


def sensitivities(metric: SensitivityMax, model: Handle, batch: Batch, explanation: Explanation, rng: Draws) -> Tensor:
    """Captum's maximum sensitivity of an explanation of each example, ``[N]``.

    The perturbed inputs of all examples are drawn first and explained together; Captum then gets them and their maps.
    """
    undefined = batch.inputs.new_full((len(batch),), float("nan"))
    if explanation.explain_perturbed is None:
        return undefined
    from captum.metrics._core.sensitivity import default_perturb_func

    examples = [model.example(number) for number in range(len(batch))]
    drawn = []
    for number, example in enumerate(examples):
        with rng.legacy("captum", number):
            repeated = example.inputs.repeat(metric.n_perturb_samples, 1)
            drawn.append(default_perturb_func(repeated, metric.perturb_radius)[0])
    points = torch.stack([example.rows(rows) for example, rows in zip(examples, drawn, strict=True)])
    maps = explanation.explain_perturbed(points)
    values = undefined.clone()
    for number, example in enumerate(examples):
        original = example.vectors(explanation.elements[number : number + 1])
        if not bool(original.any()):
            continue
        explain = iter(((original,), (example.vectors(maps[number]),)))  # of the input, then of perturbed inputs
        with quiet():
            values[number] = captum.metrics.sensitivity_max(
                lambda _rows, explain=explain: next(explain),
                example.inputs,
                # Captum tells by the number of arguments whether it passes the radius too.
                perturb_func=partial(_given, drawn[number]),
                n_perturb_samples=metric.n_perturb_samples,
            ).to(values)
    return values


def _given(rows: Tensor, _inputs: Tensor) -> Tensor:
    """The rows that were drawn before."""
    return rows
