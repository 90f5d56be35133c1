"""Input invariance (Kindermans et al. 2019): a shift that the network undoes must not change the attributions."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xaiexp.builtin.data_range import data_range
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Explanation
from xaiexp.inference.passes import Handle

__all__ = ["corrected", "shift_changes"]


def corrected(module: nn.Module, shift: Tensor) -> nn.Module:
    """A copy of a network that takes ``x + shift`` for x; its layers keep their names.

    For a first layer that is linear this is its bias corrected, ``b - W shift``. Subtracting in front of it is
    right for padded convolutions as well, whose correction differs at the border.
    """
    twin = copy.deepcopy(module)
    twin.register_forward_pre_hook(lambda _, given: (given[0] - shift, *given[1:]))
    return twin


def shift_changes(model: Handle, batch: Batch, explanations: Sequence[Explanation], shift: float) -> Tensor:
    """``||phi_g(x) - phi_f(x - c)|| / ||phi_f(x - c)||`` of M explanations of N examples, ``[M, N]``.

    ``g(x) = f(x - c)``, so that both explain the same number, and the attributions of a method that is input
    invariant are equal. ``c`` is ``shift`` times the range of the data, on every element. NaN for maps of zeros and
    where the method is not at hand.
    """
    out = batch.inputs.new_full((len(explanations), len(batch)), float("nan"), dtype=torch.float64)
    at_hand = [
        (i, e, e.explain_network, e.explain_perturbed)
        for i, e in enumerate(explanations)
        if e.explain_network is not None and e.explain_perturbed is not None
    ]
    if at_hand:
        constant = (shift * data_range(batch)).to(batch.inputs)
        twin = corrected(model.module, constant)
        points = (batch.inputs - constant).unsqueeze(1)
        for i, explanation, under, again in at_hand:
            there = explanation.features.pool(again(points)[:, 0]).double()
            here = explanation.features.pool(under(twin)).double()
            norm = there.norm(dim=1)
            out[i] = torch.where(norm > 0, (here - there).norm(dim=1) / norm, float("nan"))
    return out.to(batch.inputs.dtype)
