"""Completeness (Sundararajan et al. 2017): whether attributions add up to the difference they explain."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = ["gaps"]


def gaps(model: Handle, batch: Batch, explanations: Sequence[Explanation]) -> Tensor:
    """``|sum_j phi_j - (f(x) - mean_r f(x0_r))|`` of M explanations of N examples, ``[M, N]``.

    NaN where attributions are no signed contributions to the explained score or have no reference. References
    that are the same tensor are evaluated once.
    """
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    meant = [(i, e, e.reference) for i, e in enumerate(explanations) if _adds_up(e) and e.reference is not None]
    references = {id(reference): reference for _, _, reference in meant}
    if references:
        scores = model.scores(iter(references.values())).double()
        absent, start = {}, 0
        for key, reference in references.items():
            absent[key] = scores[:, start : start + reference.shape[1]].mean(dim=1)
            start += reference.shape[1]
        present = model.scores().double()
        for i, explanation, reference in meant:
            out[i] = (explanation.values.double().sum(dim=1) - (present - absent[id(reference)])).abs()
    return out.to(batch.inputs.dtype)


def _adds_up(explanation: Explanation) -> bool:
    """Whether a sum of attributions could be meant for a difference of scores."""
    if explanation.space == "neuron" or (explanation.space == "layer" and not explanation.complete):
        return False
    return explanation.signed and explanation.multiplied_by_inputs
