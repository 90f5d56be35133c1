"""Completeness (Sundararajan et al. 2017): the gap of the sum of the attributions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = ["completeness_gaps"]


def completeness_gaps(model: Handle, batch: Batch, explanations: Sequence[Explanation]) -> Tensor:
    """``|sum_j phi_j - (f(x) - mean_r f(x0_r))|`` of M explanations of N examples, ``[M, N]``.

    NaN where attributions are not signed contributions to the explained score or have no reference. References that are
    the same tensor are evaluated once.
    """
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    defined = [(i, e, e.reference) for i, e in enumerate(explanations) if _is_defined(e) and e.reference is not None]
    references = {id(reference): reference for _, _, reference in defined}
    if references:
        scores = model.scores(iter(references.values())).double()
        reference_scores, start = {}, 0
        for key, reference in references.items():
            reference_scores[key] = scores[:, start : start + reference.shape[1]].mean(dim=1)
            start += reference.shape[1]
        original = model.scores().double()
        for i, explanation, reference in defined:
            difference = original - reference_scores[id(reference)]
            out[i] = (explanation.values.double().sum(dim=1) - difference).abs()
    return out.to(batch.inputs.dtype)


def _is_defined(explanation: Explanation) -> bool:
    """Whether completeness is defined: whether the attributions are contributions to a difference of scores."""
    if explanation.space == "neuron" or (explanation.space == "layer" and not explanation.complete):
        return False
    return explanation.signed and explanation.multiplied_by_inputs
